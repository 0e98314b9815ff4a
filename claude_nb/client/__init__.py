"""The way to the API: connections, the thread on which streams run, retries."""

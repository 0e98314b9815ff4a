"""What is sent to the API: the request, its system prompt and its attachments."""

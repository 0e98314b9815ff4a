"""The API's memory tool, with a folder beside the notebook as its place."""

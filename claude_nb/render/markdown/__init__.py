"""Markdown from the model as HTML that is safe in a trusted cell."""

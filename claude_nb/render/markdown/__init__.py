"""Markdown from the model as HTML that a trusted cell can hold."""

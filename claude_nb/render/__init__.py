"""A reply as HTML, Markdown and plain text.

Everything here is pure. Only this package escapes text from the model.
"""

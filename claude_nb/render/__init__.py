"""From what is known of a reply to what is shown: HTML, Markdown, plain text.

Everything here is pure, and it is the one place where text from the model is escaped.
"""

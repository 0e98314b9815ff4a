"""Replies in files, and replayed from them."""

"""Conversations: the tree of exchanges, and how it is saved and restored."""

"""What stands in the notebook, for a prompt: its cells, what they displayed, and their outputs."""

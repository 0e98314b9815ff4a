"""Values of the notebook as content blocks."""

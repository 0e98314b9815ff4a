"""Models and their prices, tokens and what they cost."""

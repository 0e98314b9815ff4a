"""Ways to ask, for the magics and for Python users."""

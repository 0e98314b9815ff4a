"""The magics of IPython, their options and commands."""

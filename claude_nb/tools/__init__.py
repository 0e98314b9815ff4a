"""The notebook's functions as tools, and how their calls run."""

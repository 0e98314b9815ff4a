"""What the ``claude-nb`` command does, in a module for each topic."""

"""Where a growing reply is shown."""

"""Shows a growing reply: in a widget, in an updated output, or in a terminal."""

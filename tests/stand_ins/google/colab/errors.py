"""As ``google.colab.errors``."""


class Error(Exception):
    """The base of Colab's errors."""

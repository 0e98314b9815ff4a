"""In Voila, which shows a notebook as an application."""

from importlib.metadata import version


def test_versions():
    """The environment has the versions of this host."""
    assert version("voila") == "0.5.13"

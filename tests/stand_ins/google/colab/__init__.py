"""A stand-in for Colab's own package: see the README of ``tests/stand_ins``."""

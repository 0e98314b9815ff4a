"""Tests of the wheel in other hosts of notebooks, which ``.ci/hosts`` runs, each with its versions."""

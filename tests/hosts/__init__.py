"""Tests of the wheel in other hosts of notebooks: ``.ci/hosts`` runs each with its versions."""

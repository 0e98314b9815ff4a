"""Prompts by the thousand: a batch's rows, what is sent for them, and what comes of it.

``rows`` and ``requests`` make a request of each row, ``handing_in`` hands them in, ``waiting`` and
``reading`` see what comes of them; ``job`` is what all of these change, ``results`` what a row has
become. Rows are found again by their custom ids alone, so that a batch can be resumed where
nothing else is left of it.
"""

"""Prompts by the thousand: a batch's rows, what is sent for them, and what comes of it.

``rows`` makes a request of each row, ``job`` hands them in, waits and reads, ``results`` is what a
row has become. Rows are found again by their custom ids alone, so that a batch can be resumed
where nothing else is left of it.
"""

"""Batches: many prompts at once, at half the price, for whoever can wait.

``rows`` makes a request of each row. ``service`` submits them, waits for the results and reads
them into ``state``; ``results`` makes the result of each row from it. Results are matched to rows
by custom id alone, so a batch can be resumed where nothing else is left of it.
"""

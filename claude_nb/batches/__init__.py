"""Batches: many prompts at once, at half the price, for whoever can wait.

``rows`` makes a request of each row. ``service`` submits them, waits for the results and reads
them; ``state`` keeps what is known of the batch, ``results`` what has become of each row. Rows are
found again by their custom ids alone, so a batch can be resumed where nothing else is left of it.
"""

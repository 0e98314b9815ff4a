"""What the cells of a kernel share: the ledger, the budget, the last reply."""

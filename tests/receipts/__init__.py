"""`make verify-receipts`: answers of a running system, taken at random instants, and all of them made again."""

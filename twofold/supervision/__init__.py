"""Everything on one machine: the parts of `twofold up`, started in order, kept running, stopped in order."""

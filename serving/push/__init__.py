"""Push: how the answer to a question changes, told to many readers at once."""

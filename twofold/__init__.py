"""Twofold folds one definition of a view twice, in batch and live, and merges the two exactly."""

"""Changing views: a new edition is built beside the one that is served, compared with it, and takes its place."""

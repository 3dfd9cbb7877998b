"""Maintenance: few data files in place of many, and none that nobody may need."""

"""The batch layer: what a cycle does, from the event log to a publication, and what can be done about dead letters."""

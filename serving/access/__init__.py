"""Access to the serving API: who may ask what, from where, and how much."""

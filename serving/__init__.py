"""Serving: merges what is published with what is provisional, and says of every answer what it is."""

"""Receipts: signed tokens of what answers were made of, and answers made again from them."""

"""Backfill: trades from files, taken in as lanes of their own, beside what the event log brings."""

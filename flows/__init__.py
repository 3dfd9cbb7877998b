"""Prefect flows: the batch side's schedule, retries and records."""

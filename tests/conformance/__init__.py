"""The conformance kit: seeded actions against real processes, every answer compared with what is expected."""

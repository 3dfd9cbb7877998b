"""The speed layer: provisional partials, folded live from the event log on top of a published base."""

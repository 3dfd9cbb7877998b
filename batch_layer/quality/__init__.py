"""The quality gate: what a cycle adds is checked before it is published."""

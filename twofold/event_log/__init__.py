"""The event log: Kafka, as this project reads it, makes its topics and embeds it."""

"""The Spark engine of the batch layer. Nothing outside imports it before the engine is chosen: it is an extra."""

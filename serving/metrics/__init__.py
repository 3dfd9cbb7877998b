"""What serving tells Prometheus: itself, the batch side by its newest publication, and the live side as it heard it."""

"""End of day: daily bars, volatility and risk of one UTC day, made of one named publication and of nothing else."""

"""SQL over the views: a SELECT, run by DuckDB in a process that can reach nothing else."""

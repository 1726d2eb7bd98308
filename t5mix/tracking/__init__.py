"""What a run records: metrics, history, its directory, provenance."""

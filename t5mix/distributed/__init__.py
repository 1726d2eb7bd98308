"""The processes of a run: exchange, consensus, signals."""

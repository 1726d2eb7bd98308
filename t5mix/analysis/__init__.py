"""From the trials of a sweep to scores, intervals and verdicts."""

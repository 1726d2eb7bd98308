"""To and from what others have made: seqio."""

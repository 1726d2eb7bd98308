"""Readers of people's files, tasks declared in configuration, and seqio sources."""

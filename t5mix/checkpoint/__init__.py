"""Checkpoints: writing, reading, integrity."""

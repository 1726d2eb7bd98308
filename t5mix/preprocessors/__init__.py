"""Objectives: from raw text to inputs and targets."""

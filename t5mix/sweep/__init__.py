"""Comparing methods: what is run, what its scores say, and how sure one can be."""

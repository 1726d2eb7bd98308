"""Comparing methods: what a study's scores say, and how sure one can be. numpy and scipy only, so far."""

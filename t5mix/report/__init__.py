"""The report of a sweep: a page, tables and pictures, from the files that its trials left. Loads no JAX."""

"""The configuration: its schema, reading and composing."""

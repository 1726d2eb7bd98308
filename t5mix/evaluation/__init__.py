"""Evaluation: decoding by length bucket, predictions on disk, and the metrics of the tasks."""

"""What one does with a run: train it, evaluate it, ask it."""

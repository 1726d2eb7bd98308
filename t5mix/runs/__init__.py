"""What one does with a run: train it, load it, evaluate it, predict with it, merge it."""

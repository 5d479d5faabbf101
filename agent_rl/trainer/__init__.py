"""The trainer: the loop, algorithms, batches, workers, checkpoints, supervised training."""

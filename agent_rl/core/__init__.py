"""The words everybody speaks: message, task, trajectory, outcome, limits, registry. No torch, no network."""

"""Rollouts: messages to tokens and back, engines, episodes, the manager that runs many at once."""

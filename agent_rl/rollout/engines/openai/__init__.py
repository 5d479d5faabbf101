"""Hosted models, and any other endpoint that speaks as OpenAI does: for evaluation, never for training."""

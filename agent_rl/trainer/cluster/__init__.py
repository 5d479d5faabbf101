"""The cluster: where the workers live."""

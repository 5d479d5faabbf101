"""A Docker engine: a container for each run."""

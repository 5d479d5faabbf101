"""A hosted service: a virtual machine for each run, by E2B's API."""

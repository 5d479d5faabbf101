"""Environments of other libraries as ours; each adapter imports its library when it is first made."""

"""A sandbox as an HTTP server that speaks Sandbox Fusion's contract."""

"""What we speak over the wire, on httpx: one typed client for each kind of service."""

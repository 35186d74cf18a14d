"""The server under load, before the load: its URL and address, TLS, health check, discovery. Nothing here is timed."""

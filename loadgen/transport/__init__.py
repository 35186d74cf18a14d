"""The one seam to the network: one file per HTTP client."""

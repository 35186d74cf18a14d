"""The simulated server: answers every API dialect, takes as long as a real server would, and logs each request."""

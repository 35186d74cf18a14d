"""Operating system services: CPU affinity, file descriptors, signals, temporary folders. It knows no load."""

"""What a process asks of the operating system: cores, descriptors, signals, temporary folders."""

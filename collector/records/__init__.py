"""The timing row of a request and how it travels: record file, messages, shared memory. It computes no figure."""

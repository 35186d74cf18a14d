"""The timing record of a request and its transport: record file, messages, shared memory. It computes no figure."""

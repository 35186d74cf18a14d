"""The timed path: scheduler, tokens, budget, senders, jobs, records out. It starts no process and reads no file."""

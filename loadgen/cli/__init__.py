"""The command line: flags become options; each command prints a report and returns an exit code."""

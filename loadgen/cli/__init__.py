"""The command line: words in, options, a report and an exit code out."""

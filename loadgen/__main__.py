"""`python -m loadgen` is the command `loadgen`."""

from loadgen.command.cli import entry

if __name__ == "__main__":
    entry()

"""`python -m collector DIR...` reports saved runs."""

import sys

from collector.cli.report import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

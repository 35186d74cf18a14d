"""`python -m collector DIR...` prints the reports of saved runs."""

import sys

from collector.cli.report import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

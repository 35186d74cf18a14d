#!/usr/bin/env python3
"""Takes the command lines of the vLLM-Omni benchmark script of this name: change its path, keep the rest.

It is `loadgen bench` with one other default: latency counts from the moment of sending, as that script measured it.
"""

import sys

from loadgen.command.cli import main

if __name__ == "__main__":
    sys.exit(main(["bench", *sys.argv[1:]], latency_from="sent"))

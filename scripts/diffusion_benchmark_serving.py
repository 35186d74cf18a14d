#!/usr/bin/env python3
"""Takes the command lines of the vLLM-Omni benchmark script of this name, and of SGLang's bench_serving.

Change the path of the script and keep the rest; docs/drop-in.md has the differences.

It is `loadgen bench` with one other default: latency counts from the moment of sending, as that script measured it.
"""

import os
import sys
from pathlib import Path

OURS = Path(__file__).resolve().parent.parent / ".venv/bin/python"

try:
    from loadgen.__main__ import entry
except ModuleNotFoundError as missing:  # started by a Python without the project
    if not OURS.exists() or Path(sys.executable) == OURS:
        sys.exit(f"{missing}: run scripts/demo once (it makes .venv), or pip install the project")
    os.execv(OURS, [str(OURS), *sys.argv])

if __name__ == "__main__":
    entry(["bench", *sys.argv[1:]], latency_from="sent")

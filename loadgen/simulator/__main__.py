"""The simulated server as a child process of a run: `python -m loadgen.simulator CHANNEL`."""

import sys

from collector.records.control_channel import Channel, readable
from loadgen.simulator.engine.options import SimulatorOptions
from loadgen.simulator.server import serve


def main(descriptor: int) -> None:
    """Serve with the options of the parent's setup message, send it the port, and stop when the parent ends."""
    channel = Channel.inherited(descriptor)
    readable([channel.fileno()])
    (setup,) = channel.receive()
    options = SimulatorOptions(**setup["options"])
    serve(options, lambda port: channel.send("ready", port=port), until_eof_fd=channel.fileno())


if __name__ == "__main__":
    main(int(sys.argv[1]))

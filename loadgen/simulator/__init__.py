"""The simulated server: speaks the chat dialect, spends time like a generator does, and stamps what it saw."""

from loadgen.simulator.options import SimulatorOptions, add_arguments, from_arguments
from loadgen.simulator.server import serve, start

__all__ = ["SimulatorOptions", "add_arguments", "from_arguments", "serve", "start"]

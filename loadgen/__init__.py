"""The load generator: samples become requests, requests a plan, the plan precisely timed traffic.

The Python interface is `loadgen.api`; statistics and reports are in the package `collector`.
"""

__version__ = "0.1.0"

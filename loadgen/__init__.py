"""Makes the load: samples become requests, requests a plan, a plan precisely timed traffic.

From Python, begin with `loadgen.api`.
"""

__version__ = "0.1.0"

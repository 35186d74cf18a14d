"""Prometheus pages of servers, as `--server-metrics` reads them."""

from collections.abc import Callable
from typing import Any, Final

from hypothesis import strategies as st

from collector.saved.metrics_log import MAX_VALUE
from loadgen.monitoring.exposition_format import PageError, read
from scripts.fuzzing.odd_values import ODD_TEXTS, damaged_bytes
from scripts.fuzzing.target import Target

_PAGE: Final = b"""# HELP vllm:num_requests_running Running.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{model="a \\"b\\"",gpu="0"} 3.0
# TYPE requests_total counter
requests_total 7 1700000000000
# TYPE latency histogram
latency_bucket{le="0.1"} 1
latency_bucket{le="+Inf"} 2
latency_count 2
latency_sum 0.3
# EOF
"""
_WORDS: Final = (
    "a",
    "a_total",
    "{",
    "}",
    'x="y"',
    ",",
    "=",
    '"',
    "\\",
    " ",
    "1",
    "NaN",
    "+Inf",
    "#",
    "TYPE",
    "gauge",
    "counter",
    "\n",
)


@st.composite
def _case(draw: Callable[..., Any]) -> tuple[bytes, str]:
    lines = st.lists(st.sampled_from((*_WORDS, *_WORDS, *ODD_TEXTS)), max_size=30)
    made = lines.map(lambda arguments: "".join(arguments).encode(errors="surrogatepass"))
    kind = draw(st.sampled_from(("text/plain", "application/openmetrics-text; version=1.0.0", "")))
    return draw(made | damaged_bytes(_PAGE)), kind


def check(case: tuple[bytes, str]) -> str:
    """Read a page: samples with sound values, or a PageError of one plain line."""
    problem, samples = "", {}
    try:
        samples = read(*case)
    except PageError as error:
        problem = str(error)
    assert problem.isprintable(), problem
    assert all(abs(value) <= MAX_VALUE or value != value for _, value in samples.values())
    return "a problem" if problem else "samples"


PAGES: Final = Target("metrics pages", 6, _case(), check)

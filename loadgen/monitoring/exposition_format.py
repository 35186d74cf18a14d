"""Parses the Prometheus exposition formats; keeps gauges, counters, and the counts of histograms and summaries."""

import re
import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

from prometheus_client import Metric
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from collector.saved.metrics_log import MAX_VALUE
from collector.text.printable import printable

PARSE_S: Final = 0.5  # CPU time limit of a page; one of 3,000 series takes 0.1 s
_OPENMETRICS: Final = "application/openmetrics-text"
_EXCERPT: Final = 80  # characters of an error that quotes the page
_ESCAPED: Final = re.compile(r'[\\"\n]')
_ESCAPES: Final = {"\\": r"\\", '"': r"\"", "\n": r"\n"}

Samples = dict[str, tuple[str, float]]  # kind and value by name with labels; kind is gauge or counter


class PageError(Exception):
    """The page cannot be used; the message is a predicate, such as "has no metrics"."""


def read(content: bytes, content_type: str) -> Samples:
    """Parse a page in the text format or, by its content type, in OpenMetrics. Values beyond 1e100 are dropped.

    Raises PageError for any content that cannot be parsed. Call it in the main thread only, since it uses a signal.
    """
    try:
        with _limited(PARSE_S):
            found = _read(content.decode(), strict=content_type.startswith(_OPENMETRICS))
    except TimeoutError:
        raise PageError(f"takes more than {PARSE_S:g} s to read") from None
    except Exception as error:  # the parser raises all sorts of errors on malformed pages
        reason = printable(str(error) or type(error).__name__)[:_EXCERPT]
        raise PageError(f"is no Prometheus page ({reason})") from None
    if not found:
        raise PageError("has no metrics")
    return found


def _read(text: str, *, strict: bool) -> Samples:
    """Skip the bucket lines, which are most of a page and not kept; the OpenMetrics parser requires them."""
    if strict:
        return dict(_kept(openmetrics.text_string_to_metric_families(text)))  # type: ignore[no-untyped-call]
    lines = (line for line in text.split("\n") if not ("_bucket{" in line and 'le="' in line))
    return dict(_kept(text_string_to_metric_families("\n".join(lines))))


def _kept(families: Iterable[Metric]) -> Iterator[tuple[str, tuple[str, float]]]:
    for family in families:
        for sample in family.samples:
            kind, value = _kind(family, sample), float(sample.value)
            if kind and abs(value) <= MAX_VALUE:
                yield _name(sample), (kind, value)


def _kind(family: Metric, sample: Sample) -> str | None:
    """The kind of a sample; None for those not kept: sums, quantiles, creation times."""
    counts = sample.name.endswith("_total")
    match family.type:
        case "gauge":
            return "gauge"
        case "unknown":
            return "counter" if counts else "gauge"
        case "counter":
            return "counter" if counts else None
        case "histogram" | "summary":
            return "counter" if sample.name == f"{family.name}_count" else None
    return None


def _name(sample: Sample) -> str:
    """The name with its labels, as the text format writes them."""
    labels = ",".join(
        f'{name}="{_ESCAPED.sub(lambda found: _ESCAPES[found[0]], value)}"' for name, value in sample.labels.items()
    )
    return f"{sample.name}{{{labels}}}" if labels else sample.name


@contextmanager
def _limited(limit_s: float) -> Iterator[None]:
    """Raise TimeoutError in a block that takes more CPU time than `limit_s`; waiting for a core does not count."""

    def expired(_number: int, _frame: FrameType | None) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGVTALRM, expired)
    signal.setitimer(signal.ITIMER_VIRTUAL, limit_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)

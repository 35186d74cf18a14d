"""Whether two runs did the same work, and if not, what differs."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from collector.comparison.source import Source

MOST: Final = 5  # differences that are told; the others are counted
_LONGEST: Final = 40  # characters of a value

# Whom the requests went to and how they were carried is what one compares, or what the verdict judges.
_FREE: Final = frozenset(
    {
        *("target.base_url", "target.headers", "target.ca_file", "target.insecure", "target.proxy"),
        *("target.max_body_bytes", "traffic.senders", "traffic.transport", "traffic.spin_us", "traffic.pin"),
        *("traffic.realtime", "traffic.save_dir", "target.server_metrics", "confidence"),
    }
)
_DIGESTED: Final = ("data.", "arrivals.", "target.model", "target.extra_body", "target.n")


def differences(a: Source, b: Source) -> list[str]:
    """Say how the workload of `b` differs from that of `a`, such as "arrivals.rate 5.0 / 10.0"; empty where it is one.

    Two plans of one digest send the same bytes at the same times, whatever words they were asked for with.
    """
    same = a.digest is not None and a.digest == b.digest
    ours, theirs = dict(_flat(a.config)), dict(_flat(b.config))
    names = [name for name in sorted({*ours, *theirs} - _FREE) if not (same and name.startswith(_DIGESTED))]
    told = [] if a.planned == b.planned else [f"requests {a.planned} / {b.planned}"]
    told += [
        f"{name} {_shown(ours.get(name))} / {_shown(theirs.get(name))}"
        for name in names
        if ours.get(name) != theirs.get(name)
    ]
    if a.digest is not None and b.digest is not None and not same:
        told.append(f"plan {a.digest[:12]} / {b.digest[:12]}")
    return told


def in_short(told: list[str]) -> str:
    """The first few differences in one line."""
    more = f"; and {len(told) - MOST} more" if len(told) > MOST else ""
    return "; ".join(told[:MOST]) + more


def _flat(config: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Names with dots, and their values."""
    for name, value in config.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def _shown(value: object) -> str:
    text = "-" if value is None else str(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."

"""The differences between the workloads of two runs."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from collector.comparison.source import Source

MAX_SHOWN: Final = 5  # differences; the others are counted
_MAX_LENGTH: Final = 40  # characters of a value

# Options that may differ: the server and the client's transport are what people compare, or the verdict checks them.
_IGNORED: Final = frozenset(
    {
        *("target.base_url", "target.headers", "target.ca_file", "target.insecure", "target.proxy"),
        *("target.max_body_bytes", "traffic.senders", "traffic.transport", "traffic.spin_us", "traffic.pin"),
        *("traffic.realtime", "traffic.save_dir", "target.server_metrics", "confidence"),
    }
)
_IN_DIGEST: Final = ("data.", "arrivals.", "target.model", "target.extra_body", "target.n")


def differences(a: Source, b: Source) -> list[str]:
    """How the workload of `b` differs from that of `a`, such as "arrivals.rate 5.0 / 10.0"; empty if it does not.

    Two plans with the same digest send the same bytes at the same times, whatever the options.
    """
    same = a.digest is not None and a.digest == b.digest
    ours, theirs = dict(_flat(a.config)), dict(_flat(b.config))
    names = [name for name in sorted({*ours, *theirs} - _IGNORED) if not (same and name.startswith(_IN_DIGEST))]
    found = [] if a.planned == b.planned else [f"requests {a.planned} / {b.planned}"]
    found += [
        f"{name} {_shown(ours.get(name))} / {_shown(theirs.get(name))}"
        for name in names
        if ours.get(name) != theirs.get(name)
    ]
    if a.digest is not None and b.digest is not None and not same:
        found.append(f"plan {a.digest[:12]} / {b.digest[:12]}")
    return found


def in_short(found: list[str]) -> str:
    """The first few differences in one line."""
    more = f"; and {len(found) - MAX_SHOWN} more" if len(found) > MAX_SHOWN else ""
    return "; ".join(found[:MAX_SHOWN]) + more


def _flat(config: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted names, and their values."""
    for name, value in config.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def _shown(value: object) -> str:
    text = "-" if value is None else str(value)
    return text if len(text) <= _MAX_LENGTH else text[: _MAX_LENGTH - 3] + "..."

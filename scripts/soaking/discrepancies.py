"""Compares the records of a run with the faults that the server injected; yields what does not match."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from collector.records.record import FORMAT_SHIFT, FORMATS, RETRIED, ErrorKind, Outcome, error_name
from collector.saved.run_folder import SavedRun

# What each fault of the simulated server is called in the report; any other kind of error is unexplained.
KINDS: dict[str, frozenset[str]] = {
    "fail": frozenset({"http_500"}),
    "cut": frozenset({"disconnected", "body_cut"}),
    "garbage": frozenset({"protocol"}),
    "429": frozenset({"http_429"}),
    "503": frozenset({"http_503"}),
}
BROKEN = ("died", "conservation", "client", "ports")  # reasons of the verdict that are faults of ours


def discrepancies(result: Mapping[str, Any], saved: SavedRun, faults: Mapping[str, int]) -> Iterator[str]:
    """Yield what does not add up between the report, the saved records and the faults that the server counted."""
    yield from (f"verdict: {each['text']}" for each in result["verdict"]["reasons"] if each["rule"] in BROKEN)
    offered, outcomes = result["offered"], result["outcomes"]
    if not offered["planned"] == offered["sent"] == sum(outcomes.values()) == len(saved.records):
        yield f"conservation: {offered}, {outcomes}, {len(saved.records)} records"
    errors = {kind: error["count"] for kind, error in result["errors"].items()}
    for fault, kinds in KINDS.items():
        yield from _unequal(f"faults `{fault}`", faults.get(fault, 0), sum(errors.pop(kind, 0) for kind in kinds))
    # A reset of a connection that was used before is answered by sending once more, and counted.
    yield from _unequal("faults `reset`", faults.get("reset", 0), errors.pop("reset", 0) + result["retried"])
    yield from _unequal("faults `stall`", faults.get("stall", 0), outcomes["timeout"])
    yield from (f"unexplained: {count} records of {kind}" for kind, count in errors.items())
    yield from (
        f"unexplained: {outcomes[name]} {name}" for name in ("cancelled", "unfinished", "lost") if outcomes[name]
    )
    yield from _odd_rows(saved)


def _unequal(what: str, committed: int, seen: int) -> Iterator[str]:
    if committed != seen:
        yield f"{what}: the server injected {committed}, the records have {seen}"


def _odd_rows(saved: SavedRun) -> Iterator[str]:
    """Yield what no record may have, whatever happened to its request."""
    rows = saved.records
    ok, error = rows["outcome"] == Outcome.OK, rows["outcome"] == Outcome.ERROR
    stamps = [rows[name] for name in ("scheduled_ns", "sent_ns", "first_byte_ns", "done_ns")]
    first = np.where(rows["first_byte_ns"] == 0, rows["sent_ns"], rows["first_byte_ns"])
    yield from _some("successes without status 200, a first byte or a body", ok & _incomplete(rows))
    yield from _some("errors without a kind, or kinds without an error", error != (rows["error"] != ErrorKind.NONE))
    yield from _some("stamps out of order", (stamps[0] > stamps[1]) | (stamps[1] > first) | (first > stamps[3]))
    bits, formats = rows["flags"] & (2**FORMAT_SHIFT - 1), rows["flags"] >> FORMAT_SHIFT
    yield from _some("flags that have no name", ((bits & ~np.uint16(RETRIED)) != 0) | (formats >= len(FORMATS)))
    kinds = {error_name(kind, 0) for kind in np.unique(rows["error"]).tolist()}
    yield from (f"unexplained: the kind {kind}" for kind in kinds if kind.startswith("kind_"))


def _incomplete(rows: "np.ndarray[Any, np.dtype[np.void]]") -> "np.ndarray[Any, np.dtype[np.bool_]]":
    found: np.ndarray[Any, np.dtype[np.bool_]] = (
        (rows["status"] != 200) | (rows["first_byte_ns"] == 0) | (rows["received_bytes"] == 0)
    )
    return found


def _some(what: str, rows: "np.ndarray[Any, np.dtype[np.bool_]]") -> Iterator[str]:
    if rows.any():
        yield f"{int(rows.sum())} records with {what}"

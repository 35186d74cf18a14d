"""The verdict: may these numbers be believed? Rules of DESIGN.md section 5, each a reason with its remedy."""

from collections.abc import Iterator
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from collector.records.record import ErrorKind, Outcome
from collector.records.stalls import stalled_ns as stalled
from collector.statistics.order_statistics import percentile, seconds
from collector.summary.result import Reason, Verdict
from collector.summary.run_info import RunInfo
from collector.summary.slo import due
from collector.summary.times import Times
from collector.text import quantity

MOVED = 0.05  # share by which p50 or p99 of response may rest on lag, or on wait
BUSY = 0.7  # share of a core from which on more senders would help
SPAN_OFF = 0.01  # share by which the span of sends may differ from the planned one
SIMULATOR = "simulator"  # how the process of --simulate is called among those that died
SPAN_LEAST = 100  # requests from which on a span is worth judging


def judge(records: NDArray[np.void], times: Times, info: RunInfo, breaches: list[str]) -> Verdict:
    """Decide the state and give all its reasons; `breaches` are those of `conservation`. INVALID outranks CAPPED."""
    capped = _capped(times, info)
    invalid = [
        *_died(times, info),
        *_own_faults(records),
        *_unbalanced(breaches),
        *_late(times, info),
        *_off_rate(times, info, bool(capped)),
    ]
    state: Literal["VALID", "CAPPED", "INVALID"] = "INVALID" if invalid else "CAPPED" if capped else "VALID"
    return Verdict(state=state, reasons=[*invalid, *capped, *_interrupted(times, info), *_drained(times, info)])


def conservation(records: NDArray[np.void], times: Times, info: RunInfo) -> list[str]:
    """List the equations between independent counts that do not hold, a sentence each; empty where the books balance.

    `records` are all that came, before duplicates and strays were put aside.
    """
    index = records["index"].astype(np.int64)
    strays = int(np.sum(index >= info.planned))
    recorded = np.flatnonzero(np.bincount(index[index < info.planned], minlength=info.planned))
    duplicates = len(index) - strays - len(recorded)
    unmarked = int(np.sum(info.marked_ns[recorded] == 0))
    lost, sent = int(np.sum(times.outcome == Outcome.LOST)), len(times.index)
    unnamed = int(np.sum(times.outcome > max(Outcome)))
    unsent = info.planned - int(np.count_nonzero(info.marked_ns))
    equations = [
        (
            0 <= sent - info.counted_sent <= len(info.died),
            f"senders counted {info.counted_sent} sends, records and lost ones make {sent}",
        ),
        (unmarked == 0, f"{unmarked} records are of requests that no sender marked as sent"),
        (duplicates == 0, f"{duplicates} requests have a second record"),
        (strays == 0, f"{strays} records name a request that is not in the plan"),
        (unnamed == 0, f"{unnamed} records end in an outcome that has no name"),
        (lost == 0 or bool(info.died), f"{lost} requests were sent and left no record, though no process died"),
        (unsent == 0 or _cut(info), f"{unsent} planned requests were never sent"),
        (
            lost > 0 or times.max_in_flight <= info.max_concurrency,
            f"{times.max_in_flight} requests were in flight where {info.max_concurrency} were allowed",
        ),
    ]
    return [text for holds, text in equations if not holds]


def _of_tool(what: str, text: str) -> Reason:
    return Reason(by="tool", what=what, text=text)


def _cut(info: RunInfo) -> bool:
    """Whether the run ended before its plan was through, and somebody knows why."""
    return bool(info.died) or info.stopped_ns is not None or info.drained_ns is not None


def _died(times: Times, info: RunInfo) -> Iterator[Reason]:
    simulated = [name for name in info.died if name.startswith(SIMULATOR)]
    ours = [name for name in info.died if name not in simulated]
    if simulated:
        text = f"The simulated server died ({', '.join(simulated)}), which ended the run; run again, or use --base-url."
        yield _of_tool("died", text)
    if ours:
        lost = int(np.sum(times.outcome == Outcome.LOST))
        yield _of_tool(
            "died",
            f"A process of this tool died ({', '.join(ours)}); requests that were lost with it: {lost}. "
            "Run again with fewer --senders or more memory; if it dies again, please report it.",
        )


def _own_faults(records: NDArray[np.void]) -> Iterator[Reason]:
    failed = int(np.sum(records["error"] == ErrorKind.CLIENT))
    if failed:
        yield _of_tool(
            "client",
            f"{failed} requests failed by a fault of this tool, or for want of descriptors or memory here (see "
            "the errors): that says nothing of the server. Raise the limit (ulimit -n) or lower --max-concurrency.",
        )
    portless = int(np.sum(records["error"] == ErrorKind.NO_PORT))
    if portless:
        yield Reason(
            by="machine",
            what="ports",
            text=f"{portless} requests found no free local port for their connection: that says nothing of the server. "
            "Widen net.ipv4.ip_local_port_range, lower --max-concurrency, or have the server keep connections alive.",
        )


def _unbalanced(breaches: list[str]) -> Iterator[Reason]:
    for breach in breaches:
        yield _of_tool(
            "conservation",
            f"The books do not balance: {breach}. Do not use these figures; run again, and report it if it repeats.",
        )


def _late(times: Times, info: RunInfo) -> Iterator[Reason]:
    held = _unsent(times, info)
    if held > MOVED * (held + len(times.index)) and not (info.died or _budget_was_full(times, info)):
        yield _of_tool(
            "lag",
            f"{held} requests that were due had not been sent at the stop, though permits were free. {_remedy(info)}",
        )
    moved = None if info.closed_loop else _moved(times, times.lag_ns)
    if not moved:
        return
    if _moved(times, times.lag_ns - _stalled_ns(times, info)):
        yield _of_tool("lag", f"The tool sent late: without its own lag, {moved}. {_remedy(info)}")
    else:
        yield Reason(
            by="machine",
            what="lag",
            text=f"The machine stalled, so requests were sent late: without that lag, {moved}. "
            f"It woke a sleeping process late {len(info.stalls)} times, by up to "
            f"{quantity.seconds(float(info.stalls['late_ns'].max()) / 1e9)}. "
            "Use a quieter machine, or cores that nothing else uses (--pin).",
        )


def _unsent(times: Times, info: RunInfo) -> int:
    """How many requests were due and not sent."""
    return int(due(times, info).sum()) - len(times.index)


def _budget_was_full(times: Times, info: RunInfo) -> bool:
    """Whether every permit was in use when the run was stopped."""
    cut_ns = info.drained_ns if info.stopped_ns is None else info.stopped_ns
    if cut_ns is None:
        return False
    flying = (times.sent_ns <= cut_ns) & (times.done_ns > cut_ns)
    return int(flying.sum()) >= info.max_concurrency


def _stalled_ns(times: Times, info: RunInfo) -> NDArray[np.int64]:
    """What part of each lag the machine's hiccups explain."""
    explained = stalled(info.stalls, times.released_ns, times.sent_ns)
    return np.clip(explained, 0, np.maximum(times.lag_ns, 0))


def _remedy(info: RunInfo) -> str:
    """What would help a tool that is late: that depends on whether its senders had time."""
    if info.busiest_sender is not None and info.busiest_sender < BUSY:
        share = quantity.share(info.busiest_sender)
        return f"Its busiest sender worked {share} of the time: give each a core of its own (--pin, fewer --senders)."
    return "Use more --senders, a lower --request-rate, or a machine with idle cores."


def _capped(times: Times, info: RunInfo) -> list[Reason]:
    if info.closed_loop:
        return []
    moved = _moved(times, times.wait_ns)
    held = _unsent(times, info)
    if not moved and held > MOVED * (held + len(times.index)) and _budget_was_full(times, info):
        moved = f"{held} more, due before the stop, would have been sent"
    if not moved:
        return []
    waited = quantity.share(float(np.sum(times.wait_ns > 0)) / max(len(times.index), 1))
    text = (
        f"These figures describe {info.max_concurrency} in flight, not the asked {quantity.rate(info.asked_rate)}: "
        f"{waited} of the requests waited for the budget; without their wait, {moved}. "
        "Raise --max-concurrency to measure the asked rate."
    )
    return [Reason(by="budget", what="wait", text=text)]


def _moved(times: Times, part_ns: NDArray[np.int64]) -> str | None:
    """Say what response would be without `part_ns`, where that moves its p50 or p99 by more than 5 %.

    A percentile that falls among requests that never ended is judged by the times until all sent ones were given up.
    """
    for name, p in (("p50", 0.5), ("p99", 0.99)):
        for which, endless in ((times.ok, times.endless), (np.ones_like(times.ok), 0)):
            response_s, part_s = seconds(times.response_ns[which]), seconds(part_ns[which])
            whole, rest = percentile(response_s, p, endless), percentile(response_s - part_s, p, endless)
            if whole is not None and rest is not None:
                break
        else:
            return None
        if abs(whole - rest) > MOVED * abs(whole):
            return f"{name} of response would be {quantity.seconds(rest)} instead of {quantity.seconds(whole)}"
    return None


def _off_rate(times: Times, info: RunInfo, capped: bool) -> Iterator[Reason]:
    """Hold the span of sends against the planned one, the budget's doing left out.

    That is the span of `released`: the planned one exactly where none waited, and just where a few had to.
    """
    if info.closed_loop or capped or len(times.index) < SPAN_LEAST:
        return
    planned_s, sent_s = float(np.ptp(times.released_ns)) / 1e9, float(np.ptp(times.sent_ns)) / 1e9
    if planned_s <= 0 or abs(sent_s - planned_s) <= SPAN_OFF * planned_s:
        return
    text = (
        f"The sends took {quantity.seconds(sent_s)} where the plan has {quantity.seconds(planned_s)}, "
        "so the asked rate was not offered. "
    )
    unstalled_s = float(np.ptp(times.sent_ns - _stalled_ns(times, info))) / 1e9
    if abs(unstalled_s - planned_s) <= SPAN_OFF * planned_s:
        yield Reason(by="machine", what="rate", text=f"{text}The machine stalled: use a quieter one.")
    else:
        yield _of_tool("rate", text + _remedy(info))


def _interrupted(times: Times, info: RunInfo) -> Iterator[Reason]:
    if info.interrupted:
        yield Reason(
            by="user",
            what="interrupted",
            text=f"The run was interrupted after {len(times.index)} of {info.planned} requests were sent: "
            "the figures are partial. Let it finish for whole ones.",
        )


def _drained(times: Times, info: RunInfo) -> Iterator[Reason]:
    if info.drained_ns is not None and not info.died:
        unfinished, unsent = int(np.sum(times.outcome == Outcome.UNFINISHED)), info.planned - len(times.index)
        if not unfinished and not unsent:
            return
        after_s = float(info.drained_ns - info.scheduled_ns[-1]) / 1e9
        yield Reason(
            by="user",
            what="drain",
            text=f"{quantity.seconds(after_s)} after the last planned send (--drain) {unfinished} had no answer "
            f"and {unsent} still waited to be sent: they are unfinished and unsent, and missed their SLO.",
        )

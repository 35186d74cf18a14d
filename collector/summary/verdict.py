"""The verdict: whether the figures of a run can be trusted; each rule gives a reason and a remedy."""

from collections.abc import Iterator
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from collector.records.record import ErrorKind, Outcome
from collector.records.stalls import stalled_ns as stalled
from collector.statistics.percentiles import percentile, seconds
from collector.summary.result import Reason, Verdict
from collector.summary.run_info import RunInfo
from collector.summary.slo import due
from collector.summary.times import Times
from collector.text import quantity

MAX_CHANGE = 0.05  # share of p50 or p99 of response that lag or wait may account for
BUSY = 0.7  # share of a core above which more senders help
MAX_SPAN_ERROR = 0.01  # relative difference allowed between the sent and the planned duration
SIMULATOR = "simulator"  # prefix of the name of the --simulate process
SPAN_MIN_REQUESTS = 100  # fewer are not checked for their duration


def judge(records: NDArray[np.void], times: Times, info: RunInfo, mismatches: list[str]) -> Verdict:
    """Decide the state and give all reasons; `mismatches` are those of `conservation`. INVALID outranks CAPPED."""
    capped = _capped(times, info)
    invalid = [
        *_died(times, info),
        *_own_errors(records),
        *_unaccounted(mismatches),
        *_late(times, info),
        *_off_rate(times, info, bool(capped)),
    ]
    state: Literal["VALID", "CAPPED", "INVALID"] = "INVALID" if invalid else "CAPPED" if capped else "VALID"
    return Verdict(state=state, reasons=[*invalid, *capped, *_interrupted(times, info), *_drain_ended(times, info)])


def conservation(records: NDArray[np.void], times: Times, info: RunInfo) -> list[str]:
    """List the mismatches between independent counts of requests, one clause each; empty if all are accounted for.

    `records` are all that arrived, including duplicates and those of unplanned requests.
    """
    index = records["index"].astype(np.int64)
    unplanned = int(np.sum(index >= info.planned))
    recorded = np.flatnonzero(np.bincount(index[index < info.planned], minlength=info.planned))
    duplicates = len(index) - unplanned - len(recorded)
    unannounced = int(np.sum(info.send_time_ns[recorded] == 0))
    lost, sent = int(np.sum(times.outcome == Outcome.LOST)), len(times.index)
    unknown = int(np.sum(times.outcome > max(Outcome)))
    unsent = info.planned - int(np.count_nonzero(info.send_time_ns))
    equations = [
        (
            0 <= sent - info.sent_count <= len(info.died),
            f"senders counted {info.sent_count} sends, but records and lost requests add up to {sent}",
        ),
        (unannounced == 0, f"{unannounced} records are of requests that no sender counted as sent"),
        (duplicates == 0, f"{duplicates} requests have a second record"),
        (unplanned == 0, f"{unplanned} records are of requests that are not in the plan"),
        (unknown == 0, f"{unknown} records have an unknown outcome"),
        (lost == 0 or bool(info.died), f"{lost} requests were sent and have no record, though no process died"),
        (unsent == 0 or _ended_early(info), f"{unsent} planned requests were never sent"),
        (
            lost > 0 or times.max_in_flight <= info.max_concurrency,
            f"{times.max_in_flight} requests were in flight, but --max-concurrency is {info.max_concurrency}",
        ),
    ]
    return [text for holds, text in equations if not holds]


def _of_tool(rule: str, text: str) -> Reason:
    return Reason(cause="tool", rule=rule, text=text)


def _ended_early(info: RunInfo) -> bool:
    """Whether the run ended early for a known reason."""
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
            f"A process of this tool died ({', '.join(ours)}) and lost {lost} requests. "
            "Run again with fewer --senders or more memory; if it dies again, please report it.",
        )


def _own_errors(records: NDArray[np.void]) -> Iterator[Reason]:
    failed = int(np.sum(records["error"] == ErrorKind.CLIENT))
    if failed:
        yield _of_tool(
            "client",
            f"{failed} requests failed in this tool, or because file descriptors or memory ran out (see the errors), "
            "which says nothing about the server. Raise the limit (ulimit -n) or lower --max-concurrency.",
        )
    portless = int(np.sum(records["error"] == ErrorKind.NO_PORT))
    if portless:
        yield Reason(
            cause="machine",
            rule="ports",
            text=f"{portless} requests found no free local port, which says nothing about the server. "
            "Widen net.ipv4.ip_local_port_range, lower --max-concurrency, or let the server keep connections alive.",
        )


def _unaccounted(mismatches: list[str]) -> Iterator[Reason]:
    for mismatch in mismatches:
        yield _of_tool(
            "conservation",
            f"Requests are unaccounted for: {mismatch}. Do not use these figures; run again, and report a repeat.",
        )


def _late(times: Times, info: RunInfo) -> Iterator[Reason]:
    held = _unsent(times, info)
    if held > MAX_CHANGE * (held + len(times.index)) and not (info.died or _budget_was_full(times, info)):
        yield _of_tool(
            "lag",
            f"{held} requests that were due had not been sent at the stop, though permits were free. {_remedy(info)}",
        )
    change = None if info.closed_loop else _change(times, times.lag_ns)
    if not change:
        return
    if _change(times, times.lag_ns - _stalled_ns(times, info)):
        yield _of_tool("lag", f"The tool sent late: without its own lag, {change}. {_remedy(info)}")
    else:
        yield Reason(
            cause="machine",
            rule="lag",
            text=f"The machine stalled, so requests were sent late: without that lag, {change}. "
            f"It woke a sleeping process late {len(info.stalls)} times, by up to "
            f"{quantity.seconds(float(info.stalls['late_ns'].max()) / 1e9)}. "
            "Use an idle machine, or cores that nothing else uses (--pin).",
        )


def _unsent(times: Times, info: RunInfo) -> int:
    """The number of requests that were due and not sent."""
    return int(due(times, info).sum()) - len(times.index)


def _budget_was_full(times: Times, info: RunInfo) -> bool:
    """Whether every permit was in use when the run was stopped."""
    end_ns = info.drained_ns if info.stopped_ns is None else info.stopped_ns
    if end_ns is None:
        return False
    in_flight = (times.sent_ns <= end_ns) & (times.done_ns > end_ns)
    return int(in_flight.sum()) >= info.max_concurrency


def _stalled_ns(times: Times, info: RunInfo) -> NDArray[np.int64]:
    """The part of each lag that scheduling stalls of the machine explain."""
    explained = stalled(info.stalls, times.released_ns, times.sent_ns)
    return np.clip(explained, 0, np.maximum(times.lag_ns, 0))


def _remedy(info: RunInfo) -> str:
    """The remedy for lag, which depends on whether the senders were busy."""
    if info.busiest_sender is not None and info.busiest_sender < BUSY:
        share = quantity.share(info.busiest_sender)
        return f"The busiest sender used {share} of a core: give each a core of its own (--pin, fewer --senders)."
    return "Use more --senders, a lower --request-rate, or a machine with idle cores."


def _capped(times: Times, info: RunInfo) -> list[Reason]:
    if info.closed_loop:
        return []
    change = _change(times, times.wait_ns)
    held = _unsent(times, info)
    if not change and held > MAX_CHANGE * (held + len(times.index)) and _budget_was_full(times, info):
        change = f"{held} more requests, due before the stop, would have been sent"
    if not change:
        return []
    waited = quantity.share(float(np.sum(times.wait_ns > 0)) / max(len(times.index), 1))
    text = (
        f"These figures describe {info.max_concurrency} in flight, not the asked {quantity.rate(info.asked_rate)}: "
        f"{waited} of the requests waited for --max-concurrency; without that wait, {change}. "
        "Raise --max-concurrency to measure the asked rate."
    )
    return [Reason(cause="budget", rule="wait", text=text)]


def _change(times: Times, part_ns: NDArray[np.int64]) -> str | None:
    """Say what response would be without `part_ns`, if that changes its p50 or p99 by more than 5 %.

    A percentile that falls among requests that never ended is taken over all sent requests, until each was given up.
    """
    for name, p in (("p50", 0.5), ("p99", 0.99)):
        for selected, endless in ((times.ok, times.endless), (np.ones_like(times.ok), 0)):
            response_s, part_s = seconds(times.response_ns[selected]), seconds(part_ns[selected])
            whole, rest = percentile(response_s, p, endless), percentile(response_s - part_s, p, endless)
            if whole is not None and rest is not None:
                break
        else:
            return None
        if abs(whole - rest) > MAX_CHANGE * abs(whole):
            return f"{name} of response would be {quantity.seconds(rest)} instead of {quantity.seconds(whole)}"
    return None


def _off_rate(times: Times, info: RunInfo, capped: bool) -> Iterator[Reason]:
    """Compare the duration of the sends with the planned one, not counting waits for the concurrency budget.

    That is the duration of `released`, which is the planned one exactly if no request waited.
    """
    if info.closed_loop or capped or len(times.index) < SPAN_MIN_REQUESTS:
        return
    planned_s, sent_s = float(np.ptp(times.released_ns)) / 1e9, float(np.ptp(times.sent_ns)) / 1e9
    if planned_s <= 0 or abs(sent_s - planned_s) <= MAX_SPAN_ERROR * planned_s:
        return
    text = (
        f"The sends took {quantity.seconds(sent_s)} instead of the planned {quantity.seconds(planned_s)}, "
        "so the asked rate was not offered. "
    )
    unstalled_s = float(np.ptp(times.sent_ns - _stalled_ns(times, info))) / 1e9
    if abs(unstalled_s - planned_s) <= MAX_SPAN_ERROR * planned_s:
        yield Reason(cause="machine", rule="rate", text=f"{text}The machine stalled: use an idle one.")
    else:
        yield _of_tool("rate", text + _remedy(info))


def _interrupted(times: Times, info: RunInfo) -> Iterator[Reason]:
    if info.interrupted:
        yield Reason(
            cause="user",
            rule="interrupted",
            text=f"The run was interrupted after {len(times.index)} of {info.planned} requests were sent: "
            "the figures are partial. Let the run finish for complete figures.",
        )


def _drain_ended(times: Times, info: RunInfo) -> Iterator[Reason]:
    if info.drained_ns is not None and not info.died:
        unfinished, unsent = int(np.sum(times.outcome == Outcome.UNFINISHED)), info.planned - len(times.index)
        if not unfinished and not unsent:
            return
        after_s = float(info.drained_ns - info.scheduled_ns[-1]) / 1e9
        yield Reason(
            cause="user",
            rule="drain",
            text=f"{quantity.seconds(after_s)} after the last planned send (--drain), {unfinished} had no answer "
            f"and {unsent} had not been sent: they count as unfinished and unsent, and missed their SLO.",
        )

"""Failed requests by kind, and the outputs of the successful ones."""

from dataclasses import replace

import numpy as np

from collector.records.record import ErrorKind, Outcome
from collector.summary.summary import RunNotes, summarise
from tests.support.runs import info, records


def test_every_failed_request_is_counted_once_by_its_error_or_its_outcome() -> None:
    ends = [Outcome.OK, *[Outcome.ERROR] * 4, *[Outcome.TIMEOUT] * 2, Outcome.UNFINISHED]
    found = records(*((i, float(i), i + 0.5, end) for i, end in enumerate(ends)))
    found["error"][1:5] = [ErrorKind.HTTP, ErrorKind.HTTP, ErrorKind.HTTP, ErrorKind.RESET]
    found["status"][1:5] = [503, 503, 429, 0]
    found["accepted_ns"][3] = 1  # a job: it failed while it was polled
    known = replace(info([float(i) for i in range(10)], [*map(float, range(9)), None]), died=("sender 0",))
    figures = summarise(found, known, RunNotes())  # of requests 8 and 9, one was sent and has no record
    assert figures["request_errors"] == {
        "http_503": 2, "timeout": 2, "poll_http_429": 1, "reset": 1, "unfinished": 1, "lost": 1,
    }  # fmt: skip
    assert sum(figures["request_errors"].values()) == figures["failed_requests"] == 8


def test_a_run_without_failures_has_no_request_errors() -> None:
    figures = summarise(records((0, 0.0, 1.0, Outcome.OK)), info([0.0], [0.0]), RunNotes())
    assert figures["request_errors"] == {}


def test_outputs_are_those_of_successful_requests_per_second_of_the_run() -> None:
    found = records((0, 0.0, 2.0, Outcome.OK), (1, 1.0, 4.0, Outcome.OK), (2, 2.0, 3.0, Outcome.ERROR))
    found["outputs"] = [4, 2, 9]
    figures = summarise(found, info([0.0, 1.0, 2.0], [0.0, 1.0, 2.0]), RunNotes())
    assert (figures["completed_outputs"], figures["output_throughput_ops"]) == (6, 1.5)
    assert (figures["completed_requests"], figures["throughput_qps"]) == (2, 0.5)


def test_many_outputs_do_not_overflow_and_none_are_zero() -> None:
    found = records(*((i, 0.0, 1.0, Outcome.OK) for i in range(3)))
    found["outputs"] = np.iinfo(np.uint16).max
    known = info([0.0] * 3, [0.0] * 3)
    assert summarise(found, known, RunNotes())["completed_outputs"] == 3 * 65_535
    empty = summarise(records(), info([0.0], [None]), RunNotes())
    assert (empty["completed_outputs"], empty["output_throughput_ops"]) == (0, None)


def test_latency_p90_is_that_of_the_latency_that_counts() -> None:
    found = records(*((i, 0.0, (i + 1) / 10, Outcome.OK) for i in range(10)))
    figures = summarise(found, info([0.0] * 10, [0.0] * 10), RunNotes())
    assert figures["latency_p90"] == figures["response"]["p90"] == 0.9

"""Polls that fail, states in other words, and failed jobs that are told of by an HTTP error."""

import asyncio
import itertools
from typing import Any

import orjson
import pytest
import uvloop

from collector.records.record import ErrorKind
from loadgen.backends import videos
from loadgen.engine.jobs import Jobs
from loadgen.options import JobOptions
from loadgen.transport.interface import Answer, Milestones
from tests.engine.test_jobs import (
    CONTENT,
    CREATE,
    DONE,
    QUEUED,
    RUNNING,
    Script,
    breaks,
    ending,
    follow,
    says,
    to_its_end,
)
from tests.engine.test_sender import until

BUSY, LIMITED = Answer(0, 0, 0, 503, b"busy"), Answer(0, 0, 0, 429, b'{"error":"slow down"}')
GATEWAY = Answer(0, 0, 0, 502, b'{"status":"error","message":"no upstream"}')


# Polls that fail


@pytest.mark.parametrize(
    "failure",
    [
        *(BUSY, LIMITED, GATEWAY, Answer(0, 0, 0, 500, b"<html>oh"), Answer(0, 0, 0, 408, b"")),
        says("in_progress", 503),
        says("completed", 500),
        *map(breaks, (ErrorKind.RESET, ErrorKind.DISCONNECTED, ErrorKind.CONNECT, ErrorKind.TLS, ErrorKind.DNS)),
        *map(breaks, (ErrorKind.HEAD_CUT, ErrorKind.BODY_CUT, ErrorKind.NO_PORT)),
    ],
)
def test_a_poll_that_fails_is_counted_and_repeated_and_proves_nothing(failure: Answer) -> None:
    script = Script(QUEUED, RUNNING, failure, failure, DONE, CONTENT)
    (answer,) = follow(script, to_its_end)
    assert ending(answer) == ("ok", "")
    assert answer.failed_polls == 2
    # the last good "not yet" was sent at 20, "completed" came at 52: the polls between them widen the interval
    assert answer.milestones == Milestones(12, 22, 20, 52, 62)


@pytest.mark.parametrize("retries", [0, 1, 5])
@pytest.mark.parametrize(("failure", "name"), [(BUSY, "poll_http_503"), (breaks(ErrorKind.RESET), "poll_reset")])
def test_after_so_many_failed_polls_in_a_row_the_last_one_is_the_end_of_the_job(
    failure: Answer, name: str, retries: int
) -> None:
    script = Script(QUEUED, *([failure] * 9))
    (answer,) = follow(script, to_its_end, poll_retries=retries)
    assert (ending(answer)[0], answer.failed_polls) == (name, retries)
    assert script.asked == ["POST", *["GET /v1"] * (retries + 1), "DELETE /v1"]


def test_a_good_poll_begins_the_count_of_failures_anew() -> None:
    script = Script(QUEUED, BUSY, BUSY, RUNNING, BUSY, BUSY, DONE, CONTENT)
    (answer,) = follow(script, to_its_end, poll_retries=2)
    assert (ending(answer)[0], answer.failed_polls) == ("ok", 4)


def test_a_poll_without_an_answer_in_time_is_repeated_too() -> None:
    class Silent(Script):
        def send(self, request: Any, done: Any, not_before_ns: int = 0) -> Any:
            if len(self.sent) == 2:
                answers, self._answers = self._answers, []
                sent = super().send(request, done)
                self._answers = answers
                return sent
            return super().send(request, done)

    script = Silent(QUEUED, RUNNING, DONE, CONTENT)
    (answer,) = follow(script, to_its_end, request_timeout_s=0.05)
    assert script.sent[2].abandoned
    assert (ending(answer)[0], answer.failed_polls, answer.milestones.pending_ns) == ("ok", 1, 20)


def test_a_job_that_is_given_up_says_how_many_of_its_polls_failed() -> None:
    async def give_up(_jobs: Jobs, exchange: Any, _came: list[Answer]) -> None:
        await until(lambda: len(script.sent) == 4)
        exchange.abandon()
        assert exchange.failed_polls == 2

    script = Script(QUEUED, BUSY, BUSY)
    follow(script, give_up)


# Failed jobs


@pytest.mark.parametrize("code", [200, 400, 404, 429, 500, 503])
@pytest.mark.parametrize(
    ("more", "detail"),
    [
        ({"error": {"code": 500, "message": "CUDA out of memory"}}, "CUDA out of memory"),
        ({"error": "CUDA out of memory"}, "CUDA out of memory"),
        ({"error": {"message": "CUDA out of memory"}, "id": None}, "CUDA out of memory"),
        ({"prompt": "a cat " * 50_000, "error": {"message": "CUDA out of memory"}}, "CUDA out of memory"),
        ({"error": {"code": 7}}, '{"code":7}'),
        ({"error": None, "message": "CUDA out of memory"}, "CUDA out of memory"),
        ({}, "the job is failed, and no error says why"),
    ],
)
def test_a_failed_job_is_one_whatever_the_status_of_the_answer(code: int, more: dict[str, Any], detail: str) -> None:
    body = {"id": "v1", "status": "failed", **more}
    if body["id"] is None:
        del body["id"]
    (answer,) = follow(Script(QUEUED, RUNNING, Answer(0, 0, 0, code, orjson.dumps(body))), to_its_end)
    assert ending(answer) == ("job_failed", detail)
    assert answer.failed_polls == 0


def test_a_long_message_of_a_failed_job_is_whole() -> None:
    why = "CUDA out of memory. " + "Tried to allocate 2 GiB. " * 20 + "See the log."
    (answer,) = follow(Script(QUEUED, says("failed", 500, error={"message": why})), to_its_end)
    assert ending(answer) == ("job_failed", why)


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b'"failed"', b'{"detail":"Not Found"}', b'{"error":{"message":"no"}}', b'{"status":"error"}',
     b'{"id":"v2","status":"failed"}', b'{"id":"v1","status":3}'],
)  # fmt: skip
def test_an_error_that_is_no_job_stays_an_error_of_the_poll(body: bytes) -> None:
    (answer,) = follow(Script(QUEUED, Answer(0, 0, 0, 400, body)), to_its_end)
    assert ending(answer)[0] == "poll_http_400"


# States


@pytest.mark.parametrize("word", ["in_progress", "processing", "RUNNING", "In Progress", "started", "generating"])
def test_the_first_word_of_progress_says_when_the_job_has_started(word: str) -> None:
    (answer,) = follow(Script(QUEUED, says("pending"), says(word), says(word), DONE, CONTENT), to_its_end)
    assert answer.milestones == Milestones(12, 32, 40, 52, 62)


@pytest.mark.parametrize("word", ["completed", "succeeded", "success", "Done", "FINISHED"])
def test_every_word_for_success_ends_a_job(word: str) -> None:
    (answer,) = follow(Script(QUEUED, says(word), CONTENT), to_its_end)
    assert (ending(answer)[0], answer.milestones.started_ns) == ("ok", 0)


@pytest.mark.parametrize("word", ["failed", "error", "cancelled", "canceled", "expired", "deleted"])
def test_every_word_for_a_failure_ends_a_job(word: str) -> None:
    (answer,) = follow(Script(QUEUED, says(word, error={"message": "why"})), to_its_end)
    assert ending(answer) == ("job_failed", "why")


def test_an_unknown_word_is_shown_once_and_polled_on() -> None:
    async def main() -> tuple[list[str], set[str], int]:
        script = Script(QUEUED, *[says("Warming up")] * 3, says("queued"), *[says("warming up")] * 2, DONE, CONTENT)
        remarks: list[str] = []
        answers: list[Answer] = []
        jobs = Jobs(script, videos, JobOptions(0.001), None, "seed", remarks.append)  # type: ignore[arg-type]
        jobs.send(CREATE, answers.append)
        await until(lambda: bool(answers))
        assert ending(answers[0])[0] == "ok"
        return remarks, jobs.unknown_words, answers[0].milestones.started_ns

    remarks, words, started_ns = uvloop.run(main())
    assert remarks == ["the server says that a job is 'warming up', which is not a known state; polling goes on"]
    assert (words, started_ns) == ({"warming up"}, 0)


def test_failed_polls_are_repeated_at_growing_intervals() -> None:
    async def times() -> list[float]:
        at_s: list[float] = []

        class Clocked(Script):
            def send(self, *arguments: Any) -> Any:
                at_s.append(asyncio.get_running_loop().time())
                return super().send(*arguments)

        jobs = Jobs(Clocked(QUEUED, *[BUSY] * 4), videos, JobOptions(0.02, poll_retries=3), None, "seed")  # type: ignore[arg-type]
        answers: list[Answer] = []
        jobs.send(CREATE, answers.append)
        await until(lambda: bool(answers))
        return at_s

    at_s = uvloop.run(times())
    gaps = [later - earlier for earlier, later in itertools.pairwise(at_s[1:5])]
    assert [gap > least for gap, least in zip(gaps, (0.015, 0.03, 0.06), strict=True)] == [True] * 3

"""A job step by step, over a transport with scripted answers: its result, and the time of each milestone."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import orjson
import pytest
import uvloop

from collector.records.record import RETRIED, ErrorKind, Outcome, error_name, job_step
from loadgen.backends import videos
from loadgen.bodies.request import Request
from loadgen.clock import now_ns
from loadgen.engine import job_deletes
from loadgen.engine.answer_handler import AnswerHandler, ExpectedMedia
from loadgen.engine.jobs import Jobs
from loadgen.options import JobOptions, TargetOptions
from loadgen.server.target import resolve
from loadgen.simulator.engine.mp4 import mp4
from loadgen.transport import NAMES
from loadgen.transport.interface import NO_JOB, Answer, Milestones, Transport
from loadgen.transport.request_head import RequestHeads
from tests.engine.test_sender import until
from tests.transport.test_transport import ask, talk

CREATE = Request("POST", "/v1/videos", "x/y", b"form")
VIDEO = mp4(8, 8, 1)


def says(status: str | None = None, code: int = 200, **more: object) -> Answer:
    """An answer with a body as polls have it; stamps are put in when it is given."""
    return Answer(0, 0, 0, code, orjson.dumps({"id": "v1", "status": status, **more}))


def breaks(kind: ErrorKind) -> Answer:
    return Answer(0, 0, 0, error=kind, detail="broken")


QUEUED, RUNNING, DONE = (
    says("queued"),
    says("in_progress"),
    says("completed", peak_memory_mb=9, metrics={"stage_durations": {"dit": 2}}),
)
CONTENT = Answer(0, 0, 0, 200, VIDEO)


class Sent:
    """One exchange."""

    milestones, flags, failed_polls = NO_JOB, 0, 0

    def __init__(self, request: Request, done: Callable[[Answer], None], sent_ns: int) -> None:
        self.request, self.done, self.sent_ns, self.abandoned = request, done, sent_ns, False
        self.first_byte_ns = 0

    def abandon(self) -> None:
        self.abandoned = True


class Script:
    """A transport that gives these answers in turn; after the last one it is silent. Exchange k is sent at 10 k."""

    name = "script"

    def __init__(self, *answers: Answer) -> None:
        self._answers = list(answers)
        self.sent: list[Sent] = []

    def send(self, request: Request, done: Callable[[Answer], None], not_before_ns: int = 0) -> Sent:
        sent = Sent(request, done, 10 * (len(self.sent) + 1))
        self.sent.append(sent)
        if self._answers:
            answer = self._answers.pop(0)
            stamped = answer._replace(sent_ns=sent.sent_ns, first_byte_ns=sent.sent_ns + 1, done_ns=sent.sent_ns + 2)
            asyncio.get_running_loop().call_soon(done, stamped)
        return sent

    @property
    def asked(self) -> list[str]:
        return [f"{sent.request.method} {sent.request.path.removeprefix('/v1/videos')}".strip() for sent in self.sent]


def follow(script: Script, then: Callable[[Jobs, Any, list[Answer]], Awaitable[None]], **options: Any) -> list[Answer]:
    """Create one job and do `then`; return the answers that came of it, of which there may be one at most."""
    timeout_s = options.pop("request_timeout_s", None)

    async def main() -> list[Answer]:
        jobs = Jobs(script, videos, JobOptions(**{"poll_interval_s": 0.001, **options}), timeout_s, "seed")  # type: ignore[arg-type]
        answers: list[Answer] = []
        exchange = jobs.send(CREATE, answers.append)
        await then(jobs, exchange, answers)
        assert len(answers) <= 1
        return answers

    return uvloop.run(main())


async def to_its_end(_jobs: Jobs, _exchange: object, answers: list[Answer]) -> None:
    await until(lambda: bool(answers))
    await asyncio.sleep(0.01)


def ending(answer: Answer) -> tuple[str, str]:
    """How the report names what came of a job, "ok" for a success, and what was said."""
    reply = AnswerHandler(videos, ExpectedMedia("t2v"), None).judge(answer)  # type: ignore[arg-type]
    step = job_step(answer.milestones.accepted_ns, answer.milestones.completed_ns)
    return error_name(reply.error, answer.status, step) if reply.error else "ok", reply.detail


def test_a_job_is_created_polled_until_it_is_completed_fetched_and_deleted_and_proves_what_it_can() -> None:
    script = Script(QUEUED, RUNNING, RUNNING, DONE, CONTENT, says())
    (answer,) = follow(script, to_its_end)
    assert script.asked == ["POST", "GET /v1", "GET /v1", "GET /v1", "GET /v1/content", "DELETE /v1"]
    assert ending(answer) == ("ok", "")
    # sent at 10, accepted at 12; the poll sent at 30 said "not yet"; the answer at 42 said "completed"; content at 52
    assert answer.milestones == Milestones(accepted_ns=12, started_ns=22, pending_ns=30, completed_ns=42, content_ns=52)
    assert (answer.sent_ns, answer.first_byte_ns, answer.done_ns, answer.body) == (10, 51, 52, VIDEO)
    reply = AnswerHandler(videos, ExpectedMedia("t2v"), None).judge(answer)  # type: ignore[arg-type]
    assert (reply.peak_memory_mb, dict(reply.stage_durations)) == (9.0, {"dit": 2.0})


def test_a_job_that_the_first_poll_finds_completed_was_not_before_it_was_created() -> None:
    (answer,) = follow(Script(QUEUED, DONE, CONTENT), to_its_end)
    assert answer.milestones == Milestones(12, 0, 10, 22, 32)


def test_a_job_that_is_completed_at_its_creation_is_not_polled() -> None:
    script = Script(DONE, CONTENT)
    (answer,) = follow(script, to_its_end)
    assert script.asked == ["POST", "GET /v1/content", "DELETE /v1"]
    assert (ending(answer)[0], answer.milestones) == ("ok", Milestones(12, 0, 10, 12, 22))


def test_without_download_a_job_ends_when_it_is_completed() -> None:
    script = Script(says("queued", 202), RUNNING, DONE)
    (answer,) = follow(script, to_its_end, download=False)
    assert script.asked == ["POST", "GET /v1", "GET /v1", "DELETE /v1"]
    assert (ending(answer)[0], answer.done_ns, answer.milestones) == ("ok", 32, Milestones(12, 22, 20, 32, 0))


def test_without_delete_nothing_follows_the_content() -> None:
    script = Script(QUEUED, DONE, CONTENT)
    follow(script, to_its_end, delete=False)
    assert script.asked == ["POST", "GET /v1", "GET /v1/content"]


@pytest.mark.parametrize(
    ("answers", "name", "detail", "deleted"),
    [
        ((breaks(ErrorKind.CONNECT),), "connect", "broken", False),
        ((Answer(0, 0, 0, 503, b"busy"),), "http_503", "busy", False),
        ((Answer(0, 0, 0, 200, b"<html>"),), "invalid_body", "not JSON", False),
        ((Answer(0, 0, 0, 200, b""),), "invalid_body", "not JSON", False),
        ((says("queued", id=".."),), "invalid_body", "id is '..'", False),
        ((says("queued", id=None),), "invalid_body", "id is None", False),
        ((Answer(0, 0, 0, 200, b'{"error":"no"}'),), "invalid_body", "id is None", False),
        ((says("failed"),), "job_failed", "no error says why", True),
        ((QUEUED, says("failed", error={"message": "oom"})), "job_failed", "oom", True),
        ((QUEUED, says("cancelled")), "job_failed", "the job is cancelled", True),
        ((QUEUED, says("deleted")), "job_failed", "the job is deleted", True),
        ((QUEUED, says(code=404)), "poll_http_404", "v1", True),
        ((QUEUED, RUNNING, breaks(ErrorKind.PROTOCOL)), "poll_protocol", "broken", True),
        ((QUEUED, RUNNING, says("completed", 403)), "poll_http_403", "v1", True),
        ((QUEUED, says("queued", 202)), "poll_http_202", "", True),  # good for a creation only
        ((QUEUED, Answer(0, 0, 0, 200, b"")), "poll_invalid_body", "not JSON", True),
        ((QUEUED, RUNNING, says("queued", id="v2")), "poll_invalid_body", "id is 'v2'", True),
        ((QUEUED, DONE, Answer(0, 0, 0, 409, b"wait")), "content_http_409", "wait", True),
        ((QUEUED, DONE, breaks(ErrorKind.DISCONNECTED)), "content_disconnected", "broken", True),
        ((QUEUED, DONE, Answer(0, 0, 0, 200, b"")), "content_no_media", "no video", True),
    ],
)
def test_a_job_that_goes_wrong_is_a_failure_that_says_where(
    answers: tuple[Answer, ...], name: str, detail: str, deleted: bool
) -> None:
    script = Script(*answers)
    (answer,) = follow(script, to_its_end)
    found = ending(answer)
    assert found[0] == name
    assert detail in found[1]
    assert len(script.sent) == len(answers) + deleted
    assert (script.asked[-1] == "DELETE /v1") is deleted


def test_a_hostile_id_stays_in_its_place_in_the_path() -> None:
    script = Script(says("queued", id="../x y?#é"), says("completed", id="../x y?#é"), CONTENT)
    (answer,) = follow(script, to_its_end)
    assert ending(answer)[0] == "ok"
    paths = {sent.request.path.removesuffix("/content") for sent in script.sent[1:]}
    assert paths == {"/v1/videos/..%2Fx%20y%3F%23%C3%A9"}


@pytest.mark.parametrize("name", NAMES)
def test_a_hostile_id_goes_out_as_it_was_encoded_by_every_transport(name: str) -> None:
    lines: list[str] = []

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                lines.append(head.decode().split("\r\n")[0])
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        writer.close()

    async def all_of_it(transport: Transport) -> list[Answer]:
        return [
            await ask(transport, make(job_id))
            for job_id in ("../x y?#é&%2e%2e", "...", "a;b=c:d@e")
            for make in (videos.poll, videos.delete)
        ]

    talk(name, behave, all_of_it)
    assert lines == [
        f"{method} /v1/videos/{place} HTTP/1.1"
        for place in ("..%2Fx%20y%3F%23%C3%A9%26%252e%252e", "...", "a%3Bb%3Dc%3Ad%40e")
        for method in ("GET", "DELETE")
    ]


def test_heads_of_jobs_are_not_kept_for_each_would_be_another() -> None:
    heads = RequestHeads(resolve(TargetOptions(base_url="http://127.0.0.1:1")))
    assert heads.of(CREATE) is heads.of(CREATE)
    assert heads.of(videos.poll("v1")) == heads.of(videos.poll("v1"))
    assert heads.of(videos.poll("v1")) is not heads.of(videos.poll("v1"))


def test_a_job_of_which_one_request_was_sent_again_counts_as_sent_again() -> None:
    (answer,) = follow(Script(QUEUED, RUNNING._replace(flags=RETRIED), DONE, CONTENT), to_its_end)
    assert answer.flags == RETRIED


@pytest.mark.parametrize(
    ("answers", "deleted", "milestones"),
    [
        ((), False, Milestones()),
        ((QUEUED,), True, Milestones(12, 0, 10)),
        ((QUEUED, RUNNING), True, Milestones(12, 22, 20)),
        ((QUEUED, RUNNING, DONE), True, Milestones(12, 22, 20, 32)),
    ],
)
def test_a_job_that_is_given_up_is_never_answered_but_deleted_where_its_id_is_known(
    answers: tuple[Answer, ...], deleted: bool, milestones: Milestones
) -> None:
    script = Script(*answers)

    async def give_up(jobs: Jobs, exchange: Any, came: list[Answer]) -> None:
        await until(lambda: len(script.sent) > len(answers))
        exchange.abandon()
        assert (exchange.milestones, exchange.sent_ns) == (milestones, 10)
        assert script.sent[len(answers)].abandoned
        await asyncio.sleep(0.02)
        assert came == []
        assert (script.asked[-1] == "DELETE /v1") is deleted
        assert len(script.sent) == len(answers) + 1 + deleted

    follow(script, give_up)


def test_a_job_that_is_given_up_between_two_polls_is_polled_no_more() -> None:
    script = Script(QUEUED)

    async def give_up(_jobs: Jobs, exchange: Any, _came: list[Answer]) -> None:
        await asyncio.sleep(0)  # the answer comes in this turn of the loop, before any timer can
        assert exchange.milestones.accepted_ns > 0
        exchange.abandon()
        await asyncio.sleep(0.05)
        assert script.asked == ["POST", "DELETE /v1"]

    follow(script, give_up, poll_interval_s=0.02)


@pytest.mark.parametrize(
    ("answers", "asked"),
    [
        ((), ["POST"]),
        ((QUEUED,), ["POST", "GET /v1", "DELETE /v1"]),
        ((QUEUED, DONE), ["POST", "GET /v1", "GET /v1/content", "DELETE /v1"]),
    ],
)
def test_one_request_of_a_job_that_takes_too_long_makes_the_job_a_time_out(
    answers: tuple[Answer, ...], asked: list[str]
) -> None:
    class Rows:
        def record(self, index: int, outcome: Outcome, times: tuple[int, ...], **row: Any) -> None:
            assert (index, outcome, times[:3], row["milestones"]) == (7, Outcome.TIMEOUT, (5, 10, 0), answer.milestones)
            assert times[3] <= now_ns()

    async def to_its_time_out(jobs: Jobs, exchange: Any, came: list[Answer]) -> None:
        await to_its_end(jobs, exchange, came)
        assert exchange.sent_ns == came[0].sent_ns == 10  # which a warm-up asks for when it is over

    script = Script(*answers)
    (answer,) = follow(script, to_its_time_out, request_timeout_s=0.05, poll_retries=0)
    assert script.asked == asked
    assert script.sent[len(answers)].abandoned
    assert bool(answer.milestones.accepted_ns) == bool(answers)
    AnswerHandler(videos, ExpectedMedia("t2v"), Rows()).take(7, 5, answer)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("deleted", "undeleted"),
    [
        *((says(code=code), 0) for code in (200, 204, 404, 410)),
        *((says(code=code), 1) for code in (403, 405, 500)),
        (breaks(ErrorKind.RESET), 1),
    ],
)
def test_what_could_not_be_deleted_is_counted_once_all_have_their_answer(deleted: Answer, undeleted: int) -> None:
    async def finish(jobs: Jobs, _exchange: object, came: list[Answer]) -> None:
        await until(lambda: bool(came))
        assert await jobs.deletes.finish() == {"undeleted": undeleted, "deleting": 0, "unfinished": 0}

    follow(Script(QUEUED, DONE, CONTENT, deleted), finish)


def test_a_server_that_never_answers_a_delete_is_not_waited_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_deletes, "DELETE_TIMEOUT_S", 0.1)

    async def finish(jobs: Jobs, _exchange: object, came: list[Answer]) -> None:
        await until(lambda: bool(came))
        began_s = asyncio.get_running_loop().time()
        left = await asyncio.wait_for(jobs.deletes.finish(), 20)
        assert left == {"undeleted": 0, "deleting": 1, "unfinished": 0}
        assert asyncio.get_running_loop().time() - began_s > 0.05

    follow(Script(QUEUED, DONE, CONTENT), finish)


def test_a_reader_of_others_that_raises_is_a_fault_of_ours_and_ends_the_job() -> None:
    class Broken:
        def __getattr__(self, name: str) -> Any:
            return getattr(videos, name)

        def read_job(self, *_: object) -> None:
            raise ZeroDivisionError("oh")

    async def main() -> Answer:
        answers: list[Answer] = []
        jobs = Jobs(Script(QUEUED), Broken(), JobOptions(), None, "seed")  # type: ignore[arg-type]
        jobs.send(CREATE, answers.append)
        await until(lambda: bool(answers))
        return answers[0]

    assert ending(uvloop.run(main())) == ("client", "ZeroDivisionError: oh")

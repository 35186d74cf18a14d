"""The end of jobs on the server: DELETEs that take their time, and jobs that a DELETE would leave running."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import uvloop

from loadgen.backends import videos
from loadgen.engine import job_deletes
from loadgen.engine.job_deletes import JobDeletes
from loadgen.options import JobOptions
from loadgen.transport.interface import Answer
from tests.engine.test_jobs import Script, says

STOPS = Answer(0, 0, 0, 200, b'{"id":"v0","deleted":true,"object":"video.deleted"}')
FORGETS = Answer(0, 0, 0, 200, b'{"id":"v0","object":"video","status":"deleted"}')
CANCELLING = says(code=409, error={"message": "Cancellation in progress. Please try again later."})
GONE = Answer(0, 0, 0, 404, b'{"detail":"Video not found"}')
NONE_LEFT = {"undeleted": 0, "deleting": 0, "unfinished": 0}


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_deletes, "RETRY_S", 0.01)
    monkeypatch.setattr(job_deletes, "WATCH_INTERVAL_S", 0.01)


def left_by(script: Script, scene: Callable[[JobDeletes], Awaitable[None]], **options: Any) -> dict[str, int]:
    """What is left on the server after `scene`."""

    async def main() -> dict[str, int]:
        deletes = JobDeletes(script, videos, JobOptions(**options))  # type: ignore[arg-type]
        await scene(deletes)
        return await asyncio.wait_for(deletes.finish(), 5)

    return uvloop.run(main())


async def release_one(deletes: JobDeletes) -> None:
    deletes.release("v1", ended=False)


async def learn_then_release(deletes: JobDeletes) -> None:
    deletes.release("v0", ended=True)
    await asyncio.sleep(0.02)
    deletes.release("v1", ended=False)


@pytest.mark.parametrize("last", [STOPS, FORGETS, GONE, says(code=204)])
def test_a_delete_is_repeated_while_the_server_is_still_cancelling(last: Answer) -> None:
    script = Script(CANCELLING, CANCELLING, last)
    assert left_by(script, release_one) == NONE_LEFT
    assert script.asked == ["DELETE /v1"] * 3


@pytest.mark.parametrize("answers", [(), (CANCELLING,) * 99])
def test_a_server_that_takes_longer_than_that_is_still_deleting(
    answers: tuple[Answer, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_deletes, "DELETE_TIMEOUT_S", 0.1)
    assert left_by(Script(*answers), release_one) == {**NONE_LEFT, "deleting": 1}


def test_the_wait_for_deletes_can_be_ended() -> None:
    async def skip_soon(deletes: JobDeletes) -> None:
        await release_one(deletes)
        assert deletes.waiting == {"deletes": 1, "jobs": 0}
        asyncio.get_running_loop().call_later(0.02, deletes.skip)

    assert left_by(Script(), skip_soon) == {**NONE_LEFT, "deleting": 1}


@pytest.mark.parametrize("first", [FORGETS, says(code=204), GONE])
def test_where_a_delete_would_not_stop_the_work_an_unfinished_job_is_polled_to_its_end_and_then_deleted(
    first: Answer,
) -> None:
    script = Script(first, says("queued"), says(code=503), says("in_progress"), says("completed"), FORGETS)
    assert left_by(script, learn_then_release, wait_for_jobs=True) == NONE_LEFT
    assert script.asked == ["DELETE /v0", *["GET /v1"] * 4, "DELETE /v1"]


@pytest.mark.parametrize("end", [says("failed", code=500), says("cancelled"), GONE])
def test_every_end_of_an_unfinished_job_is_one(end: Answer) -> None:
    script = Script(FORGETS, says("queued"), end, GONE)
    assert left_by(script, learn_then_release, wait_for_jobs=True) == NONE_LEFT
    assert script.asked == ["DELETE /v0", "GET /v1", "GET /v1", "DELETE /v1"]


def test_where_a_delete_stops_the_work_an_unfinished_job_is_deleted_at_once() -> None:
    script = Script(STOPS, STOPS)
    assert left_by(script, learn_then_release, wait_for_jobs=True) == NONE_LEFT
    assert script.asked == ["DELETE /v0", "DELETE /v1"]


def test_what_a_delete_does_may_be_learned_after_the_job_was_given_up() -> None:
    async def learn_later(deletes: JobDeletes) -> None:
        deletes.release("v1", ended=False)
        assert deletes.waiting == {"deletes": 0, "jobs": 1}
        deletes.release("v0", ended=True)
        await asyncio.sleep(0.02)

    script = Script(STOPS, STOPS)
    assert left_by(script, learn_later, wait_for_jobs=True) == NONE_LEFT
    assert script.asked == ["DELETE /v0", "DELETE /v1"]


def test_a_single_run_deletes_unfinished_jobs_without_waiting_for_them() -> None:
    script = Script(FORGETS, FORGETS)
    assert left_by(script, learn_then_release) == NONE_LEFT
    assert script.asked == ["DELETE /v0", "DELETE /v1"]


def test_without_deletes_unfinished_jobs_are_waited_for_all_the_same() -> None:
    script = Script(says("running"), says("done"))
    assert left_by(script, release_one, wait_for_jobs=True, delete=False) == NONE_LEFT
    assert script.asked == ["GET /v1", "GET /v1"]


def test_an_unfinished_job_is_waited_for_as_long_as_a_job_may_take() -> None:
    script = Script(FORGETS, *[says("running")] * 999)
    left = left_by(script, learn_then_release, wait_for_jobs=True, timeout_s=0.1)
    assert left == {**NONE_LEFT, "unfinished": 1}


def test_the_wait_for_unfinished_jobs_can_be_ended() -> None:
    async def skip_soon(deletes: JobDeletes) -> None:
        await learn_then_release(deletes)
        asyncio.get_running_loop().call_later(0.02, deletes.skip)

    script = Script(FORGETS, *[says("running")] * 999)
    assert left_by(script, skip_soon, wait_for_jobs=True) == {**NONE_LEFT, "unfinished": 1}

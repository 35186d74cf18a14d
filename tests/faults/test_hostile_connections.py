"""Servers that refuse, restart, stop in a handshake, put off or cannot be found, over both transports."""

import asyncio
import socket
import time
from collections.abc import Iterator

import pytest
import uvloop

from loadgen.runs.warmups import wait_for_answers
from loadgen.transport import NAMES
from tests.support import hostile
from tests.support.commands import T2I, run
from tests.support.hostile import Behaviour, HostileServer, serving
from tests.support.rig import LATE_S, SOON_S, Rig, Wire, check_stamps, names, transport_to, until


@pytest.mark.parametrize("name", NAMES)
def test_a_server_that_refuses_is_a_failure_to_connect_until_it_listens(name: str) -> None:
    async def main(server: HostileServer) -> tuple[Wire, Wire]:
        transport = transport_to(server, name)
        refused = await Rig(transport, 3, LATE_S).run()
        server.listen()
        taken = await Rig(transport, 3, LATE_S).run()
        await transport.close()
        return refused, taken

    with serving(hostile.good, listening=False) as server:
        refused, taken = uvloop.run(main(server))
    assert (names(refused.records), names(taken.records)) == ({"connect"}, {"ok"})
    check_stamps(refused.records, 3, begun=False)


@pytest.mark.parametrize("name", NAMES)
def test_a_restart_in_the_middle_of_a_run_costs_what_was_sent_meanwhile_and_no_more(name: str) -> None:
    async def main(server: HostileServer) -> list[Wire]:
        transport = transport_to(server, name)
        assert await transport.open(2) == 2
        rig = Rig(transport, 60, LATE_S)
        running = asyncio.create_task(rig.run(gap_ns=10_000_000))
        await until(lambda: rig.shared_counters.finished() >= 15)
        server.crash()
        wires = [await running, await Rig(transport, 10, LATE_S).run()]
        server.restart()
        wires.append(await Rig(transport, 5, LATE_S).run())
        await transport.close()
        return wires

    with serving(hostile.good) as server:
        middle, down, again = (wire.records for wire in uvloop.run(main(server)))
    check_stamps(middle, 60, begun=None)
    assert "ok" in names(middle) <= {"ok", "connect", "reset", "disconnected"}
    assert "connect" in names(down) <= {"connect", "reset", "disconnected"}
    assert names(again) == {"ok"}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("behaviour", "end"),
    [
        (hostile.says_nothing, "timeout"),
        (hostile.closes_on_the_first_byte, "tls"),
        (hostile.resets_on_the_request, "tls"),
        (hostile.garbage_for_a_handshake, "tls"),
        (hostile.half_a_handshake, "timeout"),
    ],
)
def test_a_tls_handshake_that_stops_is_a_failure_of_tls_or_a_timeout(name: str, behaviour: Behaviour, end: str) -> None:
    async def main(server: HostileServer) -> Wire:
        transport = transport_to(server, name, "https")
        wire = await Rig(transport, 2, SOON_S if end == "timeout" else LATE_S).run()
        await transport.close()
        return wire

    with serving(behaviour) as server:
        wire = uvloop.run(main(server))
    assert names(wire.records) == {end}, wire.notes
    check_stamps(wire.records, 2, begun=False)


@pytest.mark.parametrize("name", NAMES)
def test_handshakes_that_stopped_do_not_keep_later_requests_from_connecting(name: str) -> None:
    async def main(server: HostileServer) -> Wire:
        transport = transport_to(server, name, "https")
        stuck = await Rig(transport, 100, SOON_S).run()
        assert names(stuck.records) == {"timeout"}
        server.behaviour = hostile.closes_on_the_first_byte
        wire = await Rig(transport, 3, LATE_S).run()
        await transport.close()
        return wire

    with serving(hostile.says_nothing) as server:
        wire = uvloop.run(main(server))
    assert names(wire.records) == {"tls"}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("status", [b"429 Too Many Requests", b"503 Service Unavailable"])
def test_a_server_that_asks_to_come_back_later_is_quoted_and_not_asked_again(name: str, status: bytes) -> None:
    asked = 0

    def turn_away(connection: socket.socket) -> None:
        nonlocal asked
        while True:
            hostile.read_request(connection)
            asked += 1
            connection.sendall(hostile.turns_away(status, b"retry-after: 7"))

    async def main(server: HostileServer) -> Wire:
        transport = transport_to(server, name)
        wire = await Rig(transport, 5, LATE_S).run()
        await transport.close()
        return wire

    with serving(turn_away) as server:
        wire = uvloop.run(main(server))
    assert names(wire.records) == {f"http_{status[:3].decode()}"}
    assert [note["retry_after"] for note in wire.notes if "retry_after" in note] == ["7"] * 5
    assert "Retry-After: 7; busy" in wire.examples
    assert asked == 5


def test_a_name_that_does_not_resolve_ends_the_command_with_one_line_before_the_start() -> None:
    code, out, err = run("bench", *T2I, "--base-url", "http://no-such-host.invalid:1", "--num-prompts", "1")
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert "no-such-host.invalid" in err
    assert "--base-url" in err


def test_a_warm_up_without_an_answer_is_mentioned_again_and_again() -> None:
    class Silence:
        """A group of processes that say nothing, three times, and then that a warm-up is over."""

        left = 3

        def messages(self, timeout_s: float) -> Iterator[tuple[None, dict[str, str]]]:
            time.sleep(timeout_s)
            self.left -= 1
            if self.left < 0:
                yield None, {"kind": "warmed"}

    told: list[str] = []
    (message,) = wait_for_answers(Silence(), "warm-up 1 of 2", told.append, 0.01)  # type: ignore[arg-type]
    assert message == {"kind": "warmed"}
    assert told == ["warm-up 1 of 2 has no answer after 0 s"] * 3

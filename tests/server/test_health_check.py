"""The start: a check that ends, an address that listens, Ctrl-C while modules load; and a server of ours that dies."""

import os
import signal
import socket
import threading
from contextlib import suppress
from pathlib import Path

import orjson
import pytest

from loadgen.errors import UnreachableError
from loadgen.options import TargetOptions
from loadgen.server.health_check import wait_for_server
from loadgen.server.target import _listening, resolve
from tests.faults.test_stops import children, wait_for
from tests.monitoring.test_server_metrics import dripping
from tests.support.commands import LIMIT_S, T2I, command
from tests.support.hostile import says, serving, turns_away


def _drip(listener: socket.socket) -> None:
    peer, _ = listener.accept()
    with peer, suppress(OSError):
        dripping(peer, b"")


def test_a_health_check_whose_answer_drips_byte_by_byte_ends() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_drip, args=(listener,), daemon=True).start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(UnreachableError, match="no answer within 5 s"):
            wait_for_server(resolve(TargetOptions(base_url=url)), 0)


@pytest.mark.parametrize("address", ["127.0.0.2", "::1"])
def test_of_several_addresses_the_first_that_listens_is_used(address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        listener = socket.create_server((address, 0), family=family)
    except OSError:
        pytest.skip(f"this machine has no {address}")
    with listener:
        port = listener.getsockname()[1]
        assert _listening(["127.0.0.1", address], port) == address
        assert _listening([address, "127.0.0.1"], port) == address
    assert _listening(["127.0.0.1", address], port) == "127.0.0.1"  # nobody listens: the message names the first


@pytest.mark.parametrize("module", ["orjson", "_multiarray_umath"])
def test_an_interrupt_while_modules_load_is_one_line_and_exit_130(module: str) -> None:
    process = command("bench", *T2I, "--base-url", "http://127.0.0.1:9", "--wait-for-server", "600")
    maps = Path(f"/proc/{process.pid}/maps")
    wait_for(module, lambda: module in maps.read_text())
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=LIMIT_S)
    assert (process.returncode, out, err) == (130, "", "loadgen: interrupted\n")


def test_the_death_of_the_simulated_server_ends_the_run_with_exit_1_and_a_line_of_its_own(
    tmp_path: Path,
) -> None:
    words = ("--num-prompts", "3000", "--request-rate", "50", "--max-concurrency", "100", "--warmup-requests", "0")
    place = ("--run-dir", str(tmp_path / "run"), "--output-file", "-")
    process = command("bench", *T2I, *words, "--simulate=--base-ms 5", *place)
    records = tmp_path / "run" / "records.bin"
    wait_for("the first records", lambda: records.exists() and records.stat().st_size > 0)
    os.kill(children(process.pid)["loadgen.simulator"], signal.SIGKILL)
    out, err = process.communicate(timeout=LIMIT_S)
    result = orjson.loads(out)
    assert process.returncode == 1, err
    assert result["partial"] is True
    assert result["offered"]["sent"] < 3000
    assert result["verdict"]["state"] == "INVALID"
    assert "The simulated server died (simulator: exit code -9)" in result["verdict"]["reasons"][0]["text"]


@pytest.mark.parametrize("status", [200, 204, 301, 401, 403, 404, 405, 429])
def test_a_server_is_up_whatever_it_says_of_its_health_but_for_5xx(status: int) -> None:
    with serving(says(turns_away(b"%d -" % status))) as server:
        wait_for_server(resolve(TargetOptions(base_url=f"http://127.0.0.1:{server.port}")), 0)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_server_that_says_5xx_is_not_ready_and_the_check_may_be_skipped(status: int) -> None:
    problem = pytest.raises(UnreachableError, match=rf"answers {status}, not ready.*--skip-health-check")
    with serving(says(turns_away(b"%d -" % status))) as server, problem:
        wait_for_server(resolve(TargetOptions(base_url=f"http://127.0.0.1:{server.port}")), 0)

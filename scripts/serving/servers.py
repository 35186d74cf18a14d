"""The servers of the table: started by a folder's start.sh, simulated, or up already."""

import asyncio
import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from loadgen.simulator.engine.options import SimulatorOptions
from loadgen.simulator.server import start

START_S: Final = 180.0
_VLLM_OMNI: Final = "vllm_omni_peer.py"
_SGLANG: Final = "sglang_peer.py"


@dataclass(frozen=True, slots=True)
class Server:
    """One server of the table: its version, and how it is started (a script with arguments) or simulated."""

    name: str
    version: str
    kind: str
    port: int
    script: tuple[str, ...]
    profile: str


SERVERS: Final = (
    Server(
        "v-image",
        "vLLM-Omni 0.30.0",
        "image",
        28491,
        (_VLLM_OMNI, "--kind", "image", "--model", "Qwen/Qwen-Image"),
        "vllm-omni-0.30",
    ),
    Server(
        "v-edit",
        "vLLM-Omni 0.30.0",
        "edit",
        28492,
        (_VLLM_OMNI, "--kind", "edit", "--model", "Qwen/Qwen-Image-Edit"),
        "vllm-omni-0.30",
    ),
    Server(
        "v-video",
        "vLLM-Omni 0.30.0",
        "video",
        28493,
        (_VLLM_OMNI, "--kind", "video", "--model", "Wan-AI/Wan2.2-T2V-A14B-Diffusers"),
        "vllm-omni-0.30",
    ),
    Server("s-image", "SGLang 0.5.23", "image", 28591, (_SGLANG, "--model", "Qwen/Qwen-Image"), "sglang-0.5.23"),
    Server("s-edit", "SGLang 0.5.23", "edit", 28592, (_SGLANG, "--model", "Qwen/Qwen-Image-Edit"), "sglang-0.5.23"),
    Server(
        "s-video",
        "SGLang 0.5.23",
        "video",
        28593,
        (_SGLANG, "--model", "Wan-AI/Wan2.1-T2V-1.3B-Diffusers"),
        "sglang-0.5.23",
    ),
)


@contextmanager
def simulated_servers() -> Iterator[dict[str, str]]:
    """Run the simulated server in the role of each, in a thread; yield their base URLs by name."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    started = [asyncio.run_coroutine_threadsafe(start(_role(server)), loop).result(START_S) for server in SERVERS]
    try:
        yield {server.name: f"http://127.0.0.1:{port}" for server, (_, port) in zip(SERVERS, started, strict=True)}
    finally:
        for runner, _ in started:
            asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(START_S)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(START_S)
        loop.close()


def _role(server: Server) -> SimulatorOptions:
    return SimulatorOptions(
        port=0, server=server.profile, kind=server.kind, base_ms=50, unit_ms=0, fail_prompt="FAILENGINE"
    )


@contextmanager
def started_servers(folder: Path, environment: Mapping[str, str] = os.environ) -> Iterator[dict[str, str]]:
    """Start each by `folder`/start.sh, two at a time; end them by the process ids that it leaves."""
    home = Path(environment.get("PEERS_HOME") or "~/.cache/loadgen-peers").expanduser()
    if not os.access(folder / "start.sh", os.X_OK):
        raise SystemExit(f"--peers {folder}: has no start.sh that can be run")
    try:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda server: _start(server, folder), SERVERS))
        yield {server.name: f"http://127.0.0.1:{server.port}" for server in SERVERS}
    finally:
        for server in SERVERS:
            _end(home / f"{_process_name(server)}.pid")


def _process_name(server: Server) -> str:
    return f"servers-{server.name}"


def _start(server: Server, folder: Path) -> None:
    command = [str(folder / "start.sh"), _process_name(server), str(server.port), *server.script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=START_S)
    if done.returncode:
        raise SystemExit(f"{server.name} did not start:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")


def _end(pid_file: Path) -> None:
    try:
        os.kill(int(pid_file.read_text()), signal.SIGTERM)
    except (OSError, ValueError):
        return  # was never started, or has ended
    pid_file.unlink()

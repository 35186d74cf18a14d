"""nginx as the server that does no work: one worker on one core, small and large answers, loopback only."""

import base64
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from loadgen.simulator.engine.png import png

PACKAGES = {"nginx": "nginx-light", "wrk": "wrk"}
BIG_BYTES = 1_500_000  # of media; 2 MB as base64
SIDE = 1024  # pixels, of every image in an answer
_HEAD = base64.b64encode(png(SIDE, SIDE)[:33]).decode()  # signature and IHDR
_IMAGE = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{_HEAD}"}}
SMALL = {"choices": [{"message": {"content": [_IMAGE]}}]}

_TEXT = {"object": "chat.completion", "choices": [{"index": 0, "message": {"role": "assistant", "content": "ok"}}]}

_CONFIG = """
worker_processes 1; worker_cpu_affinity {mask}; worker_rlimit_nofile 65536; daemon off;
error_log {folder}/error.log; pid {folder}/nginx.pid;
events {{ worker_connections 32768; }}
http {{
  access_log off; client_max_body_size 0; keepalive_requests 1000000000; keepalive_timeout 3600; client_body_buffer_size 64k;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi; default_type application/json;
  server {{ listen 127.0.0.1:{small} backlog=4096; location / {{ return 200 '{answer}'; }} }}
  server {{ listen 127.0.0.1:{text} backlog=4096; location / {{ return 200 '{text_answer}'; }} }}
  server {{ listen 127.0.0.1:{big} backlog=4096; root {folder}; sendfile on; tcp_nopush on;
    location /health {{ return 200 '{{}}'; }}
    location = /v1/chat/completions {{ try_files /big.json =404; error_page 405 =200 /big.json; }} }}
}}
"""


@dataclass(frozen=True, slots=True)
class Nginx:
    """Base URLs: answers with a tiny image, with text (for tools that know no images), and of 2 MB (in bytes)."""

    small: str
    text: str
    big: str
    big_bytes: int


def found(name: str) -> str | None:
    """Where a program is; also where only root looks by default."""
    return shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")


def install_missing() -> list[str]:
    """Install what is missing where root allows; return what still is."""
    missing = [name for name in PACKAGES if not found(name)]
    if missing and os.geteuid() == 0 and shutil.which("apt-get"):
        _quietly("apt-get", "update")
        _quietly("apt-get", "install", "-y", *(PACKAGES[name] for name in missing))
        if "nginx" in missing:
            _quietly("invoke-rc.d", "nginx", "stop")  # the package starts one for all the world
    return [name for name in missing if not found(name)]


def _quietly(*arguments: str) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with suppress(FileNotFoundError, subprocess.TimeoutExpired):
        subprocess.run(arguments, stdout=subprocess.DEVNULL, check=False, timeout=300, env=environment)


@contextmanager
def nginx(core: int) -> Iterator[Nginx]:
    """Run nginx with its worker on `core`."""
    with tempfile.TemporaryDirectory(prefix="loadgen-nginx-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # the worker is another user
        size, ports = _write_answer(folder / "big.json"), _free_ports(3)
        (folder / "nginx.conf").write_text(_config(folder, core, ports))
        arguments = [found("nginx") or "nginx", "-c", str(folder / "nginx.conf")]
        process = subprocess.Popen(arguments, stderr=subprocess.DEVNULL, start_new_session=True)
        try:
            _wait(ports[0], process, folder / "error.log")
            small, text, big = (f"http://127.0.0.1:{port}" for port in ports)
            yield Nginx(small, text, big, size)
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


def _write_answer(place: Path) -> int:
    rest = base64.b64encode(os.urandom(BIG_BYTES)).decode()
    return place.write_text(json.dumps(SMALL).replace(_HEAD, _HEAD + rest))


def _config(folder: Path, core: int, ports: list[int]) -> str:
    small, text, big = ports
    return _CONFIG.format(
        folder=folder, mask=f"{1 << core:b}", small=small, text=text, big=big,
        answer=json.dumps(SMALL), text_answer=json.dumps(_TEXT),
    )  # fmt: skip


def _free_ports(count: int) -> list[int]:
    """Ports that nobody listens on; taken together, so that they differ."""
    with ExitStack() as stack:
        servers = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [int(server.getsockname()[1]) for server in servers]


def _wait(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    for _ in range(100):
        if process.poll() is not None:
            said = log.read_text().strip() if log.exists() else "nothing"
            raise SystemExit(f"nginx ended with {process.returncode} and said: {said}")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise SystemExit("nginx does not answer")

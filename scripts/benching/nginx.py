"""nginx as the server that does no work: one worker on one core, small and large answers, loopback only."""

import base64
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PACKAGES = {"nginx": "nginx-light", "wrk": "wrk"}
BIG_BYTES = 1_500_000  # of media; 2 MB as base64
_IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
SMALL = {"choices": [{"message": {"content": [_IMAGE]}}]}

_TEXT = {"object": "chat.completion", "choices": [{"index": 0, "message": {"role": "assistant", "content": "ok"}}]}

_CONFIG = """
worker_processes 1; worker_cpu_affinity {mask}; worker_rlimit_nofile 65536; daemon off;
error_log {folder}/error.log; pid {folder}/nginx.pid;
events {{ worker_connections 32768; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 3600; client_body_buffer_size 64k;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi; default_type application/json;
  server {{ listen 127.0.0.1:{small} backlog=4096; location / {{ return 200 '{answer}'; }} }}
  server {{ listen 127.0.0.1:{text} backlog=4096; location / {{ return 200 '{words}'; }} }}
  server {{ listen 127.0.0.1:{big} backlog=4096; root {folder}; sendfile on; tcp_nopush on;
    location /health {{ return 200 '{{}}'; }}
    location = /v1/chat/completions {{ try_files /big.json =404; error_page 405 =200 /big.json; }} }}
}}
"""


@dataclass(frozen=True, slots=True)
class Nginx:
    """Base URLs: answers with a tiny image, with text (for tools that know no images), and of 2 MB."""

    small: str
    text: str
    big: str


def install_missing() -> list[str]:
    """Install what is missing where root allows; return what still is."""
    missing = [name for name in PACKAGES if not shutil.which(name)]
    if missing and os.geteuid() == 0 and shutil.which("apt-get"):
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "check": False}
        subprocess.run(["apt-get", "update", "-qq"], **quiet)  # type: ignore[call-overload]
        subprocess.run(["apt-get", "install", "-y", "-qq", *(PACKAGES[name] for name in missing)], **quiet)  # type: ignore[call-overload]
    return [name for name in missing if not shutil.which(name)]


@contextmanager
def nginx(core: int) -> Iterator[Nginx]:
    """Run nginx with its worker on `core`."""
    with tempfile.TemporaryDirectory(prefix="loadgen-nginx-") as name:
        folder, (small, text, big) = Path(name), (_free_port() for _ in range(3))
        folder.chmod(0o755)  # the worker is another user
        image = base64.b64encode(b"\x89PNG\r\n\x1a\n" + os.urandom(BIG_BYTES)).decode()
        (folder / "big.json").write_text(json.dumps(SMALL).replace("iVBORw0KGgo=", image))
        config = _CONFIG.format(
            mask=f"{1 << core:b}",
            folder=folder,
            small=small,
            big=big,
            answer=json.dumps(SMALL),
            words=json.dumps(_TEXT),
            text=text,
        )
        (folder / "nginx.conf").write_text(config)
        process = subprocess.Popen(["nginx", "-c", str(folder / "nginx.conf")], stderr=subprocess.DEVNULL)
        try:
            _wait(small, process)
            yield Nginx(f"http://127.0.0.1:{small}", f"http://127.0.0.1:{text}", f"http://127.0.0.1:{big}")
        finally:
            process.terminate()
            process.wait(10)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _wait(port: int, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(100):
        if process.poll() is not None:
            raise SystemExit(f"nginx ended with {process.returncode}; is another one in the way?")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise SystemExit("nginx does not answer")

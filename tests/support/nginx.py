"""nginx as a reverse proxy, as servers stand behind one: `apt-get install nginx-light`."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def program() -> str | None:
    """Where nginx is; also where only root looks by default."""
    return shutil.which("nginx", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")


_CONFIG = """
daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
  access_log off; client_max_body_size 64m;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  upstream peer {{ server {peer}; keepalive 8; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{ proxy_pass http://peer; proxy_http_version 1.1; proxy_set_header Connection ""; }}
  }}
}}
"""


@contextmanager
def before(url: str) -> Iterator[str]:
    """Run nginx as a reverse proxy before a server; give its base URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="loadgen-nginx-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # the worker is another user
        config = folder / "nginx.conf"
        config.write_text(_CONFIG.format(folder=folder, peer=url.removeprefix("http://"), port=port))
        words = [str(program()), "-e", str(folder / "error.log"), "-c", str(config)]
        process = subprocess.Popen(words, stderr=subprocess.DEVNULL)
        try:
            wait_for(port, process, folder / "error.log")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(10)


def wait_for(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    for _ in range(200):
        assert process.poll() is None, log.read_text() if log.exists() else "nginx ended and said nothing"
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("nginx does not answer")

"""A server that echoes each request in its answer, as some proxies and error pages do."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson

NONE: Mapping[str, str] = {}


class _Echo(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        told = f"{self.headers['Authorization']} {self.path}"
        self._answer(200, f'told{{by="{told}"}} 1\n'.encode() if "metrics" in self.path else b"fine")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        told = {name: value for name, value in self.headers.items() if name != "Content-Length"}
        message = "; ".join(f"{name}: {value}" for name, value in told.items())
        if "as-body" in self.path:
            self._answer(503, body)
        elif "as-headers" in self.path:
            self._answer(503, b"later", {"Retry-After": "x" * 280 + message, "Location": message})
        elif "as-stages" in self.path:
            self._answer(200, _success(message))
        elif "as-200" in self.path:
            self._answer(200, orjson.dumps({"error": {"message": f"refused: {message}"}}))
        else:
            self._answer(401, b"\x1b]0;owned\x07\x1b[2Jnot you: " + message.encode())

    def _answer(self, status: int, body: bytes, headers: Mapping[str, str] = NONE) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


def _success(stage: str) -> bytes:
    content = [{"image_url": {"url": "data:image/png;base64,AAAA"}, "stage_durations": {stage: 1.0, "\x1b[2J": 1.0}}]
    return orjson.dumps({"choices": [{"message": {"content": content}}]})


@contextmanager
def echo_server() -> Iterator[str]:
    """Serve on a free loopback port; give HOST:PORT. `as-200`, `as-stages`, ... in a path: elsewhere in the answer."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Echo)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

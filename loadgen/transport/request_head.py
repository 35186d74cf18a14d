"""Request heads: encoded once for each body length, then reused."""

from loadgen.bodies.request import Request
from loadgen.server.target import Target


class RequestHeads:
    """Encodes request heads, and caches them by method, path, content type and body length."""

    def __init__(self, target: Target) -> None:
        self._path_of = target.path_of
        given = {name.lower() for name in target.headers}
        self._typed = "content-type" in given  # by the user, whose headers replace ours
        lines = target.headers if "host" in given else {"Host": target.host_header, **target.headers}
        self._common = "".join(f"{name}: {value}\r\n" for name, value in lines.items()).encode("latin-1")
        self._cached: dict[tuple[str, str, str, int], bytes] = {}

    def of(self, request: Request) -> bytes:
        """The head of `request`, the empty line included. Without a body it is for one job, so not cached."""
        if not request.body:
            return self._encode(request)
        key = (request.method, request.path, request.content_type, len(request.body))
        head = self._cached.get(key)
        if head is None:
            head = self._cached[key] = self._encode(request)
        return head

    def _encode(self, request: Request) -> bytes:
        own = f"Content-Type: {request.content_type}\r\n" if request.content_type and not self._typed else ""
        if request.body or request.method in ("POST", "PUT"):
            own += f"Content-Length: {len(request.body)}\r\n"
        line = f"{request.method} {self._path_of(request.path)} HTTP/1.1\r\n"
        return b"%b%b%b\r\n" % (line.encode("latin-1"), self._common, own.encode("latin-1"))

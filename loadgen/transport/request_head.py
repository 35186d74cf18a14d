"""Request heads: encoded before time zero, one for each length that bodies have."""

from loadgen.bodies.request import Request
from loadgen.transport.target import Target


class RequestHeads:
    """Encodes the head of a request, or finds the one of an equally long request."""

    def __init__(self, target: Target) -> None:
        self._prefix = target.prefix
        port = "" if target.port == {"http": 80, "https": 443}[target.scheme] else f":{target.port}"
        host = f"[{target.host}]" if ":" in target.host else target.host
        lines = {"Host": host + port, **target.headers}
        self._common = "".join(f"{name}: {value}\r\n" for name, value in lines.items()).encode("latin-1")
        self._known: dict[tuple[str, str, str, int], bytes] = {}

    def of(self, request: Request) -> bytes:
        """The head of `request`, the empty line included. Without a body it is for one job, and not kept."""
        if not request.body:
            return self._encode(request)
        key = (request.method, request.path, request.content_type, len(request.body))
        head = self._known.get(key)
        if head is None:
            head = self._known[key] = self._encode(request)
        return head

    def _encode(self, request: Request) -> bytes:
        own = f"Content-Type: {request.content_type}\r\n" if request.content_type else ""
        if request.body or request.method in ("POST", "PUT"):
            own += f"Content-Length: {len(request.body)}\r\n"
        line = f"{request.method} {self._prefix}{request.path} HTTP/1.1\r\n"
        return b"%b%b%b\r\n" % (line.encode("latin-1"), self._common, own.encode("latin-1"))

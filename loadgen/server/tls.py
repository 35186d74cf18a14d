"""TLS: the SSL context shared by all connections to a target."""

import ssl

from loadgen.errors import UsageError
from loadgen.server.target import Target


def tls_context(target: Target) -> ssl.SSLContext | None:
    """Return the context for an https target, None for http. Raises UsageError for an invalid CA file."""
    return client_context(target.ca_file, insecure=target.insecure) if target.scheme == "https" else None


def client_context(ca_file: str | None, *, insecure: bool) -> ssl.SSLContext:
    """Return the context for `--ca-file` and `--insecure`. Raises UsageError for an invalid CA file."""
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(f"--ca-file {ca_file}: {error}; name a PEM file of certificates") from None
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context

"""TLS: the context that every connection to the target shares."""

import ssl

from loadgen.errors import UsageError
from loadgen.transport.target import Target


def tls_context(target: Target) -> ssl.SSLContext | None:
    """Return the context for an https target, None for http. Raises UsageError for a CA file that is none."""
    return client_context(target.ca_file, insecure=target.insecure) if target.scheme == "https" else None


def client_context(ca_file: str | None, *, insecure: bool) -> ssl.SSLContext:
    """Return a context that trusts what the flags say. Raises UsageError for a CA file that is none."""
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(f"--ca-file {ca_file}: {error}; name a PEM file of certificates") from None
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context

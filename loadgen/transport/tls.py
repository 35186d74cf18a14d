"""TLS: the context that every connection to the target shares."""

import ssl

from loadgen.errors import UsageError
from loadgen.target import Target


def tls_context(target: Target) -> ssl.SSLContext | None:
    """Return the context for an https target, None for http. Raises UsageError for a CA file that is none."""
    if target.scheme != "https":
        return None
    try:
        context = ssl.create_default_context(cafile=target.ca_file)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(f"--ca-file {target.ca_file}: {error}; name a PEM file of certificates") from None
    if target.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context

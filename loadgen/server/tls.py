"""TLS: the SSL context shared by all connections to a target."""

import ssl

from loadgen.errors import UsageError
from loadgen.server.target import Target


def tls_context(target: Target) -> ssl.SSLContext | None:
    """Return the context for an https target, None for http. Raises UsageError for a PEM file that cannot be used."""
    if target.scheme != "https":
        return None
    return client_context(target.ca_file, target.cert_file, target.key_file, insecure=target.insecure)


def client_context(
    ca_file: str | None, cert_file: str | None = None, key_file: str | None = None, *, insecure: bool
) -> ssl.SSLContext:
    """Return the context for `--ca-file`, `--cert`, `--key`, `--insecure`. Raises UsageError for an unusable file."""
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(f"--ca-file {ca_file}: {error}; name a PEM file of certificates") from None
    if cert_file is not None:
        _load_client_certificate(context, cert_file, key_file)
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _load_client_certificate(context: ssl.SSLContext, cert_file: str, key_file: str | None) -> None:
    """Load what the server is shown of us; a key with a passphrase is refused, since nobody is there to type it."""

    def passphrase() -> str:
        raise UsageError(f"--key {key_file or cert_file}: is encrypted; decrypt it, such as with openssl pkey")

    try:
        context.load_cert_chain(cert_file, key_file, passphrase)
    except (OSError, ssl.SSLError) as error:
        names = f"--cert {cert_file}" + (f" --key {key_file}" if key_file else "")
        fix = "name PEM files of a certificate and its private key"
        raise UsageError(f"{names}: {error.strerror or error}; {fix}") from None

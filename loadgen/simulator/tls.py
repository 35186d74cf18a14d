"""TLS of the simulated server, with a given certificate or a new self-signed one."""

import shutil
import ssl
import subprocess
from pathlib import Path
from typing import Final

from loadgen.errors import UsageError
from loadgen.simulator.engine.options import SimulatorOptions
from loadgen.system.temporary_folder import temporary_folder

_DAYS: Final = "30"
_NAMES: Final = "DNS:localhost,IP:127.0.0.1,IP:::1"
_OPENSSL_TIMEOUT_S: Final = 30.0


def server_context(options: SimulatorOptions) -> ssl.SSLContext | None:
    """Return the TLS context of an https server, None for http. Raises UsageError that names the flag."""
    if options.tls_cert:
        return _load(options.tls_cert, options.tls_key)
    if not options.tls:
        return None
    with temporary_folder("loadgen-tls-") as folder:
        cert, key = folder / "cert.pem", folder / "key.pem"
        make_certificate(cert, key)
        return _load(str(cert), str(key))


def _load(cert: str, key: str) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(cert, key or None)
    except OSError as fault:
        place = f"--tls-cert {cert}" + (f" --tls-key {key}" if key else "")
        raise UsageError(f"{place}: {fault.strerror or fault}; name a PEM certificate and its key") from None
    return context


def make_certificate(cert: Path, key: Path) -> None:
    """Write a self-signed certificate for localhost and its key; raises UsageError if openssl is missing or fails."""
    openssl = shutil.which("openssl")
    if openssl is None:
        raise UsageError(
            "--tls: needs the openssl command to make a certificate; install it, or give --tls-cert and --tls-key"
        )
    kind = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    about = ("-subj", "/CN=localhost", "-addext", f"subjectAltName={_NAMES}", "-days", _DAYS)
    made = subprocess.run(
        [openssl, "req", "-x509", *kind, *about, "-keyout", str(key), "-out", str(cert)],
        capture_output=True,
        text=True,
        check=False,
        timeout=_OPENSSL_TIMEOUT_S,
    )
    if made.returncode:
        error = " ".join(made.stderr.split())[-200:]
        raise UsageError(f"--tls: openssl failed to make a certificate ({error}); give --tls-cert and --tls-key")

"""TLS of the simulated server: with a certificate made on the spot, with a given one, and with none to be had."""

from pathlib import Path

import pytest
import trustme

from loadgen.errors import UsageError
from loadgen.simulator.engine.options import SimulatorOptions
from loadgen.simulator.tls import server_context
from tests.support.commands import T2I, bench, run

FAST = "--base-ms 1 --unit-ms 0"


@pytest.mark.parametrize("transport", ["native", "aiohttp"])
def test_a_run_goes_over_tls_with_a_certificate_that_the_server_made_for_itself(transport: str) -> None:
    words = (*T2I, "--backend", "openai", "--insecure", "--transport", transport, "--num-prompts", "3")
    assert bench(f"--simulate={FAST} --tls", *words)["completed_requests"] == 3


def test_a_run_checks_the_certificate_that_the_server_was_given(tmp_path: Path) -> None:
    authority, cert, ca = trustme.CA(), tmp_path / "cert.pem", tmp_path / "ca.pem"
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(cert))
    authority.cert_pem.write_to_path(str(ca))
    words = (f"--simulate={FAST} --tls-cert {cert}", *T2I, "--num-prompts", "2")
    assert bench(*words, "--ca-file", str(ca))["completed_requests"] == 2
    code, _, err = run("bench", *words)
    assert code == 2
    assert "certificate" in err


def test_a_certificate_that_cannot_be_used_is_named_by_its_flags(tmp_path: Path) -> None:
    (tmp_path / "text.pem").write_text("no certificate")
    for name in ("text.pem", "missing.pem"):
        with pytest.raises(UsageError, match=f"--tls-cert .*{name} --tls-key .*k.pem"):
            server_context(SimulatorOptions(tls_cert=str(tmp_path / name), tls_key=str(tmp_path / "k.pem")))


def test_without_openssl_the_message_says_what_to_give_instead(tmp_path: Path) -> None:
    code, _, err = run("serve", "--port", "0", "--tls", PATH=str(tmp_path))
    assert code == 2
    assert err.startswith("loadgen: --tls: needs the openssl command")
    assert "--tls-cert" in err


def test_without_tls_there_is_no_context() -> None:
    assert server_context(SimulatorOptions()) is None
    assert SimulatorOptions().scheme == "http"

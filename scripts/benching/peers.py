"""Peers: AIPerf from the package index, in an environment of its own, asked for the same load."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from scripts.benching.errors import NoResultError
from scripts.benching.rounds import tell
from scripts.benching.table import UNKNOWN, markdown, number, seconds

# AIPerf needs a tokenizer and fetches one from a hub; this one knows bytes only, and is made here.
_TOKENIZER = """
import sys
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast
letters = sorted(pre_tokenizers.ByteLevel.alphabet())
bare = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate([*letters, "<end>"])}, merges=[]))
bare.pre_tokenizer, bare.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
PreTrainedTokenizerFast(tokenizer_object=bare, eos_token="<end>", bos_token="<end>").save_pretrained(sys.argv[1])
"""
RATES = (500, 2_000)
SECONDS = 10
INSTALL_S, LIMIT_S = 900, 240

SearchResult = list[tuple[int, dict[str, Any] | str]]


def measure(url: str) -> SearchResult:
    """Give (rate, AIPerf's own figures), or what went wrong instead of them."""
    with tempfile.TemporaryDirectory(prefix="loadgen-peers-", ignore_cleanup_errors=True) as folder:
        try:
            program = _install(Path(folder))
        except NoResultError as error:
            return [(rate, f"AIPerf cannot be installed here: {error}") for rate in RATES]
        return [(rate, _run(program, url, rate, Path(folder))) for rate in RATES]


def peers_table(found: SearchResult) -> str:
    """What AIPerf says of itself."""
    rows = [
        (f"{rate:,}", *([figures, "", ""] if isinstance(figures, str) else _cells(figures))) for rate, figures in found
    ]
    return markdown(("AIPerf, asked /s", "achieved /s", "latency p50", "latency p99"), rows)


def _cells(figures: dict[str, Any]) -> list[str]:
    latency, through = figures.get("request_latency", {}), figures.get("request_throughput", {})
    times = [seconds(latency.get(name, UNKNOWN) / 1e3) for name in ("p50", "p99")]
    return [number(through.get("avg", UNKNOWN)), *times]


def _install(folder: Path) -> Path:
    tell("installing AIPerf (a gigabyte or so) ...")
    python = str(folder / "venv/bin/python")
    _bounded([sys.executable, "-m", "venv", str(folder / "venv")], INSTALL_S)
    _bounded([python, "-m", "pip", "install", "-q", "aiperf"], INSTALL_S)
    _bounded([python, "-c", _TOKENIZER, str(folder / "tokenizer")], INSTALL_S)
    return folder / "venv/bin/aiperf"


def _run(program: Path, url: str, rate: int, folder: Path) -> dict[str, Any] | str:
    tell(f"AIPerf {rate}/s")
    place = folder / str(rate)
    arguments = [
        *(str(program), "profile", "--model", "default", "--url", url, "--endpoint-type", "chat"),
        *("--request-rate", str(rate), "--request-rate-mode", "constant", "--request-count", str(rate * SECONDS)),
        *("--concurrency", "5000", "--tokenizer", str(folder / "tokenizer"), "--isl", "64"),
        *("--output-artifact-dir", str(place), "--ui", "none"),
    ]
    exit_reason = "it ended well"
    try:
        _bounded(arguments, LIMIT_S)
    except NoResultError as error:
        exit_reason = str(error)
    for file in place.rglob("profile_export_aiperf.json"):
        figures: dict[str, Any] = json.loads(file.read_text())
        return figures
    return f"AIPerf gave no result: {exit_reason}"


def _bounded(arguments: list[str], limit_s: float) -> None:
    """Run a command to its end, within `limit_s` with all that it started. Raises NoResultError."""
    with subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
    ) as process:
        try:
            said = process.communicate(timeout=limit_s)[0].decode(errors="replace")
        except subprocess.TimeoutExpired:
            raise NoResultError(f"did not end within {limit_s:.0f} s") from None
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    if process.returncode:
        raise NoResultError((said.strip().splitlines() or ["no word"])[-1][:200])

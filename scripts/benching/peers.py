"""Peers: AIPerf from the package index, in an environment of its own, asked for the same load."""

import json
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Any

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


def measure(url: str) -> list[tuple[int, dict[str, Any] | str]]:
    """Give (rate, AIPerf's own figures), or what went wrong instead of them."""
    with tempfile.TemporaryDirectory(prefix="loadgen-peers-") as folder:
        try:
            program = _install(Path(folder))
        except subprocess.CalledProcessError as error:
            return [(rate, f"AIPerf cannot be installed here: {_last_line(error.stderr)}") for rate in RATES]
        return [(rate, _run(program, url, rate, Path(folder))) for rate in RATES]


def _install(folder: Path) -> Path:
    print("installing AIPerf (a gigabyte or so) ...", file=sys.stderr)
    venv.create(folder / "venv", with_pip=True)
    pip = [str(folder / "venv/bin/pip"), "install", "-q", "aiperf"]
    subprocess.run(pip, check=True, capture_output=True, timeout=900)
    make = [str(folder / "venv/bin/python"), "-c", _TOKENIZER, str(folder / "tokenizer")]
    subprocess.run(make, check=True, capture_output=True, timeout=120)
    return folder / "venv/bin/aiperf"


def _run(program: Path, url: str, rate: int, folder: Path) -> dict[str, Any] | str:
    place = folder / str(rate)
    words = [
        *(str(program), "profile", "--model", "default", "--url", url, "--endpoint-type", "chat"),
        *("--request-rate", str(rate), "--request-rate-mode", "constant", "--request-count", str(rate * SECONDS)),
        *(
            "--concurrency",
            "5000",
            "--tokenizer",
            str(folder / "tokenizer"),
            "--isl",
            "64",
            "--output-artifact-dir",
            str(place),
            "--ui",
            "none",
        ),
    ]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=240, check=False)
    except subprocess.TimeoutExpired:
        return "AIPerf did not end within 240 s"
    found = next(place.rglob("profile_export_aiperf.json"), None)
    return (
        json.loads(found.read_text()) if found else f"AIPerf gave no result: {_last_line(done.stderr or done.stdout)}"
    )


def _last_line(text: str | bytes | None) -> str:
    shown = text.decode(errors="replace") if isinstance(text, bytes) else text or ""
    return (shown.strip().splitlines() or ["no word"])[-1][:200]

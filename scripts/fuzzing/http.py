"""The HTTP answer path under atheris, which looks for inputs that reach new code; see answer_path.py for what is checked.

    python -m scripts.fuzzing.http --seconds 600 [--corpus DIR] [CASE ...]

CASEs are run once each, without atheris.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

WORDS: Final = (
    *(
        "HTTP/1.1 ",
        "HTTP/1.0 ",
        "\\x0d\\x0a",
        "\\x0d\\x0a\\x0d\\x0a",
        "\\x0a\\x0a",
        "Content-Length: ",
        "Transfer-Encoding: ",
        "chunked",
    ),
    *(
        "Connection: close",
        "keep-alive",
        "Upgrade: ",
        "Content-Encoding: ",
        "gzip",
        "Retry-After: ",
        "0\\x0d\\x0a\\x0d\\x0a",
    ),
    *("18446744073709551615", "b64_json", "choices", "image_url", "data:image/png;base64,", "error", "peak_memory_mb"),
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Fuzz as the flags say; ends with the number of executions, or with the input that failed and where it lies."""
    flags = read_flags(arguments)
    if flags.cases:
        from scripts.fuzzing.answer_path import check

        for case in flags.cases:
            check(Path(case).read_bytes())
    else:
        fuzz(flags.seconds, flags.corpus, flags.findings)


def read_flags(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line, or `arguments` instead of it."""
    parser = argparse.ArgumentParser(prog="scripts/fuzz_http", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=600, help="fuzz for this long (default: %(default)s)")
    parser.add_argument("--corpus", metavar="DIR", help="keep inputs here (default: a temporary folder)")
    parser.add_argument("--findings", metavar="DIR", default=".", help="write what fails here (default: .)")
    parser.add_argument("cases", nargs="*", metavar="CASE", help="files to run once each instead")
    return parser.parse_args(arguments)


def fuzz(seconds: int, corpus: str | None, findings: str) -> None:
    """Let atheris look for failures; it ends the process."""
    try:
        import atheris
    except ImportError:
        sys.exit("scripts/fuzz_http: needs atheris; pip install '.[fuzz]'")
    os.nice(19)
    with atheris.instrument_imports(include=["loadgen"]):
        from scripts.fuzzing.answer_path import SEEDS, check
    folder = Path(corpus or tempfile.mkdtemp(prefix="fuzz-http-"))
    folder.mkdir(exist_ok=True)
    for number, seed in enumerate(SEEDS):
        (folder / f"seed-{number}").write_bytes(b"\x03\x04\x01" + seed)
    arguments = folder.with_name(f"{folder.name}.dict")
    arguments.write_text("".join(f'"{word}"\n' for word in WORDS))
    print(f"{seconds} s, {len(SEEDS)} seeds; inputs are kept in {folder}", flush=True)
    limits = (f"-max_total_time={seconds}", "-max_len=4096", "-timeout=20", "-rss_limit_mb=2048")
    how = (f"-dict={arguments}", f"-artifact_prefix={findings}/", "-print_final_stats=1")
    atheris.Setup([sys.argv[0], *limits, *how, str(folder)], check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()

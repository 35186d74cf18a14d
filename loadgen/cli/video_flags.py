"""The flags of video jobs: what they are called, and what they come to."""

import argparse
from typing import Final

from loadgen.backends import JobBackend, find_backend
from loadgen.cli.argument_types import positive
from loadgen.errors import UsageError
from loadgen.options import JobOptions

TITLE: Final = "video jobs (--backend v1/videos)"
_FLAGS: Final = ("poll_interval", "video_timeout", "no_download", "no_delete")


def add_arguments(group: "argparse._ArgumentGroup") -> None:
    """Add them to their group of `loadgen bench`."""
    group.add_argument(
        "--poll-interval",
        type=positive,
        metavar="S",
        help="look at a job this often (default: 1 %% of the time it is expected to take, from 50 ms to 2 s)",
    )
    group.add_argument(
        "--video-timeout", type=positive, metavar="S", help="give a job up after this long (default: never)"
    )
    group.add_argument("--no-download", action="store_true", help="a job ends when it is completed, unfetched")
    group.add_argument("--no-delete", action="store_true", help="leave ended jobs on the server")


def read(a: argparse.Namespace) -> JobOptions:
    """Turn the parsed flags into options; UsageError where they do not go together with others."""
    given = [f"--{flag.replace('_', '-')}" for flag in _FLAGS if getattr(a, flag)]
    if given and not isinstance(find_backend(a.backend), JobBackend):
        raise UsageError(f"{given[0]} is for jobs, and --backend {a.backend} has none; drop it, or use v1/videos")
    if a.no_download and (a.save_dir is not None or a.verify == "decode"):
        raise UsageError(
            "--no-download leaves nothing to save or to decode; drop it, or --save-dir and --verify decode"
        )
    return JobOptions(a.poll_interval, a.video_timeout, download=not a.no_download, delete=not a.no_delete)

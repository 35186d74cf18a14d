"""The flags of video jobs, and the options that they make."""

import argparse
from typing import Final

from loadgen.backends import JobBackend, find_backend
from loadgen.cli.argument_types import positive, whole
from loadgen.errors import UsageError
from loadgen.options import JobOptions

TITLE: Final = "jobs (such as --backend v1/videos)"
_FLAGS: Final = ("poll_interval", "poll_retries", "video_timeout", "no_download", "no_delete")


def add_arguments(group: "argparse._ArgumentGroup") -> None:
    """Add them to a group of `loadgen bench`."""
    group.add_argument(
        "--poll-interval",
        type=positive,
        metavar="S",
        help="seconds between polls of a job (default: 1 %% of its expected duration, from 0.05 to 2)",
    )
    group.add_argument(
        "--poll-retries",
        type=whole,
        metavar="N",
        help="failed polls of a job in a row that are repeated (HTTP 5xx and 429, resets, timeouts; default: 5)",
    )
    group.add_argument(
        "--video-job-timeout",
        "--video-timeout",
        dest="video_timeout",
        type=positive,
        metavar="S",
        help="seconds from its creation until a job times out (default: none)",
    )
    group.add_argument("--no-download", action="store_true", help="end a job on completion, without fetching the video")
    group.add_argument("--no-delete", action="store_true", help="do not delete finished jobs from the server")


def read(a: argparse.Namespace) -> JobOptions:
    """Turn parsed flags into options; UsageError if they contradict others."""
    given = [f"--{flag.replace('_', '-')}" for flag in _FLAGS if getattr(a, flag) not in (None, False)]
    if given and not isinstance(find_backend(a.backend), JobBackend):
        raise UsageError(
            f"{given[0]} is for video jobs, which --backend {a.backend} has not; drop it, or use --backend v1/videos"
        )
    if a.no_download and (a.save_dir is not None or a.verify == "decode"):
        raise UsageError("--no-download leaves nothing for --save-dir and --verify decode; drop it, or both of them")
    retries = JobOptions().poll_retries if a.poll_retries is None else a.poll_retries
    download, delete = not a.no_download, not a.no_delete
    return JobOptions(a.poll_interval, a.video_timeout, download=download, delete=delete, poll_retries=retries)

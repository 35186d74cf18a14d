"""The flags of video jobs, and the options that they make."""

import argparse
from typing import Final

from loadgen.backends import Backend, JobBackend, find_backend
from loadgen.cli.argument_types import positive
from loadgen.errors import UsageError
from loadgen.options import AUTO, JobOptions

TITLE: Final = "video jobs (--backend v1/videos)"


def add_arguments(group: "argparse._ArgumentGroup") -> None:
    """Add them to a group of `loadgen bench`."""
    group.add_argument(
        "--poll-interval",
        type=positive,
        metavar="S",
        help="seconds between polls of a job (default: 1 %% of its expected duration, from 0.05 to 2)",
    )
    group.add_argument(
        "--video-timeout", type=positive, metavar="S", help="seconds until a job times out (default: none)"
    )
    group.add_argument("--no-download", action="store_true", help="end a job on completion, without fetching the video")
    group.add_argument("--no-delete", action="store_true", help="do not delete finished jobs from the server")


def read(a: argparse.Namespace) -> JobOptions:
    """Turn parsed flags into options; UsageError if they contradict others."""
    if a.backend != AUTO:
        check(_options(a), find_backend(a.backend))
    if a.no_download and (a.save_dir is not None or a.verify == "decode"):
        raise UsageError("--no-download leaves nothing for --save-dir and --verify decode; drop it, or both of them")
    return _options(a)


def check(options: JobOptions, backend: Backend) -> None:
    """Raise UsageError for options of jobs where the backend has no jobs."""
    given = (
        ("--poll-interval", options.poll_interval_s is not None),
        ("--video-timeout", options.timeout_s is not None),
        ("--no-download", not options.download),
        ("--no-delete", not options.delete),
    )
    flag = next((name for name, is_given in given if is_given), None)
    if flag and not isinstance(backend, JobBackend):
        raise UsageError(
            f"{flag} is for video jobs, which --backend {backend.name} has not; drop it, or use --backend v1/videos"
        )


def _options(a: argparse.Namespace) -> JobOptions:
    return JobOptions(a.poll_interval, a.video_timeout, download=not a.no_download, delete=not a.no_delete)

"""The flags of video jobs, and the options that they make."""

import argparse
from typing import Final

from loadgen.backends import JobBackend, find_backend
from loadgen.cli.argument_types import positive, whole
from loadgen.errors import UsageError
from loadgen.options import AUTO, JobOptions

TITLE: Final = "jobs (such as --backend v1/videos)"


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
        default=JobOptions().poll_retries,
        metavar="N",
        help="failed polls of a job in a row that are repeated: HTTP 5xx, 429, resets, timeouts (default: %(default)s)",
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
    if a.no_download and _may_make_jobs(a.backend) and (a.save_dir is not None or a.verify == "decode"):
        raise UsageError("--no-download leaves nothing for --save-dir and --verify decode; drop it, or both of them")
    download, delete = not a.no_download, not a.no_delete
    return JobOptions(a.poll_interval, a.video_timeout, download=download, delete=delete, poll_retries=a.poll_retries)


def _may_make_jobs(backend: str) -> bool:
    return backend == AUTO or isinstance(find_backend(backend), JobBackend)

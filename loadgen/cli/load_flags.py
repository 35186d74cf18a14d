"""The flags of `loadgen bench`: names, defaults and help."""

import argparse
import math
from typing import Final

from loadgen.cli import server_flags, slo_flags, video_flags
from loadgen.cli.argument_types import count, frame_rate, inner_share, not_negative, positive, rate, seed, task, whole
from loadgen.datasets import NAMES as DATASETS
from loadgen.media.verification import MODES, SIZE_MODES
from loadgen.options import TASKS
from loadgen.system.cpu_affinity import usable_cores
from loadgen.transport import NAMES

EXAMPLES: Final = """\
examples:
  try it without a server: 200 requests at 50/s to a
  simulated one, with an SLO
    loadgen bench --simulate --task t2i --dataset random \\
      --num-prompts 200 --request-rate 50 \\
      --max-concurrency 64 --slo

  does my server sustain 2 requests/s? (a trace, targets
  from warm-ups, JSON for a dashboard)
    loadgen bench --base-url http://gpu:8091 \\
      --model Qwen/Qwen-Image --task t2i \\
      --dataset trace --dataset-path trace.txt \\
      --request-rate 2 --max-concurrency 100 \\
      --slo --warmup-requests 3 --output-file result.json

  Poisson arrivals for five minutes, with gates for CI
    loadgen bench --task t2i --arrival poisson \\
      --request-rate 2 --duration 300 \\
      --max-concurrency 100 --slo --strict \\
      --min-slo-attainment 0.99

  the trace's own timestamps, twice as fast
    loadgen bench --task t2i --dataset trace \\
      --dataset-path trace.txt --arrival trace \\
      --trace-speedup 2 --max-concurrency 100

exit codes: 0 success, 1 an internal error, 2 bad usage or
input, 3 a gate failed, 4 no request succeeded,
130 interrupted
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add every flag of `loadgen bench`."""
    server_flags.add_arguments(parser.add_argument_group("server"))
    video_flags.add_arguments(parser.add_argument_group(video_flags.TITLE))
    _data(parser.add_argument_group("workload"))
    _load(parser.add_argument_group("load"))
    slo_flags.add_arguments(parser.add_argument_group("warm-up and SLO"))
    _output(parser.add_argument_group("output"))


def _data(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--dataset",
        default="vbench",
        choices=DATASETS,
        help="source of the samples (default: %(default)s)",
    )
    group.add_argument(
        "--task",
        type=task,
        metavar="TASK",
        help=f"{', '.join(TASKS)}, or in words, such as text-to-image (default: what the server says, else t2v)",
    )
    group.add_argument(
        "--dataset-path",
        metavar="PATH",
        help="file, folder, glob, or several separated by commas (default: downloaded)",
    )
    group.add_argument(
        "--num-prompts", type=count, metavar="N", help="requests to send (default: 10; with --rate-series all)"
    )
    group.add_argument("--width", type=count, metavar="PX", help="pixels, for every request; give --height too")
    group.add_argument("--height", type=count, metavar="PX", help="pixels, for every request; give --width too")
    group.add_argument("--num-frames", type=count, metavar="N", help="frames of a video, unless the sample sets them")
    group.add_argument("--fps", type=frame_rate, metavar="N", help="frames per second, unless the sample sets them")
    group.add_argument(
        "--num-inference-steps",
        type=count,
        default=50,
        metavar="N",
        help="steps, unless the sample sets them (default: %(default)s)",
    )
    group.add_argument("--seed", type=seed, metavar="SEED", help="generation seed, unless the sample sets it")
    group.add_argument("--enable-negative-prompt", action="store_true", help="send a negative prompt too")
    group.add_argument(
        "--random-request-config",
        metavar="JSON",
        help="random: list of shapes to draw from; keys width, height, num_inference_steps, num_frames, fps, seed,"
        " prompt, num_outputs_per_prompt, weight",
    )
    group.add_argument(
        "--random-request-seed",
        type=whole,
        default=42,
        metavar="SEED",
        help="random: seed for drawing shapes (default: %(default)s)",
    )
    group.add_argument(
        "--num-input-images",
        type=count,
        default=1,
        metavar="N",
        help="random: input images per request, for image tasks (default: %(default)s)",
    )


def _load(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--request-rate",
        type=rate,
        default=math.inf,
        metavar="R",
        help="requests per second; inf: as fast as --max-concurrency allows (default: inf)",
    )
    group.add_argument(
        "--rate-series",
        metavar="S:R,S:R",
        help="a changing rate: points second:rate joined by straight lines, such as 0:1,60:5,120:1, or a file of them",
    )
    group.add_argument(
        "--max-concurrency",
        type=count,
        default=1,
        metavar="C",
        help="maximum requests in flight, over all senders (default: %(default)s)",
    )
    group.add_argument(
        "--arrival",
        default="constant",
        choices=("constant", "poisson", "gamma", "trace"),
        help="arrival process (default: %(default)s)",
    )
    group.add_argument(
        "--burstiness",
        type=positive,
        default=1.0,
        metavar="K",
        help="gamma: shape parameter; below 1 bursty, 1 Poisson, above 1 more regular (default: 1)",
    )
    group.add_argument(
        "--arrival-seed", type=whole, default=0, metavar="SEED", help="seed of the arrival times (default: %(default)s)"
    )
    group.add_argument(
        "--trace-speedup",
        type=positive,
        default=1.0,
        metavar="X",
        help="--arrival trace: replay the timestamps X times as fast (default: 1)",
    )
    group.add_argument(
        "--duration",
        type=positive,
        metavar="S",
        help="send for so many seconds instead of --num-prompts; samples repeat",
    )
    group.add_argument(
        "--drain",
        type=not_negative,
        metavar="S",
        help="seconds to wait for answers after the last planned send; the rest is unfinished (default: no limit)",
    )
    group.add_argument(
        "--senders",
        type=count,
        default=_default_senders(),
        metavar="N",
        help="sender processes (default: half of the cores, here %(default)s)",
    )
    group.add_argument(
        "--transport",
        default="auto",
        choices=("auto", *NAMES),
        help="HTTP client; auto: native, or aiohttp with --proxy (default: %(default)s)",
    )
    group.add_argument(
        "--spin-us",
        type=not_negative,
        default=100.0,
        metavar="US",
        help="microseconds to poll before each send instead of sleeping, for precise timing; 0: never (default: 100)",
    )
    group.add_argument(
        "--pin",
        metavar="CORES",
        help="pin processes to cores: auto, or such as scheduler=0,senders=1-3 (default: not pinned)",
    )
    group.add_argument(
        "--realtime",
        action="store_true",
        help="real-time priority (SCHED_FIFO) for scheduler and senders, if permitted",
    )
    group.add_argument(
        "--latency-from",
        default="auto",
        choices=("auto", "scheduled", "sent"),
        help="start of latency_* and of the SLO; auto: scheduled if arrivals are planned, else sent (default: auto)",
    )


def _output(group: "argparse._ArgumentGroup") -> None:
    group.add_argument("--html", metavar="PATH", help="write a self-contained page with plots; - is standard output")
    group.add_argument(
        "--output-file",
        metavar="PATH",
        help="write the result as JSON; -: to standard output, and the report to standard error",
    )
    group.add_argument(
        "--run-dir", metavar="DIR", help="save records, plan and result in this new folder, for loadgen report"
    )
    group.add_argument("--save-dir", metavar="DIR", help="save the generated images and videos in this folder")
    group.add_argument(
        "--verify",
        default="header",
        choices=MODES,
        help="when an answer succeeds. none: it has media; header: of the right kind; decode: they also decode, after"
        " the run; an MP4 is only parsed (default: %(default)s)",
    )
    group.add_argument(
        "--verify-size",
        default="any",
        choices=SIZE_MODES,
        help="sizes that succeed. any: the server chooses, and the report says how often it did; near: rounded to a"
        " multiple of 64 pixels, up or down; exact: as requested (default: %(default)s)",
    )
    group.add_argument(
        "--confidence",
        type=inner_share,
        default=0.95,
        metavar="P",
        help="level of every interval (default: %(default)s)",
    )
    group.add_argument("--strict", action="store_true", help="exit 3 unless the verdict is VALID")
    group.add_argument(
        "--log-level",
        default="INFO",
        choices=("DEBUG", "INFO", "WARNING", "ERROR"),
        help="WARNING, ERROR: no status lines (default: %(default)s)",
    )
    group.add_argument("--disable-tqdm", action="store_true", help="no progress display and no status lines")


def _default_senders() -> int:
    """Half of the cores that this process may use, at least one."""
    return max(1, len(usable_cores()) // 2)

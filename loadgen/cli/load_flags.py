"""The flags of `loadgen bench`: what they are called, what they default to, what they mean."""

import argparse
import math
from typing import Final

from loadgen.cli import server_flags, slo_flags, video_flags
from loadgen.cli.argument_types import count, inner_share, not_negative, positive, rate, seed, whole
from loadgen.media.verification import MODES
from loadgen.options import TASKS
from loadgen.system.cpu_affinity import usable_cores
from loadgen.transport import NAMES

EXAMPLES: Final = """\
examples:
  try it without a server: 200 requests at 50/s against an embedded one, with an SLO
    loadgen bench --simulate --dataset random --task t2i --num-prompts 200 --request-rate 50 \\
      --max-concurrency 64 --slo

  does my server hold 2 requests a second? (a trace, targets from warm-ups, JSON for a dashboard)
    loadgen bench --base-url http://gpu:8091 --model Qwen/Qwen-Image --task t2i --dataset trace \\
      --dataset-path trace.txt --request-rate 2 --max-concurrency 100 --slo --warmup-requests 3 \\
      --output-file result.json

  bursts: Poisson arrivals for five minutes, and a gate for CI
    loadgen bench --task t2i --arrival poisson --request-rate 2 --duration 300 --max-concurrency 100 \\
      --slo --strict --min-slo-attainment 0.99

  the trace's own timing, twice as fast
    loadgen bench --task t2i --dataset trace --dataset-path trace.txt --arrival trace --trace-speedup 2 \\
      --max-concurrency 100

exit codes: 0 fine, 1 a fault of ours, 2 bad usage or input, 3 a gate failed, 4 no request succeeded, 130 interrupted
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add every flag of `loadgen bench`."""
    server_flags.add_arguments(parser.add_argument_group("server"))
    video_flags.add_arguments(parser.add_argument_group(video_flags.TITLE))
    _data(parser.add_argument_group("what to ask for"))
    _load(parser.add_argument_group("load"))
    slo_flags.add_arguments(parser.add_argument_group("warm-up and SLO"))
    _output(parser.add_argument_group("output"))


def _data(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--dataset",
        default="vbench",
        choices=("vbench", "trace", "random"),
        help="where samples come from (default: %(default)s)",
    )
    group.add_argument("--task", default="t2v", choices=TASKS, help="text/image to image/video (default: %(default)s)")
    group.add_argument(
        "--dataset-path",
        metavar="PATH",
        help="file, folder, glob, or several by commas (default: the data set's own, downloaded)",
    )
    group.add_argument(
        "--num-prompts", type=count, metavar="N", help="requests to send (default: 10; a --rate-series: all of it)"
    )
    group.add_argument("--width", type=count, help="pixels; with --height, for every request")
    group.add_argument("--height", type=count, help="pixels")
    group.add_argument("--num-frames", type=count, help="where the sample does not say")
    group.add_argument("--fps", type=count, help="where the sample does not say")
    group.add_argument(
        "--num-inference-steps", type=count, default=50, help="where the sample does not say (default: %(default)s)"
    )
    group.add_argument("--seed", type=seed, help="generation seed, where the sample does not say")
    group.add_argument("--enable-negative-prompt", action="store_true", help="send a negative prompt too")
    group.add_argument(
        "--random-request-config",
        metavar="JSON",
        help="random: list of profiles (width, height, num_inference_steps, num_frames, fps, weight)",
    )
    group.add_argument(
        "--random-request-seed",
        type=whole,
        default=42,
        metavar="SEED",
        help="random: seed of the profile draw (default: %(default)s)",
    )
    group.add_argument(
        "--num-input-images",
        type=count,
        default=1,
        metavar="N",
        help="random: images in each request of an image task (default: %(default)s)",
    )


def _load(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--request-rate",
        type=rate,
        default=math.inf,
        metavar="R",
        help="requests per second; inf sends as fast as the budget allows (default: inf)",
    )
    group.add_argument(
        "--rate-series",
        metavar="S:R,S:R",
        help="a rate that changes: points second:rate, joined by lines, such as 0:1,60:5,120:1, or a file of them",
    )
    group.add_argument(
        "--max-concurrency",
        type=count,
        default=1,
        metavar="C",
        help="most requests in flight, over all senders (default: %(default)s)",
    )
    group.add_argument(
        "--arrival",
        default="constant",
        choices=("constant", "poisson", "gamma", "trace"),
        help="how send times are drawn (default: %(default)s)",
    )
    group.add_argument(
        "--burstiness",
        type=positive,
        default=1.0,
        metavar="K",
        help="gamma: shape; below 1 bursts, 1 is poisson, above 1 evens out (default: 1)",
    )
    group.add_argument(
        "--arrival-seed", type=whole, default=0, metavar="SEED", help="seed of the arrival times (default: %(default)s)"
    )
    group.add_argument(
        "--trace-speedup",
        type=positive,
        default=1.0,
        metavar="X",
        help="arrival trace: play its timestamps X times as fast (default: 1)",
    )
    group.add_argument(
        "--duration", type=positive, metavar="S", help="send for this long, instead of --num-prompts; samples repeat"
    )
    group.add_argument(
        "--drain",
        type=not_negative,
        metavar="S",
        help="what has no answer this long after the last planned send is unfinished (default: wait for all)",
    )
    group.add_argument(
        "--senders",
        type=count,
        default=default_senders(),
        metavar="N",
        help="sender processes (default: half the cores, here %(default)s)",
    )
    group.add_argument(
        "--transport",
        default="auto",
        choices=("auto", *NAMES),
        help="HTTP client; auto is native unless a --proxy needs aiohttp (default: %(default)s)",
    )
    group.add_argument(
        "--spin-us",
        type=not_negative,
        default=100.0,
        metavar="US",
        help="stay awake this long before each send, to be punctual; 0 sleeps (default: 100)",
    )
    group.add_argument(
        "--pin",
        metavar="CORES",
        help="auto, or ROLE=CORES by commas: scheduler=0,collector=0,senders=1-3 (default: not pinned)",
    )
    group.add_argument(
        "--realtime", action="store_true", help="SCHED_FIFO for scheduler and senders, where the system lets us"
    )
    group.add_argument(
        "--latency-from",
        default="auto",
        choices=("auto", "scheduled", "sent"),
        help="what latency_* and the SLO count from (default: auto, which is scheduled where arrivals are planned)",
    )


def _output(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--html", metavar="PATH", help="write a page with plots that needs no network; - is standard output"
    )
    group.add_argument(
        "--output-file",
        metavar="PATH",
        help="write the result as JSON; - is standard output, all else then goes to standard error",
    )
    group.add_argument(
        "--run-dir", metavar="DIR", help="save the run here as it goes: records, plan, result; see `loadgen report`"
    )
    group.add_argument("--save-dir", metavar="DIR", help="save the images and videos of the answers here")
    group.add_argument(
        "--verify",
        default="header",
        choices=MODES,
        help="what makes an answer a success: media at all, of the kind and size asked for, or decoded whole after the"
        " run; an MP4 is walked through, not decoded (default: %(default)s)",
    )
    group.add_argument(
        "--confidence", type=inner_share, default=0.95, metavar="P", help="of every interval (default: %(default)s)"
    )
    group.add_argument("--strict", action="store_true", help="exit 3 unless the verdict is VALID")
    group.add_argument("--disable-tqdm", action="store_true", help="no progress display")


def default_senders() -> int:
    """Half the cores that this process may use, and at least one."""
    return max(1, len(usable_cores()) // 2)

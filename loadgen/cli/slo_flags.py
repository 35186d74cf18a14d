"""The flags of warm-ups and SLO targets."""

import argparse

from loadgen.cli.argument_types import count, error_rate, positive, share, whole


def add_arguments(group: "argparse._ArgumentGroup") -> None:
    """Add them to a group of `loadgen bench`."""
    group.add_argument(
        "--warmup-requests",
        type=whole,
        default=1,
        metavar="N",
        help="requests before the run, per --base-url (default: %(default)s)",
    )
    group.add_argument(
        "--warmup-num-inference-steps",
        "--warmup-inference-steps",
        dest="warmup_num_inference_steps",
        type=count,
        metavar="N",
        help="steps of a warm-up (default: 2; with --slo-model affine those of the request)",
    )
    group.add_argument(
        "--warmup-concurrency",
        type=count,
        default=1,
        metavar="N",
        help="warm-ups in flight at a time (default: %(default)s)",
    )
    group.add_argument(
        "--warmup-num-frames",
        type=count,
        metavar="N",
        help="frames of a warm-up (default: 1 for t2v; otherwise, and with --slo-model affine, those of the request)",
    )
    group.add_argument("--force", action="store_true", help="send the load even if every warm-up failed")
    group.add_argument(
        "--slo",
        action="store_true",
        help="compare each latency with a target: the slo_ms of its sample, else a prediction from the warm-ups",
    )
    group.add_argument(
        "--slo-scale",
        type=positive,
        default=3.0,
        metavar="X",
        help="target = X times the predicted latency (default: %(default)s)",
    )
    group.add_argument(
        "--slo-model",
        default="linear",
        choices=("linear", "affine"),
        help="prediction. linear: proportional to the work (pixels x frames x steps); affine: plus a fixed cost, from"
        " warm-ups of three sizes or more (default: %(default)s)",
    )
    group.add_argument(
        "--slo-ms",
        type=positive,
        metavar="MS",
        help="one target in milliseconds for all requests without their own; implies --slo",
    )
    group.add_argument(
        "--min-slo-attainment", type=share, metavar="P", help="exit 3 if the SLO attainment is below P (0 to 1)"
    )
    group.add_argument(
        "--max-error-rate",
        type=error_rate,
        metavar="P",
        help="exit 3 if more than this share of the sent requests failed, such as 0.05 or 5%% (default: no gate)",
    )

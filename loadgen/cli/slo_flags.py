"""The flags of warm-ups and of the targets that latencies are held against."""

import argparse

from loadgen.cli.argument_types import count, positive, share, whole


def add_arguments(group: "argparse._ArgumentGroup") -> None:
    """Add them to their group of `loadgen bench`."""
    group.add_argument(
        "--warmup-requests",
        type=whole,
        default=1,
        metavar="N",
        help="requests before time zero, to each --base-url (default: %(default)s)",
    )
    group.add_argument(
        "--warmup-num-inference-steps",
        type=count,
        metavar="N",
        help="their steps (default: 2; with --slo-model affine the request's own)",
    )
    group.add_argument(
        "--warmup-num-frames",
        type=count,
        metavar="N",
        help="their frames (default: 1 for t2v, else and with --slo-model affine the request's own)",
    )
    group.add_argument(
        "--slo",
        action="store_true",
        help="hold latencies against a target: a request's slo_ms, else one from the warm-ups",
    )
    group.add_argument(
        "--slo-scale",
        type=positive,
        default=3.0,
        metavar="X",
        help="target = X times what the warm-ups predict (default: %(default)s)",
    )
    group.add_argument(
        "--slo-model",
        default="linear",
        choices=("linear", "affine"),
        help="linear: so many ms a unit of work; affine: a fixed cost besides, from warm-ups of three sizes or more,"
        " the plan's smallest to its largest (default: %(default)s)",
    )
    group.add_argument(
        "--slo-ms", type=positive, metavar="MS", help="a flat target for requests without their own; implies --slo"
    )
    group.add_argument(
        "--min-slo-attainment", type=share, metavar="P", help="exit 3 where attainment is below P (0 to 1)"
    )

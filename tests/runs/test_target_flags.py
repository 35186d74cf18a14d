"""Where targets come from: a request's own, a flat one, or a model of the warm-ups that the plan draws."""

from pathlib import Path

import numpy as np
import pytest

from collector.summary.slo import units
from loadgen.errors import UsageError, WarmupError
from loadgen.options import ArrivalOptions, DataOptions, SloOptions, TargetOptions, WarmupOptions
from loadgen.planning.plan import Plan, build_plan
from loadgen.runs.targets import check, targets
from loadgen.runs.warmups import Warmup
from tests.support.commands import bench, run, server

AFFINE = SloOptions(enabled=True, scale=2.0, model="affine")
TRACED = ("--task", "t2i", "--dataset", "trace", "--disable-tqdm", "--dataset-path")


def trace(folder: Path, *rows: str) -> str:
    path = folder / "trace.txt"
    path.write_text("".join(f"Request(prompt='p', {row})\n" for row in rows))
    return str(path)


def sized(folder: Path, *sides: int, steps: int = 4) -> str:
    return trace(folder, *[f"width={side}, height={side}, num_inference_steps={steps}" for side in sides])


def plan(path: str, warmup: WarmupOptions, task: str = "t2i") -> Plan:
    data = DataOptions(dataset="trace", task=task, dataset_path=path, num_prompts=1000)
    return build_plan(data, ArrivalOptions(), TargetOptions(), warmup)


def spanning(number: int) -> WarmupOptions:
    return WarmupOptions(number, num_inference_steps=None, spanning=True)


def sides(made: Plan) -> list[int]:
    return [int(made.shapes[entry][0]) for entry in made.warmups]


@pytest.mark.parametrize(
    ("number", "expected"),
    [(3, [512, 256, 64]), (2, [512, 64]), (5, [512, 384, 256, 128, 64]), (7, [512, 384, 256, 128, 64, 512, 384])],
)
def test_spanning_warm_ups_go_from_the_plans_largest_size_to_its_smallest(
    tmp_path: Path, number: int, expected: list[int]
) -> None:
    path = sized(tmp_path, 128, 256, 64, 256, 512, 384, 128)
    assert sides(plan(path, spanning(number))) == expected
    assert sides(plan(path, WarmupOptions(3))) == [128, 256, 64]  # else they are the first of the plan


def test_spanning_warm_ups_have_the_frames_and_steps_of_their_requests(tmp_path: Path) -> None:
    path = trace(tmp_path, *[f"width=64, height=64, num_frames={n}, num_inference_steps=9" for n in (4, 8, 16)])
    made = plan(path, spanning(3), task="t2v")
    assert made.shapes[list(made.warmups)].tolist() == [[64, 64, n, 9] for n in (16, 8, 4)]
    made = plan(path, WarmupOptions(1), task="t2v")
    assert made.shapes[list(made.warmups)].tolist() == [[64, 64, 1, 2]]


def warmed(made: Plan, fixed_ms: float = 100.0, unit_ms: float = 0.5) -> list[Warmup]:
    """Warm-ups of a server with a fixed cost and so much a unit."""
    shapes = made.shapes[list(made.warmups)]
    work = units(*shapes.T)
    latency_ms = [fixed_ms + unit_ms * float(u) for u in work]
    return [
        Warmup(ms, (w, h, frames, steps), None, "")
        for ms, (w, h, frames, steps) in zip(latency_ms, shapes.tolist(), strict=True)
    ]


def test_affine_targets_scale_the_fixed_cost_and_the_work(tmp_path: Path) -> None:
    made = plan(sized(tmp_path, 128, 256, 64, 512), spanning(3))
    check(made, AFFINE)
    found = targets(made, warmed(made), AFFINE)
    work = units(*made.shapes[made.entries].T)
    assert found.slo_ms == pytest.approx(2 * (100 + 0.5 * work))
    assert found.about["fixed_ms"] == pytest.approx(100)
    assert found.about["unit_ms"] == pytest.approx(0.5)
    assert [fit["residual_ms"] for fit in found.about["fit"]] == pytest.approx([0, 0, 0], abs=1e-6)
    assert found.about["warnings"] == []


def test_large_residuals_and_requests_far_beyond_the_warm_ups_are_warned_of(tmp_path: Path) -> None:
    made = plan(sized(tmp_path, 128, 256, 64, steps=50), WarmupOptions(3, num_inference_steps=2, spanning=True))
    one_off = warmed(made)
    one_off[1] = Warmup(900.0, one_off[1].shape, None, "")
    rough, far = targets(made, one_off, AFFINE).about["warnings"]
    assert "rough" in rough
    assert "25 times the work of the largest warm-up" in far


def test_warm_ups_of_fewer_than_three_sizes_are_bad_usage(tmp_path: Path) -> None:
    for number, sizes in ((6, (64, 128)), (2, (64, 128, 256))):
        with pytest.raises(UsageError, match="of 2 distinct sizes"):
            check(plan(sized(tmp_path, *sizes), spanning(number)), AFFINE)


def test_three_sizes_must_succeed_in_warming_up(tmp_path: Path) -> None:
    made = plan(sized(tmp_path, 64, 128, 256), spanning(4))
    found = warmed(made)
    found[1] = Warmup(1.0, found[1].shape, "http_500", "no")
    with pytest.raises(WarmupError, match="only 2"):
        targets(made, found, AFFINE)


def test_a_flat_target_is_for_requests_without_their_own_and_needs_no_warm_up(tmp_path: Path) -> None:
    made = plan(trace(tmp_path, "slo_ms=70", "seed=1"), WarmupOptions(0))
    flat = SloOptions(enabled=True, flat_ms=500.0)
    check(made, flat)
    found = targets(made, [], flat)
    assert found.slo_ms.tolist() == [70.0, 500.0]
    assert found.about == {"model": "flat", "flat_ms": 500.0}


def test_without_an_slo_requests_keep_what_they_have_and_nothing_is_modelled(tmp_path: Path) -> None:
    made = plan(trace(tmp_path, "slo_ms=70", "seed=1"), WarmupOptions(0))
    found = targets(made, [], SloOptions())
    assert found.slo_ms == pytest.approx(np.array([70.0, np.nan]), nan_ok=True)
    assert found.about == {}


def test_an_affine_run_finds_the_fixed_cost_of_the_server(tmp_path: Path) -> None:
    path = sized(tmp_path, 64, 128, 256, 512)
    with server(base_ms=200, unit_ms=0.1) as url:
        slo = bench(*TRACED, path, "--base-url", url, "--slo", "--slo-model", "affine", "--warmup-requests", "4")["slo"]
    assert slo["model"] == "affine"
    assert slo["fixed_ms"] >= 150  # with what a slow machine puts on top
    assert [fit["units"] for fit in slo["fit"]] == [4096.0, 1024.0, 256.0, 64.0]
    assert {row["class"] for row in slo["by_class"]} == {f"{side}x{side}, 4 steps" for side in (64, 128, 256, 512)}
    assert sum(row["requests"] for row in slo["over_time"]) == 4


def test_a_flat_slo_turns_the_slo_on(tmp_path: Path) -> None:
    with server(base_ms=5) as url:
        result = bench(
            *TRACED, sized(tmp_path, 64, 64), "--base-url", url, "--slo-ms", "60000", "--warmup-requests", "0"
        )
    assert result["slo_attainment_rate"] == 1.0
    assert result["slo"]["flat_ms"] == 60000


def test_an_affine_slo_over_one_size_is_refused_before_anything_starts(tmp_path: Path) -> None:
    words = ("--simulate", "--slo", "--slo-model", "affine", "--warmup-requests", "3")
    code, _, err = run("bench", *TRACED, sized(tmp_path, 64, 64), *words)
    assert code == 2
    assert "of 1 distinct sizes" in err

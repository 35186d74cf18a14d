import io
from pathlib import Path

import pytest
from PIL import Image

from loadgen import datasets
from loadgen.datasets import SampleSet
from loadgen.datasets.random import DEFAULT_COUNT
from loadgen.errors import UsageError
from loadgen.media.mp4 import fault
from loadgen.options import DataOptions, Shape


def load(count: int | None = 1, **options: object) -> SampleSet:
    return datasets.load(DataOptions(dataset="random", **{"task": "t2i", **options}), count=count)  # type: ignore[arg-type]


def test_a_million_samples_are_made_on_demand() -> None:
    found = load(1_000_000).samples
    assert len(found) == 1_000_000
    assert found[999_999].prompt == "Random prompt 999999 for benchmarking diffusion models"
    with pytest.raises(IndexError):
        found[1_000_000]


def test_iteration_ends_and_slices_are_parts() -> None:
    found = load(3).samples
    assert [sample.prompt.split()[2] for sample in found] == ["0", "1", "2"]
    assert found[1:] == [found[1], found[2]]
    assert found[-1] == found[2]


def test_without_a_count_there_is_a_documented_number_that_repeats() -> None:
    found = load(None)
    assert (len(found.samples), found.repeats) == (DEFAULT_COUNT, True)


def test_fields_of_a_profile_beat_the_flags_and_the_flags_fill_the_rest() -> None:
    flags = Shape(width=64, height=48, num_frames=9, num_inference_steps=50, seed=3, fps=8)
    sample = load(random_request_config='[{"width": 512, "num_inference_steps": 4}]', shape=flags).samples[0]
    assert (sample.width, sample.height, sample.num_frames, sample.num_inference_steps) == (512, 48, 9, 4)
    assert (sample.seed, sample.fps) == (3, 8)


def test_profiles_are_drawn_by_weight_and_seed() -> None:
    config = '[{"width": 1, "weight": 3}, {"width": 2}, {"width": 3, "weight": 0}]'

    def widths(seed: int) -> list[int | None]:
        return [s.width for s in load(4000, random_request_config=config, random_request_seed=seed).samples]

    drawn = widths(42)
    assert drawn == widths(42) != widths(43)
    assert set(drawn) == {1, 2}
    assert 2800 < drawn.count(1) < 3200  # 3000 expected, standard deviation 27


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ("[", "--random-request-config: not JSON"),
        ("{}", "--random-request-config: give a JSON list"),
        ("[]", "--random-request-config: give a JSON list"),
        ("[{}, 3]", "profile 2: not a JSON object"),
        ('[{}, {"wdith": 3}]', "profile 2: unknown key 'wdith'"),
        ('[{"width": "512"}]', "profile 1: width '512' is not a positive whole number"),
        ('[{"height": 0}]', "profile 1: height 0 is not"),
        ('[{"num_frames": true}]', "profile 1: num_frames True is not"),
        ('[{"fps": -1.5}]', "profile 1: fps -1.5 is not"),
        ('[{"seed": 18446744073709551616}]', "profile 1: seed 1"),
        ('[{"num_outputs_per_prompt": 0}]', "profile 1: num_outputs_per_prompt 0 is not"),
        ('[{"prompt": 3}]', "profile 1: prompt 3 is not text"),
        ('[{"weight": -1}]', "profile 1: weight -1 is not"),
        ('[{"weight": true}]', "profile 1: weight True is not"),
        ('[{"weight": 0}, {"weight": 0.0}]', "every weight is 0"),
    ],
)
def test_a_bad_profile_is_named_by_flag_and_number(config: str, problem: str) -> None:
    with pytest.raises(UsageError) as caught:
        load(random_request_config=config)
    assert "--random-request-config" in str(caught.value)
    assert problem in str(caught.value)


def test_weights_may_be_as_large_as_json_allows() -> None:
    found = load(10, random_request_config='[{"width": 1, "weight": 1.7e308}, {"width": 2, "weight": 1.7e308}]').samples
    assert {sample.width for sample in found} <= {1, 2}


def test_image_tasks_get_synthetic_images_of_the_size_of_the_request() -> None:
    found = load(2, task="i2i", num_input_images=2, shape=Shape(width=40, height=30)).samples
    for data in found[0].images:
        assert isinstance(data, bytes)
        image = Image.open(io.BytesIO(data))
        image.load()
        assert (image.format, image.size) == ("PNG", (40, 30))
    assert found[0].images[0] != found[0].images[1]
    assert all(a is b for a, b in zip(found[0].images, found[1].images, strict=True))
    assert load(1).samples[0].images == ()


def test_an_image_task_needs_at_least_one_image() -> None:
    with pytest.raises(UsageError, match="--num-input-images 0"):
        load(task="i2v", num_input_images=0)


def test_each_negative_prompt_has_the_number_of_its_sample() -> None:
    assert load().samples[0].extra == {}
    samples = load(2, enable_negative_prompt=True).samples
    assert samples[1].extra == {"negative_prompt": "Negative prompt 1 for benchmarking diffusion models"}


def test_a_profile_may_have_its_own_prompt_seed_outputs_and_a_fraction_of_a_frame_rate() -> None:
    config = f'[{{"prompt": "a cat", "seed": {2**64 - 1}, "fps": 23.976, "num_outputs_per_prompt": 2}}]'
    sample = load(random_request_config=config).samples[0]
    assert (sample.prompt, sample.seed, sample.fps, sample.extra) == ("a cat", 2**64 - 1, 23.976, {"n": 2})
    assert load(random_request_config='[{"seed": 0}]', shape=Shape(seed=3)).samples[0].seed == 0


def test_a_video_task_gets_a_small_whole_mp4() -> None:
    (video,) = load(task="v2v").samples[0].videos
    assert isinstance(video, Path)
    assert fault(video.read_bytes()) == ""
    assert load(task="t2v").samples[0].videos == ()

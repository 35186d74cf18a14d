"""Small stand-ins for the vbench data set in a cache folder of their own, so that nothing is downloaded."""

from pathlib import Path
from typing import Final

import orjson

from loadgen.datasets.downloads import Hub
from loadgen.simulator.engine.png import png

_COUNT: Final = 6


def fill(cache: Path) -> None:
    """Put prompts and pictures where `loadgen.datasets.downloads` looks for them below $XDG_CACHE_HOME = `cache`."""
    hub = Hub(cache=cache / "diffusion-loadgen")
    prompts = hub.cache / "vbench" / "subject_consistency.txt"
    origin = hub.cache / "vbench-i2v" / "data" / "origin"
    prompts.parent.mkdir(parents=True)
    origin.mkdir(parents=True)
    prompts.write_text("".join(f"a stand-in prompt {number}\n" for number in range(_COUNT)))
    names = [f"{number}.png" for number in range(_COUNT)]
    for name in names:
        (origin / name).write_bytes(png(320, 192))
    captions = [{"file_name": name, "caption": f"a stand-in caption for {name}"} for name in names]
    (origin.parent / "i2v-bench-info.json").write_bytes(orjson.dumps(captions))
    if (hub.vbench_prompts(), hub.vbench_images()) != (prompts, origin.parent.parent):
        raise RuntimeError("the layout of the cache has changed; change this file too")

"""The one seam to public hubs: where the default data sets come from and where they are kept."""

import os
import shutil
import sys
import urllib.request
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import orjson

from loadgen.datasets.input_images import SUFFIXES
from loadgen.errors import DownloadError
from loadgen.secrets import Secrets
from loadgen.system.temporary_folder import temporary_folder

TIMEOUT_S: Final = 30.0  # of silence, in each network operation
MOST_IMAGES: Final = 100_000  # of an archive
TRACE_REPOSITORY: Final = "asukaqaqzz/Dit_Trace"
VBENCH_INFO_ID: Final = "1zmWs_m_A4q6YgTZwIZ230jW0ttknlGJA"
VBENCH_ORIGIN_ID: Final = "1qhkLCSBkzll0dkKpwlDTwLL0nxdQ4nrY"


def cache_folder() -> Path:
    """Return the folder of this project in the user's cache folder ($XDG_CACHE_HOME, else ~/.cache)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "diffusion-loadgen"


@dataclass(frozen=True, slots=True)
class Hub:
    """Addresses of the public hubs and the local cache; tests point them at a loopback server.

    `hf_endpoint` and `hf_cache` None leave both to huggingface_hub ($HF_ENDPOINT, $HF_HOME). A file found at its
    place in `cache`, whoever put it there, is used without asking any hub. Every failure is a DownloadError.
    """

    hf_endpoint: str | None = None
    hf_cache: Path | None = None
    drive_url: str = "https://drive.google.com/uc?id={id}"
    vbench_url: str = (
        "https://raw.githubusercontent.com/Vchitect/VBench/master/prompts/prompts_per_dimension/subject_consistency.txt"
    )
    cache: Path = field(default_factory=cache_folder)
    unpacked_limit_bytes: int = 16 << 30
    list_limit_bytes: int = 64 << 20  # of prompts or captions

    def trace(self, name: str) -> Path:
        """Return a trace file of the Hugging Face data set, which huggingface_hub keeps in its own cache."""
        place = self.cache / "Dit_Trace" / name
        if place.exists():
            return place
        try:
            from huggingface_hub import hf_hub_download  # late, because it takes long to import

            # a public data set: the user's credentials have no business in the request
            found = hf_hub_download(
                TRACE_REPOSITORY,
                name,
                repo_type="dataset",
                endpoint=self.hf_endpoint,
                cache_dir=self.hf_cache,
                token=False,
            )
        except Exception as error:
            raise DownloadError(f"{name} of {TRACE_REPOSITORY}", _cause(error), place) from error
        return Path(found)

    def vbench_prompts(self) -> Path:
        """Return VBench's prompt list for the dimension subject_consistency."""
        place = self.cache / "vbench" / "subject_consistency.txt"
        return _fetched(self.vbench_url, place, self._vbench_list)

    def vbench_images(self) -> Path:
        """Return the folder that holds `data/i2v-bench-info.json` and `data/origin/`."""
        folder = self.cache / "vbench-i2v"
        info = folder / "data" / "i2v-bench-info.json"
        origin = folder / "data" / "origin"
        _fetched(f"VBench's {info.name} (Google Drive {VBENCH_INFO_ID})", info, self._drive_info)
        _fetched(f"VBench's origin.zip (Google Drive {VBENCH_ORIGIN_ID}, unpacked)", origin, self._drive_origin)
        return folder

    def _vbench_list(self, target: Path) -> None:
        # a fixed https address, or the one a caller of Hub chose
        with urllib.request.urlopen(self.vbench_url, timeout=TIMEOUT_S) as answer:  # noqa: S310
            content = answer.read(self.list_limit_bytes + 1)
            self._check_list(len(content))
            text = (content + answer.read()).decode()  # which raises where the answer was cut short
        if not text.strip() or text.lstrip().startswith("<"):
            raise ValueError("the answer is not a list of prompts")
        target.write_text(text, encoding="utf-8")

    def _check_list(self, size: int) -> None:
        if size > self.list_limit_bytes:
            raise ValueError(f"the answer has more than {self.list_limit_bytes} bytes")

    def _drive_info(self, target: Path) -> None:
        self._drive(VBENCH_INFO_ID, target)
        self._check_list(target.stat().st_size)
        if not isinstance(orjson.loads(target.read_bytes()), list):
            raise ValueError("the answer is not a JSON list")

    def _drive_origin(self, target: Path) -> None:
        archive = target.with_name("origin.zip")
        self._drive(VBENCH_ORIGIN_ID, archive)
        unpack_images(archive, target, self.unpacked_limit_bytes)

    def _drive(self, file_id: str, target: Path) -> None:
        import gdown  # late, because it takes long to import

        url = self.drive_url.format(id=file_id)
        gdown.download(url, str(target), quiet=not sys.stderr.isatty(), use_cookies=False, timeout=TIMEOUT_S)


def unpack_images(archive: Path, folder: Path, limit_bytes: int) -> None:
    """Unpack the images of a zip into a new folder, flat, whatever paths the archive claims for them.

    Links and devices are none here: what is unpacked is a plain file. ValueError where they exceed `limit_bytes`
    together, are too many, or there are none; FileExistsError where two share a name.
    """
    with zipfile.ZipFile(archive) as packed:
        images = [
            member
            for member in packed.infolist()
            if Path(member.filename).suffix.lower() in SUFFIXES and not member.is_dir()
        ]
        if not images:
            raise ValueError(f"no image in {archive.name}")
        if len(images) > MOST_IMAGES:
            raise ValueError(f"{archive.name} holds more than {MOST_IMAGES} images")
        if sum(member.file_size for member in images) > limit_bytes:  # of each, no more than it claims is unpacked
            raise ValueError(f"{archive.name} unpacks to more than {limit_bytes} bytes")
        folder.mkdir()
        for member in images:
            with packed.open(member) as source, (folder / Path(member.filename).name).open("xb") as target:
                shutil.copyfileobj(source, target)


def _fetched(what: str, place: Path, fetch: Callable[[Path], None]) -> Path:
    """Return `place`, which `fetch` fills under another name first: what stands at `place` is always whole."""
    if place.exists():
        return place
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with temporary_folder(".part-", place.parent) as part:
            target = part / place.name
            fetch(target)
            _publish(target, place)
    except Exception as error:
        raise DownloadError(what, _cause(error), place) from error
    return place


def _publish(target: Path, place: Path) -> None:
    try:
        target.replace(place)
    except OSError:
        if not place.is_dir():  # a folder cannot replace the one that another run has just put there: same thing
            raise


def _cause(error: Exception) -> str:
    """Say an exception in one short line: libraries wrap the reason in paragraphs of advice."""
    reason = error.__cause__ or error
    return Secrets().hide(" ".join(str(reason).split()))[:200] or type(reason).__name__  # a proxy's password, say

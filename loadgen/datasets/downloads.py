"""Downloads of the default datasets from public hubs, and their local cache."""

import os
import shutil
import sys
import urllib.request
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final

import orjson

from loadgen.datasets.hidden_files import is_hidden
from loadgen.datasets.input_images import SUFFIXES
from loadgen.errors import DownloadError
from loadgen.secrets import Secrets
from loadgen.system.temporary_folder import temporary_folder

TIMEOUT_S: Final = 30.0  # without data, in each network operation
MAX_IMAGES: Final = 100_000  # in an archive
TRACE_REPOSITORY: Final = "asukaqaqzz/Dit_Trace"
VBENCH_INFO_ID: Final = "1zmWs_m_A4q6YgTZwIZ230jW0ttknlGJA"
VBENCH_ORIGIN_ID: Final = "1qhkLCSBkzll0dkKpwlDTwLL0nxdQ4nrY"


def cache_folder() -> Path:
    """Return the folder of this project in the user's cache folder ($XDG_CACHE_HOME, else ~/.cache)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "diffusion-loadgen"


@dataclass(frozen=True, slots=True)
class Hub:
    """URLs of the public hubs and the local cache; tests point them at a loopback server.

    With None, `hf_endpoint` and `hf_cache` are those of huggingface_hub ($HF_ENDPOINT, $HF_HOME). A file that is in
    `cache` already, even put there by hand, is not downloaded. Every failure is a DownloadError.
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
        """Return a trace file of the Hugging Face dataset; huggingface_hub keeps it in its own cache."""
        path = self.cache / "Dit_Trace" / name
        if path.exists():
            return path
        try:
            from huggingface_hub import hf_hub_download  # imported late, since that takes long

            # no token: a public dataset does not need the user's credentials
            downloaded = hf_hub_download(
                TRACE_REPOSITORY,
                name,
                repo_type="dataset",
                endpoint=self.hf_endpoint,
                cache_dir=self.hf_cache,
                token=False,
            )
        except Exception as error:
            raise DownloadError(f"{name} of {TRACE_REPOSITORY}", _cause(error), path) from error
        return Path(downloaded)

    def vbench_prompts(self) -> Path:
        """Return VBench's prompt list for the dimension subject_consistency."""
        path = self.cache / "vbench" / "subject_consistency.txt"
        return _fetched(self.vbench_url, path, self._vbench_list)

    def vbench_images(self) -> Path:
        """Return the folder that holds `data/i2v-bench-info.json` and `data/origin/`."""
        folder = self.cache / "vbench-i2v"
        info = folder / "data" / "i2v-bench-info.json"
        origin = folder / "data" / "origin"
        _fetched(f"VBench's {info.name} (Google Drive {VBENCH_INFO_ID})", info, self._drive_info)
        _fetched(f"VBench's origin.zip (Google Drive {VBENCH_ORIGIN_ID}, unpacked)", origin, self._drive_origin)
        return folder

    def _vbench_list(self, target: Path) -> None:
        # a fixed https URL, or one that a caller of Hub chose
        with urllib.request.urlopen(self.vbench_url, timeout=TIMEOUT_S) as answer:  # noqa: S310
            content = answer.read(self.list_limit_bytes + 1)
            self._check_list(len(content))
            text = (content + answer.read()).decode()  # the second read raises if the answer was cut short
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
        import gdown  # imported late, since that takes long

        url = self.drive_url.format(id=file_id)
        gdown.download(url, str(target), quiet=not sys.stderr.isatty(), use_cookies=False, timeout=TIMEOUT_S)


def unpack_images(archive: Path, folder: Path, limit_bytes: int) -> None:
    """Unpack the images of a zip file into a new folder, ignoring their paths in the archive.

    Links and devices become plain files. Raises ValueError if they exceed `limit_bytes` together, if there are too many
    or none, and FileExistsError if two have the same name.
    """
    with zipfile.ZipFile(archive) as packed:
        images = [
            member
            for member in packed.infolist()
            if Path(member.filename).suffix.lower() in SUFFIXES
            and not member.is_dir()
            and not is_hidden(PurePosixPath(member.filename))
        ]
        if not images:
            raise ValueError(f"no image in {archive.name}")
        if len(images) > MAX_IMAGES:
            raise ValueError(f"{archive.name} holds more than {MAX_IMAGES} images")
        if sum(member.file_size for member in images) > limit_bytes:  # zipfile unpacks no more of each than it claims
            raise ValueError(f"{archive.name} unpacks to more than {limit_bytes} bytes")
        folder.mkdir()
        for member in images:
            with packed.open(member) as source, (folder / Path(member.filename).name).open("xb") as target:
                shutil.copyfileobj(source, target)


def _fetched(what: str, path: Path, fetch: Callable[[Path], None]) -> Path:
    """Return `path`; if it is missing, `fetch` writes it under a temporary name first, so that it is never partial."""
    if path.exists():
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary_folder(".part-", path.parent) as folder:
            part = folder / path.name
            fetch(part)
            _publish(part, path)
    except Exception as error:
        raise DownloadError(what, _cause(error), path) from error
    return path


def _publish(part: Path, path: Path) -> None:
    try:
        part.replace(path)
    except OSError:
        if not path.is_dir():  # else another run has just put the same folder there
            raise


def _cause(error: Exception) -> str:
    """The reason of an exception in one short line, without the paragraphs of advice that libraries add."""
    reason = error.__cause__ or error
    return (
        Secrets().hide(" ".join(str(reason).split()))[:200] or type(reason).__name__
    )  # such as the password of a proxy

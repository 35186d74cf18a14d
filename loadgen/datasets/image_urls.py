"""Input images that a dataset names by URL: downloaded before the run, so that their transfer is in no latency."""

import urllib.request
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

from loadgen.media.headers import describe
from loadgen.secrets import Secrets

SCHEMES: Final = ("http", "https", "data")
TIMEOUT_S: Final = 30.0  # without data
LIMIT_BYTES: Final = 64 << 20


@lru_cache(maxsize=32)  # datasets repeat their images
def fetch_image(url: str) -> bytes:
    """Return the bytes at an http, https or data URL; ValueError names the URL and what went wrong."""
    if urlsplit(url).scheme.lower() not in SCHEMES:
        raise ValueError(f"{_shown(url)}: an image URL starts with http:, https: or data:; for a file use image_path")
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:  # noqa: S310  the schemes are checked above
            data: bytes = answer.read(LIMIT_BYTES + 1)
    except (OSError, ValueError) as error:
        raise ValueError(f"cannot download {_shown(url)}: {Secrets().hide(str(error)):.200}") from None
    if len(data) > LIMIT_BYTES:
        raise ValueError(f"{_shown(url)}: has more than {LIMIT_BYTES} bytes; give a smaller image")
    media = describe(data)
    if media is None or media.kind != "image" or media.width is None:
        raise ValueError(f"{_shown(url)}: the answer is not a readable image; give the URL of a JPEG, PNG or WebP")
    return data


def _shown(url: str) -> str:
    """The URL without credentials and query, which may hold a key."""
    return Secrets().hide(url.partition("?")[0])[:80]

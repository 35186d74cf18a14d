"""The HTML document: inline styles, scripts and data, and a content security policy that allows nothing else."""

import base64
import hashlib
from collections.abc import Sequence
from importlib import resources

import orjson

from collector.report.html.markup import lines, text
from collector.report.html.plot import Plot

_HERE = resources.files(__package__)


def document(title: str, state: str, body: str, plots: Sequence[Plot]) -> str:
    """Return an HTML document; page.js draws each plot into the element of `body` (markup) with its name as id."""
    styles = [_asset("uPlot.min.css"), _asset("page.css")]
    scripts = [_asset("uPlot.iife.min.js"), _asset("page.js")] if plots else []
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_policy(styles, scripts)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<link rel="icon" href="data:,">\n'
        f"<title>{text(state)}: {text(title)}</title>\n"
        f"{''.join(f'<style>{style}</style>' for style in styles)}\n</head>\n<body>\n"
        f"<header><h1>{text(title)}</h1></header>\n<main>\n{body}</main>\n{_footer() if plots else ''}"
        f'<script type="application/json" id="plots">{_data(plots)}</script>\n'
        f"{''.join(f'<script>{script}</script>' for script in scripts)}\n</body>\n</html>\n"
    )


def _policy(styles: Sequence[str], scripts: Sequence[str]) -> str:
    """Allow the inline styles and scripts by hash, and nothing else."""
    allowed = f"style-src {_hashes(styles)}; script-src {_hashes(scripts)}"
    return f"default-src 'none'; {allowed}; img-src data:; base-uri 'none'; form-action 'none'"


def _hashes(contents: Sequence[str]) -> str:
    digests = (base64.b64encode(hashlib.sha256(content.encode()).digest()).decode() for content in contents)
    return " ".join(f"'sha256-{digest}'" for digest in digests) or "'none'"


def _data(plots: Sequence[Plot]) -> str:
    """Return the plots as JSON with `<` escaped, so that no text in it can close the script element."""
    return orjson.dumps(plots, option=orjson.OPT_SERIALIZE_NUMPY).replace(b"<", b"\\u003c").decode()


def _footer() -> str:
    usage = "Drag over a time plot to zoom in on all time plots; double-click to reset."
    licence = lines(_asset("uPlot.LICENSE"))
    return (
        f'<footer><p class="note screen">{usage}</p>'
        "<noscript><p>The plots need JavaScript; all figures are in the text.</p></noscript>"
        '<details class="screen"><summary class="note">Plots by uPlot (MIT licence)</summary>'
        f"<pre>{licence}</pre></details></footer>\n"
    )


def _asset(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")

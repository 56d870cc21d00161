"""Nothing of the site is loaded from elsewhere: no font, script, style or image. Where something is, building fails."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

LOADED = [
    re.compile(
        r"""<(?!a\b)\w+\b[^>]*?\b(?:src|href|srcset|data|poster)\s*=\s*["']?\s*((?:https?:)?//[^"'\s>]+)""", re.I
    ),
    re.compile(r"""url\(\s*["']?\s*((?:https?:)?//[^"')\s]+)""", re.I),
    re.compile(r"""@import\s+["']((?:https?:)?//[^"']+)""", re.I),
]
log = logging.getLogger("mkdocs.hooks.offline")


def loaded_from_elsewhere(text: str) -> list[str]:
    """The addresses from which a page or a style sheet would load something; links to be followed are none."""
    return [address for pattern in LOADED for address in pattern.findall(text)]


def outside(site: Path) -> Iterator[tuple[Path, str]]:
    """Files of a site and the addresses they load."""
    for path in sorted(site.rglob("*")):
        if path.suffix in {".html", ".css", ".svg"}:
            yield from ((path, address) for address in loaded_from_elsewhere(path.read_text(encoding="utf-8")))


def on_post_build(config: Any) -> None:
    """Called when all is written."""
    for path, address in outside(Path(config.site_dir)):
        log.warning("%s loads %s", path, address)

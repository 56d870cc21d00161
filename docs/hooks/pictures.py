"""Committed results that pages show: they stay where they are, and the site gets a copy."""

from __future__ import annotations

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

RESULTS = Path(__file__).parents[2] / "results" / "reference"
SHOWN = ["quick/rate_curves.png"]


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Called with the site's files."""
    for path in SHOWN:
        files.append(File.generated(config, Path(path).name, abs_src_path=str(RESULTS / path)))
    return files

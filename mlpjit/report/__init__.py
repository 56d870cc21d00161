"""Figures, tables and the page of a study, from its store alone; skipped when nothing has changed.

Nothing heavy is imported before it is known that something must be drawn: a study that is complete answers at
once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

STAMP = Path("figures") / ".stamp"
PAGE = "report.html"
PACKAGE = Path(__file__).parents[1]
SOURCES = ("report/**/*.py", "report/templates/*", "comparison/*.py", "statistics/*.py", "tuning/*.py")


def write(
    directory: Path | str, pdf: bool = False, force: bool = False, announce: Callable[[], object] | None = None
) -> list[Path]:
    """Write figures (SVG, PNG, with `pdf` PDF too), tables and report.html of the store in `directory`.

    Returns the files, the page first. Nothing is written when store, report sources and files are unchanged,
    unless `force`; `announce` is called when something will be.

    Raises StoreError when there is no store, no run in it, or no room to write.
    """
    from mlpjit.errors import StoreError, writing
    from mlpjit.report.export import exported_alone
    from mlpjit.store import Store

    directory = Path(directory)
    if exported_alone(directory):
        raise StoreError(f"{directory}: an exported table has no curves to draw: `mlpjit compare` reads it")
    with Store.open(directory, readonly=True) as store:
        version = {"store": store.content_version(), "sources": sources_hash()}
        known = read_stamp(directory)
        if not force and is_current(directory, known, version, pdf):
            return [directory / name for name in known["files"]]
        if announce:
            announce()
        with writing(directory):
            return render(store, directory, pdf, version)


def answer(directory: Path | str, announce: Callable[[], object] | None = None) -> list[dict[str, Any]]:
    """Return the answer table's rows as plain data, best first, writing the report if it is not current."""
    write(directory, announce=announce)
    rows: list[dict[str, Any]] = read_stamp(Path(directory))["answer"]
    return rows


def sentences(directory: Path | str) -> dict[str, str]:
    """Return the answer in words that the last report gave, by section."""
    found: dict[str, str] = read_stamp(Path(directory)).get("sentences", {})
    return found


def render(store: Any, directory: Path, pdf: bool, version: dict[str, str]) -> list[Path]:
    """Draw everything anew; remove what an earlier report wrote and this one does not."""
    from mlpjit.report import page

    before = read_stamp(directory).get("files", [])
    (directory / STAMP).unlink(missing_ok=True)  # an interrupted report is not a current one
    files, rows, told = page.write(store, directory, pdf)
    for name in set(before) - set(files):
        (directory / name).unlink(missing_ok=True)
    stamp = {**version, "pdf": pdf, "files": files, "answer": rows, "sentences": told}
    (directory / STAMP).write_text(json.dumps(stamp), encoding="utf-8")
    return [directory / name for name in files]


def read_stamp(directory: Path) -> dict[str, Any]:
    """Return what the last report wrote down, empty if there is none that can be read."""
    try:
        stamp = json.loads((directory / STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def is_current(directory: Path, stamp: dict[str, Any], version: dict[str, str], pdf: bool) -> bool:
    """Whether the last report shows this version and all of its files are still there."""
    same = all(stamp.get(key) == value for key, value in version.items())
    drawn = bool(stamp.get("pdf")) or not pdf
    return same and drawn and all((directory / name).is_file() for name in stamp.get("files", [PAGE]))


def sources_hash() -> str:
    """Return a hash over every file that decides how a report looks."""
    digest = hashlib.sha256()
    for path in _sources():
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def _sources() -> Iterator[Path]:
    for pattern in SOURCES:
        yield from sorted(PACKAGE.glob(pattern))

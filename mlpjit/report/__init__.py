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
PACKAGE = Path(__file__).parents[1]
SOURCES = ("report/**/*.py", "report/templates/*", "comparison/*.py", "statistics/*.py", "tuning/*.py")


def write(
    directory: Path | str, pdf: bool = False, force: bool = False, announce: Callable[[], object] | None = None
) -> list[Path]:
    """Write figures (SVG, PNG, with `pdf` PDF too), tables and report.html of the store in `directory`.

    Returns the files, the page first. Nothing is written when store, report sources and files are unchanged,
    unless `force`; `announce` is called when something will be. While another process writes it, this one waits.

    Raises StoreError when there is no store, no run in it, or no room to write.
    """
    directory = Path(directory)
    return [directory / name for name in _current(directory, pdf, force, announce)["files"]]


def _current(
    directory: Path, pdf: bool = False, force: bool = False, announce: Callable[[], object] | None = None
) -> dict[str, Any]:
    """Return what the report that is current now wrote down, drawn anew if need be."""
    from mlpjit.errors import StoreError, writing
    from mlpjit.kernels.compiler.claims import claimed
    from mlpjit.report.export import exported_alone
    from mlpjit.store import Store

    if exported_alone(directory):
        raise StoreError(f"{directory}: an exported table has no curves to draw: `mlpjit compare` reads it")
    with Store.open(directory, readonly=True) as store, claimed(directory / "report"):
        version = {"store": store.content_version(), "sources": sources_hash()}
        known = read_stamp(directory)
        if not force and is_current(directory, known, version, pdf):
            return known
        if announce:
            announce()
        with writing(directory):
            return render(store, directory, pdf, version)


def answer(directory: Path | str, announce: Callable[[], object] | None = None) -> list[dict[str, Any]]:
    """Return the answer table's rows as plain data, best first, writing the report if it is not current."""
    rows: list[dict[str, Any]] = _current(Path(directory), announce=announce)["answer"]
    return rows


def sentences(directory: Path | str) -> dict[str, str]:
    """Return the answer in words that the last report gave, by section."""
    found: dict[str, str] = read_stamp(Path(directory)).get("sentences", {})
    return found


def render(store: Any, directory: Path, pdf: bool, version: dict[str, str]) -> dict[str, Any]:
    """Draw everything anew; remove what an earlier report wrote and this one does not."""
    from mlpjit.files import replacing
    from mlpjit.report import page

    before = read_stamp(directory).get("files", {})
    files, rows, told = page.write(store, directory, pdf)
    for name in set(before) - set(files):
        (directory / name).unlink(missing_ok=True)
    digests = {name: _digest(directory / name) for name in files}
    stamp = {**version, "pdf": pdf, "files": digests, "answer": rows, "sentences": told}
    with replacing(directory / STAMP) as partial:
        text = json.dumps(stamp)
        partial.write_text(f"{_check(text)}\n{text}", encoding="utf-8")
    return stamp


def read_stamp(directory: Path) -> dict[str, Any]:
    """Return what the last report wrote down, empty if there is none, or none that is as it was written."""
    try:
        check, text = (directory / STAMP).read_text(encoding="utf-8").split("\n", 1)
    except (OSError, ValueError):
        return {}
    stamp: dict[str, Any] = json.loads(text) if check == _check(text) else {}
    return stamp


def _check(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _digest(path: Path) -> str:
    """Return the digest of a file, nothing where it cannot be read: whatever was written has one."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def is_current(directory: Path, stamp: dict[str, Any], version: dict[str, str], pdf: bool) -> bool:
    """Whether the last report shows this version, and all of its files are there as they were written."""
    same = all(stamp.get(key) == value for key, value in version.items())
    drawn = bool(stamp.get("pdf")) or not pdf
    return same and drawn and all(_digest(directory / name) == made for name, made in stamp["files"].items())


def sources_hash() -> str:
    """Return a hash over every file that decides how a report looks."""
    digest = hashlib.sha256()
    for path in _sources():
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def _sources() -> Iterator[Path]:
    for pattern in SOURCES:
        yield from sorted(PACKAGE.glob(pattern))

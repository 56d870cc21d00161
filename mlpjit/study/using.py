"""Files of a user's own that a study names: `use = ["my.py"]` at its top makes what they declare known by name.

They are read, and the study's runs made, in worker processes (`study/workers.py`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from mlpjit.errors import ConfigError
from mlpjit.extending.files import OwnFile
from mlpjit.study.blocks import Block
from mlpjit.study.mistakes import Mistakes

if TYPE_CHECKING:
    from mlpjit.study.pool import Runner
    from mlpjit.study.workers import Workers

USE = "use"


class Using(Protocol):
    """What is asked of a study that names files."""

    @property
    def use(self) -> tuple[OwnFile, ...]:
        """The files."""

    @property
    def blocks(self) -> tuple[Block, ...]:
        """Its blocks."""


def read_use(table: Mapping[str, Any], folder: Path, mistakes: Mistakes) -> tuple[OwnFile, ...]:
    """Read the files that a study names, their paths relative to a folder, and register what they declare."""
    given = table.get(USE, [])
    names = [given] if isinstance(given, str) else given
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        mistakes.add(USE, f'got {given!r}, need a list of Python files, as ["my.py"]')
        return ()
    found: list[OwnFile] = []
    for index, name in enumerate(names):
        try:
            found.append(_read(folder / name, found))
        except ConfigError as error:
            mistakes.add_all(f"{USE}[{index}]", error)
    return tuple(found)


def _read(path: Path, before: Sequence[OwnFile]) -> OwnFile:
    """Have a worker read a file; ConfigError where another one has declared a name of it."""
    from mlpjit.study.workers import read

    file = read(path)
    for other in before:
        if common := [name for entry in file.entries if entry in other.entries for name in entry[1:]]:
            raise ConfigError(f"{path.name}: {common[0]!r} is declared in {other.path.name} too")
    return file


def digests(files: Sequence[OwnFile]) -> dict[str, dict[str, str]]:
    """Return what a plan is told of files: nothing without any, else the hash of each one's text by its name.

    Where two of them have one name, names tell their folders apart.
    """
    named = {file.path.name: file.digest for file in files}
    if len(named) < len(files):
        paths = [file.path.resolve() for file in files]
        folder = os.path.commonpath([path.parent for path in paths])
        named = {path.relative_to(folder).as_posix(): file.digest for path, file in zip(paths, files, strict=True)}
    return {USE: named} if files else {}


def dtypes_of(study: Using) -> list[str]:
    """Return the dtypes of a study's runs."""
    return sorted({values["dtype"] for block in study.blocks for values in block.combinations(("dtype",))})


@contextmanager
def running(paths: Sequence[Path]) -> Iterator[Workers | None]:
    """Read some files, and lend worker processes that make runs with what they declare; None without any."""
    if not paths:
        yield None
        return
    from mlpjit.study.workers import read, working

    with working([read(path) for path in paths]) as workers:
        yield workers


@contextmanager
def runner_of(study: Using, given: Runner | None = None) -> Iterator[Runner | None]:
    """Lend what makes a study's runs: `given`, or worker processes where it names files; None for this process.

    Raises ConfigError where a file's entry fails its checks.
    """
    if given is not None or not study.use:
        yield given
        return
    from mlpjit.study.workers import working

    with working(study.use) as workers:
        workers.check([entry for file in study.use for entry in file.entries], dtypes_of(study))
        yield workers.runner()

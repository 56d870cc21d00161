"""Hashes of source code that change with its meaning only, and with nothing else.

A file is taken apart into its top-level statements. Comments, docstrings, layout, imports, names of files and modules,
and the words that tell of an entry (formula, citation) are left out: what is moved or told better stays what it is.
A statement's hash holds what the names in it stand for: those of the package by the text that defines them, others by
where they are imported from.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from mlpjit.errors import MlpjitError
from mlpjit.host import IMPORTED_AT
from mlpjit.kernels.syntax import taken_apart

PACKAGE = Path(__file__).parents[1]
# What decides the bits of a run.
HASHED = ("kernels", "catalogue", "training", "registry.py", "extending/__init__.py")
LEFT_OUT = ("kernels/timing", "kernels/interactive")  # what runs never call
# How far a statement's hash looks along what it refers to: two functions of one name may differ in what they call.
DEPTH = 4
Place = tuple[str, int]  # a file and the number of a statement in it


def texts(names: Iterable[str] = HASHED, package: Path = PACKAGE) -> dict[str, str]:
    """Return the text of every file of some folders, by its path below the package; at first what decides bits."""
    return {relative: path.read_text(encoding="utf-8") for relative, path in _paths(names, package)}


def _paths(names: Iterable[str], package: Path) -> Iterator[tuple[str, Path]]:
    for name in names:
        for path in [package / name] if name.endswith(".py") else sorted((package / name).rglob("*.py")):
            relative = path.relative_to(package).as_posix()
            if names is not HASHED or not relative.startswith(LEFT_OUT):
                yield relative, path


def check_unchanged(since: float = IMPORTED_AT, package: Path = PACKAGE) -> None:
    """Raise MlpjitError where a file that decides bits changed after this process began to read the package.

    What runs is then what was read, and the hash of the files is that of something else.
    """
    for relative, path in _paths(HASHED, package):
        if path.stat().st_ctime > since:
            raise MlpjitError(f"mlpjit/{relative} changed after this process began: start it again")


def bytes_hash(found: Mapping[str, str]) -> str:
    """Return the hash of files to the letter."""
    return digest(f"{path} {len(text)}\n{text}" for path, text in found.items())


def digest(parts: Iterable[str]) -> str:
    """Return the SHA-256 of some texts, one a line."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


class Code:
    """The code of runs, taken apart. `homes` are the files that hold catalogue entries.

    What a run goes through whatever its entries is everything outside the homes, and what that refers to inside them.
    """

    def __init__(self, texts: Mapping[str, str], homes: frozenset[str]) -> None:
        self.files = {path: taken_apart(text) for path, text in texts.items()}
        self.homes = homes

    @cached_property
    def _defined(self) -> dict[tuple[str, str], list[Place]]:
        """Where each name of each file is defined."""
        found: dict[tuple[str, str], list[Place]] = {}
        for path, file in self.files.items():
            for number, statement in enumerate(file.statements):
                for name in statement.names:
                    found.setdefault((path, name), []).append((path, number))
        return found

    def _file(self, module: str) -> str | None:
        """Return the file of a module of the package, None for what is not hashed."""
        path = module.removeprefix("mlpjit.").replace(".", "/")
        return next((name for name in (f"{path}.py", f"{path}/__init__.py") if name in self.files), None)

    def _places(self, module: str, name: str) -> list[Place]:
        """Return where `from module import name` leads to, through packages that only hand it on."""
        path = self._file(module)
        if path is None or self._file(f"{module}.{name}"):
            return []
        if (path, name) in self._defined:
            return self._defined[path, name]
        return [place for target in self.files[path].imports.get(name, ()) for place in self._places(*target)]

    @cached_property
    def _refers(self) -> dict[Place, list[Place]]:
        """What each statement refers to, in the order of the names in it."""
        return {
            (path, number): [
                place
                for module, name in statement.refers
                for place in (self._places(module, name) if module else self._defined.get((path, name), []))
            ]
            for path, file in self.files.items()
            for number, statement in enumerate(file.statements)
        }

    @cached_property
    def _meaning(self) -> dict[Place, str]:
        """The hash of each statement with what it refers to, and what that refers to, DEPTH times over."""
        found = {
            (path, number): statement.text
            for path, file in self.files.items()
            for number, statement in enumerate(file.statements)
        }
        for _ in range(DEPTH):
            found = {
                place: digest([text, *map(found.__getitem__, self._refers[place])]) for place, text in found.items()
            }
        return found

    def _hash(self, places: Iterable[Place]) -> str:
        """Return the hash of statements, whatever their order and their files."""
        return digest(sorted(self._meaning[place] for place in places))

    def _reached(self, roots: Iterable[Place], without: frozenset[Place] = frozenset()) -> frozenset[Place]:
        """Return some statements and all that they refer to, directly or not."""
        found, left = set(), [place for place in roots if place not in without]
        while left:
            place = left.pop()
            if place not in found:
                found.add(place)
                left += [other for other in self._refers[place] if other not in without]
        return frozenset(found)

    @cached_property
    def _shared(self) -> frozenset[Place]:
        outside = (path for path in self.files if path not in self.homes)
        return self._reached((path, number) for path in outside for number in range(len(self.files[path].statements)))

    @cached_property
    def shared(self) -> str:
        """The hash of the code that every run goes through, whatever entries it uses."""
        return self._hash(self._shared)

    def entry(self, path: str, name: str) -> str:
        """Return the hash of the entry that a file defines under a name, and of all that it alone refers to.

        What a file does without giving it a name, such as registering, belongs to each of its entries.
        """
        nameless = [(path, n) for n, statement in enumerate(self.files[path].statements) if not statement.names]
        return self._hash(self._reached([*self._defined[path, name], *nameless], self._shared))


def home(function: Callable[..., Any]) -> tuple[str, str] | None:
    """Return the file below the package, and the name, that a function is defined under; None for a user's own."""
    function = getattr(function, "rule", function)  # one with the full signature was made for it (`named_arguments`)
    path = Path(function.__code__.co_filename)
    inside = path.is_relative_to(PACKAGE)
    return (path.relative_to(PACKAGE).as_posix(), function.__qualname__.partition(".")[0]) if inside else None

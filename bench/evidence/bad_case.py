"""A command that cannot be carried out: what lies in its folder, its words, and what its refusal must name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

QUIET = ("--no-report",)


@dataclass(frozen=True)
class Case:
    """A command line in a folder of its own.

    `files` are written there first, then `make` is called with the folder. `names` must all stand in the refusal.
    `valid`: it is no mistake, and the command must end with 0. `plain`: not as root, who may read everything.
    """

    name: str
    command: tuple[str, ...]
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    make: Callable[[Path], object] = lambda folder: None
    valid: bool = False
    plain: bool = False

    def prepare(self, folder: Path) -> None:
        """Write what the command meets."""
        for name, content in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        self.make(folder)


def of_study(name: str, text: str | bytes, *names: str, valid: bool = False) -> Case:
    """A study file that is run; planned where nothing is wrong with it."""
    command = ("plan", "bad.toml") if valid else ("run", "bad.toml", *QUIET)
    return Case(name, command, {"bad.toml": text}, ("bad.toml", *names), valid=valid)


def of_data(name: str, file: str, content: str | bytes, *names: str, more: str = "", valid: bool = False) -> Case:
    """A data file that a study trains on; `more` of its table."""
    study = f'dataset = {{name = "{file}"{more}}}\nepochs = 1\n'
    command = ("plan", "bad.toml") if valid else ("run", "bad.toml", *QUIET)
    return Case(name, command, {"bad.toml": study, file: content}, (file, *names), valid=valid)

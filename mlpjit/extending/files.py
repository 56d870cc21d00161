"""A user's file with entries of any kind: loaded as a module of its own; what is wrong in it told in a quoting line."""

from __future__ import annotations

import builtins
import hashlib
import linecache
import re
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from mlpjit import extending
from mlpjit.catalogue.registries import REGISTRIES
from mlpjit.errors import ConfigError
from mlpjit.extending.checking import check_words, rules_of
from mlpjit.extending.findings import RuleError
from mlpjit.registry import suggestion

# One name for all files, so that the same text in another file is the same entry.
MODULE = "own_entries"
IMPORTED = re.compile(r"cannot import name '(\w+)' from '([\w.]+)'")
Entry = tuple[str, str]  # a kind, as "optimizers", and a name
# The field of a run that chooses an entry of each kind.
FIELDS = {
    "optimizers": "optimizer", "wrappers": "wrapper", "clippings": "clip", "activations": "activation",
    "losses": "loss", "initializers": "init", "schedules": "schedule",
}  # fmt: skip
_helpers: dict[str, str] = {}  # the folder of each module that a file has imported from beside it
STAGES = ("optimizers", "wrappers", "clippings")
DECORATORS = "@elementwise, @activation, @loss, @initializer, @schedule or another of mlpjit.extending"


@dataclass(frozen=True)
class OwnFile:
    """A file that was loaded: what it registered, by kind and name, and the SHA-256 of its text.

    `spaces` has what a file's SPACES says an entry is tuned over: lists and ranges by parameter.
    """

    path: Path
    digest: str
    entries: tuple[Entry, ...]
    spaces: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """The names alone."""
        return tuple(name for _, name in self.entries)

    @property
    def field(self) -> str:
        """The field of a run that its entries are values of; ConfigError where they are of several kinds."""
        kinds = list(dict.fromkeys(kind for kind, _ in self.entries))
        if len(kinds) > 1:
            told = " and ".join(kinds)
            raise ConfigError(f"{self.path.name}: it holds {told}: a try compares one kind, so give each its own file")
        return FIELDS[kinds[0]]


def load(path: Path | str) -> OwnFile:
    """Run a file and return what it registered; ConfigError where it cannot be used, in one line."""
    path = Path(path)
    text = _read(path)
    code = _compiled(path, text)
    before = {kind: registry.records() for kind, registry in REGISTRIES.items()}
    module = ModuleType(MODULE)
    module.__file__ = str(path)
    sys.modules[MODULE] = module  # Numba looks there for the globals of what it loads from its cache
    folder = str(path.resolve().parent)
    _forget_helpers_of_others(folder)
    imported = set(sys.modules)
    sys.path.insert(0, folder)  # as for a script: it may import what lies beside it
    linecache.checkcache(str(path))
    # Python takes a helper's bytecode for current where the edit was within a second of it and as long.
    before_writing, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        exec(code, vars(module))
    except RuleError:
        raise
    except (Exception, SystemExit) as error:
        raise ConfigError(f"{path.name}{_place(error, path)}: {_told(error)}") from error
    finally:
        sys.dont_write_bytecode = before_writing
        sys.path[:] = [each for each in sys.path if each != folder]
        _helpers.update({name: folder for name in sys.modules.keys() - imported if _lies_in(folder, name)})
    entries = tuple((kind, r.name) for kind in REGISTRIES for r in REGISTRIES[kind].records() if r not in before[kind])
    if not entries:
        need = f"decorate a function with {DECORATORS} (docs/try.md)"
        raise ConfigError(f"{path.name}: nothing is declared in it: {need}")
    check_words(*(rule for kind, name in entries if kind in STAGES for rule in rules_of(REGISTRIES[kind][name])))
    spaces = _spaces(path, vars(module).get("SPACES", {}), [name for _, name in entries])
    return OwnFile(path, hashlib.sha256(text.encode()).hexdigest(), entries, spaces)


def _forget_helpers_of_others(folder: str) -> None:
    """Have a file import what lies beside it, and no module of that name from beside another file."""
    for name in [name for name, of in _helpers.items() if of != folder]:
        sys.modules.pop(name, None)
        del _helpers[name]


def _lies_in(folder: str, name: str) -> bool:
    """Say whether a module lies beside a file. This package may, in a clone, and stays what it is."""
    package = name.partition(".")[0]
    top = Path(folder) / package
    found = top.with_suffix(".py").is_file() or (top / "__init__.py").is_file()
    return found and package != __name__.partition(".")[0]


def _spaces(path: Path, given: Any, names: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
    """Return SPACES if it has a table for some of the file's entries."""
    if not isinstance(given, Mapping) or not all(isinstance(space, Mapping) for space in given.values()):
        example = f"{{{names[0]!r}: {{'momentum': [0.8, 0.9]}}}}"
        raise ConfigError(f"{path.name}: SPACES is {given!r}, need a table for each name, as {example}")
    for name in given:
        if name not in names:
            raise ConfigError(f"{path.name}: SPACES has {name!r}, which is not declared in this file")
    return given


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such file (looked in {Path.cwd()})") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not a Python file: it is not text in UTF-8") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None


def _compiled(path: Path, text: str) -> CodeType:
    try:
        return compile(text, str(path), "exec", dont_inherit=True)
    except SyntaxError as error:
        line = f", line {error.lineno}: {quoted(path, error.lineno)}" if error.lineno else ""
        raise ConfigError(f"{path.name}{line}: {error.msg}") from None
    except ValueError as error:
        raise ConfigError(f"{path.name}: not a Python file: {error}") from None


def _place(error: BaseException, path: Path) -> str:
    """Return the line of the file where an error arose."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename == str(path):
            return f", line {frame.lineno}: {quoted(path, frame.lineno)}"
    return ""


def _told(error: BaseException) -> str:
    """Return an error in one line; of a name that is missing, where it is to be had or what it may have been."""
    if isinstance(error, ConfigError):
        return "; ".join(error.problems)
    if isinstance(error, ImportError) and (found := IMPORTED.match(str(error))):
        near = suggestion(found[1], vars(sys.modules.get(found[2], builtins))).partition(" (known")[0]
        return f"{found[2]} has no {found[1]!r}{near}"
    if isinstance(error, ModuleNotFoundError):
        return f"there is no module {error.name!r} here"
    if isinstance(error, NameError) and error.name in extending.__all__:
        return f"{error.name} is not imported: from mlpjit.extending import {error.name}"
    return " ".join(f"{type(error).__name__}: {error}".split())


def quoted(path: Path | str, number: int | None) -> str:
    """Return a line of a file between backquotes."""
    return f"`{linecache.getline(str(path), number or 0).strip()}`"

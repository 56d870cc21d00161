"""A user's file with optimizers: loaded as a module of its own; what is wrong in it told in one line that quotes it."""

from __future__ import annotations

import hashlib
import linecache
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from mlpjit.catalogue.registries import optimizers
from mlpjit.errors import ConfigError

# One name for all files, so that the same text in another file is the same optimizer.
MODULE = "own_optimizers"


@dataclass(frozen=True)
class OptimizerFile:
    """A file that was loaded: the names of the optimizers that it registered, and the SHA-256 of its text.

    `spaces` has what a file's SPACES says an optimizer is tuned over: lists and ranges by parameter.
    """

    path: Path
    digest: str
    names: tuple[str, ...]
    spaces: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def load(path: Path | str) -> OptimizerFile:
    """Run a file and return what it registered; ConfigError where it cannot be used, in one line."""
    path = Path(path)
    text = _read(path)
    code = _compiled(path, text)
    before = optimizers.records()
    module = ModuleType(MODULE)
    module.__file__ = str(path)
    sys.modules[MODULE] = module  # Numba looks there for the globals of what it loads from its cache
    folder = str(path.resolve().parent)
    sys.path.insert(0, folder)  # as for a script: it may import what lies beside it
    linecache.checkcache(str(path))
    # Python takes a helper's bytecode for current where the edit was within a second of it and as long.
    before_writing, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        exec(code, vars(module))
    except (Exception, SystemExit) as error:
        raise ConfigError(f"{path.name}{_place(error, path)}: {_told(error)}") from error
    finally:
        sys.dont_write_bytecode = before_writing
        sys.path[:] = [each for each in sys.path if each != folder]
    names = tuple(record.name for record in optimizers.records() if record not in before)
    if not names:
        raise ConfigError(
            f"{path.name}: no optimizer in it: decorate one with @elementwise or @layerwise (docs/try.md)"
        )
    spaces = _spaces(path, vars(module).get("SPACES", {}), names)
    return OptimizerFile(path, hashlib.sha256(text.encode()).hexdigest(), names, spaces)


def _spaces(path: Path, given: Any, names: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
    """Return SPACES if it has a table for some of the file's optimizers."""
    if not isinstance(given, Mapping) or not all(isinstance(space, Mapping) for space in given.values()):
        example = f"{{{names[0]!r}: {{'momentum': [0.8, 0.9]}}}}"
        raise ConfigError(f"{path.name}: SPACES is {given!r}, need a table for each optimizer, as {example}")
    for name in given:
        if name not in names:
            raise ConfigError(f"{path.name}: SPACES has {name!r}, which is no optimizer of this file")
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
    if isinstance(error, ConfigError):
        return "; ".join(error.problems)
    return " ".join(f"{type(error).__name__}: {error}".split())


def quoted(path: Path | str, number: int | None) -> str:
    """Return a line of a file between backquotes."""
    return f"`{linecache.getline(str(path), number or 0).strip()}`"

"""Errors that a user can cause: one clear line each, never a traceback on the command line."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path


class MlpjitError(Exception):
    """Any error that mlpjit reports to its user; `exit_code` is what the command line returns."""

    exit_code = 1


class ConfigError(MlpjitError):
    """A configuration that cannot run. `problems` holds every mistake found, one line each."""

    exit_code = 2

    def __init__(self, problems: str | Iterable[str]) -> None:
        self.problems = [problems] if isinstance(problems, str) else list(problems)
        super().__init__("\n".join(self.problems))


class DatasetError(ConfigError):
    """Data that cannot be used: a missing file, a wrong shape, text, NaN, a single class."""


class StoreError(MlpjitError):
    """A result store that cannot be read or written, or a full disk."""

    exit_code = 3


class DamageWarning(UserWarning):
    """What a store has lost, and that it counts as not made: one line."""


MOST_SHOWN = 200  # characters of a value in an error


def shown(value: object) -> str:
    """Return a value as errors show it: an array or a frame by its shape, all else by its text, cut where long."""
    shape = getattr(value, "shape", ())
    if shape:
        return f"{type(value).__name__} of shape {shape}"
    text = repr(value)
    return text if len(text) <= MOST_SHOWN else text[:MOST_SHOWN] + "..."


class _Reader:
    """Who reads errors: a caller from Python, or whoever types a command, with `--data` or beside a study file."""

    types_commands = types_data = False


@contextmanager
def read_on_the_command_line() -> Iterator[None]:
    """Have errors name options as commands take them while this lasts."""
    before, _Reader.types_commands = _Reader.types_commands, True
    try:
        yield
    finally:
        _Reader.types_commands, _Reader.types_data = before, False


def data_is_typed(typed: bool) -> None:
    """Note whether a command has `--data`, whose columns its other options choose; without, a study file does."""
    _Reader.types_data = typed


def option(name: str, value: object, argument: str = "") -> str:
    """Return how the reader gives an option: `--threads 2`, or as an argument, `threads=2`; True is a flag.

    Of a list every value has the option before it.
    """
    if not _Reader.types_commands:
        return f"{argument or name}={value!r}"
    if isinstance(value, list):
        return " ".join(option(name, each) for each in value)
    return f"--{name}" if value is True else f"--{name} {shlex.quote(str(value))}"


def data_option(name: str, value: object) -> str:
    """Return how the reader gives an option of a dataset: `drop=['id']`, `--drop id`, or `drop = ['id']` in a file."""
    if _Reader.types_commands and not _Reader.types_data:
        return f"{name} = {value!r}"
    return option(name, ",".join(map(str, value)) if _Reader.types_data and isinstance(value, list) else value)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn an OSError into a StoreError that names the file, or `path` where the system names none."""
    try:
        yield
    except OSError as error:
        raise StoreError(f"{error.filename or path}: cannot be written: {error.strerror or error}") from error

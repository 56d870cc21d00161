"""Errors that a user can cause: one clear line each, never a traceback on the command line."""

from __future__ import annotations

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


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn an OSError into a StoreError that names the file, or `path` where the system names none."""
    try:
        yield
    except OSError as error:
        raise StoreError(f"{error.filename or path}: cannot be written: {error.strerror or error}") from error

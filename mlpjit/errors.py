"""Errors that a user can cause: one clear line each, never a traceback on the command line."""

from __future__ import annotations

from collections.abc import Iterable


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

"""The problems of a study file, collected: each with its place, all told at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mlpjit.config.fields import meant
from mlpjit.config.run_config import check_value
from mlpjit.errors import ConfigError, shown

IN_A_FILE = "dataset = {{name = ..., {} = ...}}"
MOST = 100  # mistakes of one file that are looked for


@dataclass
class Mistakes:
    """The problems found so far; `file` begins every line."""

    file: str
    lines: list[str] = field(default_factory=list)

    def add(self, place: str, problem: str) -> None:
        """Add one line, once. Raises ConfigError where there are so many that no more are looked for."""
        line = ", ".join(part for part in (self.file, place) if part)
        line = f"{line}: {problem}" if line else problem
        if line not in self.lines:
            self.lines.append(line)
        if len(self.lines) >= MOST:
            self.raise_if_any()

    def add_all(self, place: str, error: ConfigError) -> None:
        """Add what an error holds."""
        for line in error.problems:
            self.add(place, line)

    def raise_if_any(self) -> None:
        """Raise ConfigError with everything found."""
        if self.lines:
            raise ConfigError(self.lines)


def places(*parts: str) -> str:
    """Join the parts of a place that are not empty."""
    return ", ".join(part for part in parts if part)


def checked(name: str, value: Any, place: str, mistakes: Mistakes) -> tuple[Any, bool]:
    """Return the checked value of a field and whether it is valid."""
    try:
        return check_value(name, value), True
    except ConfigError as error:
        mistakes.add_all(place, error)
        return None, False


def unknown_keys(table: Iterable[str], known: Sequence[str], place: str, mistakes: Mistakes) -> None:
    """Note every key that is not known."""
    for key in table:
        if key not in known:
            mistakes.add(place, f"unknown key {key!r}{meant(key, known, IN_A_FILE)}")


def refuse_repeated(values: Sequence[Any], place: str, mistakes: Mistakes) -> None:
    """Note every value that was there before."""
    seen: set[str] = set()
    for index, text in enumerate(map(repr, values)):
        if text in seen:
            mistakes.add(f"{place}[{index}]", f"{text} is given twice")
        seen.add(text)


def read_table(table: Mapping[str, Any], name: str, known: Sequence[str], mistakes: Mistakes) -> Any:
    """Return the [name] table, its unknown keys noted; None without one."""
    found = table.get(name)
    if found is None:
        return None
    if not isinstance(found, Mapping):
        mistakes.add(name, f"got {shown(found)}, need a [{name}] table")
        return None
    unknown_keys(found, known, f"[{name}]", mistakes)
    return found


def is_whole(value: Any, low: int, high: int) -> bool:
    """Whether a value is a whole number from low up to high."""
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high

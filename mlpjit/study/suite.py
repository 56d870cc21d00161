"""Suites: named lists of problems that a study runs all its blocks on, one TOML file each in `suites/`.

A problem is a data set with what makes one run on it short and sensible: batches, epochs, layers. What the study itself
says of a key replaces what the suite says.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from mlpjit.errors import ConfigError
from mlpjit.registry import suggestion
from mlpjit.study.mistakes import Mistakes, places

FOLDER = Path(__file__).parent / "suites"
SUITE, PROBLEMS = "suite", "problem"


def suites() -> dict[str, Path]:
    """Return the suites by name."""
    return {path.stem: path for path in sorted(FOLDER.glob("*.toml"))}


def problems_of(name: str) -> list[dict[str, Any]]:
    """Return the problems of a suite: keys of a run, those that all share included. ConfigError for an unknown name."""
    if name not in suites():
        raise ConfigError(f"unknown suite {name!r}{suggestion(name, suites())}")
    table = tomllib.loads(suites()[name].read_text(encoding="utf-8"))
    shared = {key: value for key, value in table.items() if key != PROBLEMS}
    return [shared | problem for problem in table[PROBLEMS]]


def read_suite(
    table: Mapping[str, Any], placed: Iterable[tuple[str, Mapping[str, Any]]], mistakes: Mistakes
) -> list[dict[str, Any]]:
    """Return the problems of a study's suites; without any, one that says nothing. `placed`: its blocks with places."""
    if SUITE not in table:
        return [{}]
    for place, block in (("", table), *placed):
        if "dataset" in block:
            mistakes.add(places(place, "dataset"), "the suite names the data sets")
    given = table[SUITE]
    names = [given] if isinstance(given, str) else given
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        mistakes.add(SUITE, f"got {given!r}, need the name of a suite, or a list of names")
        return []
    found: list[dict[str, Any]] = []
    for name in names:
        try:
            found += [problem for problem in problems_of(name) if problem not in found]
        except ConfigError as error:
            mistakes.add_all(SUITE, error)
    return found


def on_problem(block: Mapping[str, Any], problem: Mapping[str, Any], top: Collection[str]) -> dict[str, Any]:
    """Return a block of a study on a problem; `top` are the keys that the study gives for all blocks.

    A study's `hidden` replaces the problem's `depth` and `width`.
    """
    said = {*block, *top}
    gone = {*said, *(("depth", "width") if "hidden" in said else ())}
    return {key: value for key, value in problem.items() if key not in gone} | dict(block)

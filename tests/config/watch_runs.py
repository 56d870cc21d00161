"""Make some runs and print, for each, which functions of the package it executes or compiles: file -> first lines.

Run in a process of its own with an empty compile cache: what is loaded from disk is not compiled.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import mlpjit
from mlpjit.config.run_config import RunConfig
from mlpjit.kernels.compiler import building, linking  # noqa: F401 (a run would import it, and be seen to)
from mlpjit.training.run import Run

PACKAGE = str(Path(mlpjit.__file__).parent) + "/"
found: dict[str, set[int]] = {}


def note(code: CodeType) -> None:
    if code.co_filename.startswith(PACKAGE) and code.co_name not in (
        "<module>",
        "<listcomp>",
        "<genexpr>",
        "<dictcomp>",
        "<setcomp>",
        "check_rounding",  # this and the next say whether a run is made, not what comes out
        "is_finite",
    ):
        found.setdefault(code.co_filename.removeprefix(PACKAGE), set()).add(code.co_firstlineno)


def watch(frame: Any, event: str, argument: Any) -> None:
    """Note every call but those inside `config.canonical()`: a run's id holds all that this returns, by value."""
    if frame.f_code is RunConfig.canonical.__code__:
        canonical.append(frame) if event == "call" else canonical.clear()
    elif event == "call" and not canonical:
        note(frame.f_code)


canonical: list[Any] = []
linked = linking.link


def link(function: FunctionType, *arguments: Any) -> FunctionType:
    note(function.__code__)
    return linked(function, *arguments)


def main() -> None:
    linking.link = link
    answers = []
    for given in json.loads(sys.argv[1]):
        config = RunConfig(**{"epochs": 2, "hidden": [4], **given})
        assert config.run_id  # planned: the data were looked at, and their hash is in the id
        found.clear()
        sys.setprofile(watch)
        try:
            run = Run(config)
            run.advance()
            run.result()
        finally:
            sys.setprofile(None)
        answers.append({path: sorted(lines) for path, lines in found.items()})
    sys.stdout.write(json.dumps(answers) + "\n")


main()

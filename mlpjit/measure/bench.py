"""What `mlpjit bench` does: its sections, each measured, and what it leaves in its folder."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlpjit.errors import ConfigError, writing
from mlpjit.host import available_threads, host
from mlpjit.measure import harness, readings, scaling, startup
from mlpjit.measure.cases.table import Case, cases
from mlpjit.measure.harness import Part
from mlpjit.measure.measured import Measured
from mlpjit.measure.readings import Limit, Progress, Reading
from mlpjit.measure.scaling import Scaling
from mlpjit.measure.startup import Start
from mlpjit.registry import suggestion

STEP_SECONDS, KERNEL_SECONDS = 5e-3, 1e-3


@dataclass(frozen=True)
class Options:
    """`only` is a part of the names of the cases that are wanted; `rounds` how often each is sampled."""

    only: str = ""
    dtypes: tuple[str, ...] = ("float32",)
    rounds: int = 15
    starts: int = 3
    threads: int = field(default_factory=available_threads)


def _chosen(options: Options, steps: bool) -> list[Case]:
    found = [case for dtype in options.dtypes for case in cases(dtype).values() if options.only in case.name]
    return [case for case in found if (case.group == "step") == steps]


def _limits(options: Options, progress: Progress) -> list[Limit]:
    return readings.machine(options.dtypes, options.rounds)


def _kernels(options: Options, progress: Progress) -> list[Reading]:
    return readings.measure(_chosen(options, steps=False), options.rounds, KERNEL_SECONDS, progress)


def _steps(options: Options, progress: Progress) -> list[Reading]:
    return readings.measure(_chosen(options, steps=True), options.rounds, STEP_SECONDS, progress)


def _compile(options: Options, progress: Progress) -> list[Start]:
    return startup.measure(options.starts)


def _threads(options: Options, progress: Progress) -> list[Scaling]:
    return scaling.measure(options.threads, options.starts)


def _harness(options: Options, progress: Progress) -> list[Part]:
    return harness.measure(options.starts)


SECTIONS: dict[str, Callable[[Options, Progress], list[Any]]] = {
    "limits": _limits, "kernels": _kernels, "steps": _steps, "compile": _compile, "threads": _threads,
    "harness": _harness,
}  # fmt: skip


def measure(
    sections: Sequence[str], options: Options, tell: Callable[[str, int, int], None] = lambda *_: None
) -> Measured:
    """Measure the sections, all of them where none is named; `tell(section, done, total)` hears how far it is.

    Raises ConfigError for an unknown section and for an `only` that no case of the kernels and steps has.
    """
    for name in sections:
        if name not in SECTIONS:
            raise ConfigError(f"unknown section {name!r}{suggestion(name, SECTIONS)}")
    if not any(options.only in name for name in cases(options.dtypes[0])):
        raise ConfigError(f"no case has {options.only!r} in its name")
    found = Measured(host(options.threads), os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0)
    for name in sections or SECTIONS:
        tell(name, 0, 1)
        setattr(found, name, SECTIONS[name](options, lambda done, total, name=name: tell(name, done, total)))  # type: ignore[misc]
    return found


def write(found: Measured, directory: Path) -> list[Path]:
    """Write a JSON file for each section that was measured, and the roofline; return the paths. Raises StoreError."""
    head = {"host": found.host, "load": found.load}
    paths = []
    with writing(directory):
        directory.mkdir(parents=True, exist_ok=True)
        for name in SECTIONS:
            rows = [dataclasses.asdict(row) for row in getattr(found, name)]
            if rows:
                paths.append(directory / f"{name}.json")
                paths[-1].write_text(json.dumps({**head, name: rows}, indent=1) + "\n", encoding="utf-8")
        if found.limits and (found.kernels or found.steps):
            from mlpjit.measure.roofline import save

            paths += save(found, directory)
    return paths

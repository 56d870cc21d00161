"""Whether a study fits into the memory that is free, asked before anything is run or written."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlpjit.errors import ConfigError, option
from mlpjit.host import free_memory_bytes
from mlpjit.training.cost import estimated_bytes
from mlpjit.training.shape import ITEM_BYTES, evaluations, total_steps

if TYPE_CHECKING:
    from mlpjit.config.run_config import RunConfig
    from mlpjit.study.plan import Work
    from mlpjit.study.runs import Runs

PROCESS_BYTES = 250e6  # the interpreter with Numba and its compiled code
SMALLER = "smaller width, depth, batch_size or epochs"


def estimated_memory(runs: Runs, threads: int) -> float:
    """Return the bytes that runs take, as many of the largest at once as there are threads."""
    return PROCESS_BYTES + min(threads, len(runs)) * _largest(runs)


@dataclass(frozen=True)
class Room:
    """So many runs at once in the memory that is free; an `option` and its value set how many, `file` asks for them."""

    at_once: int
    option: tuple[str, str] = ("threads", "{}")
    file: str = ""
    force: bool = False

    def check(self, runs: Runs, among: Sequence[int] | None = None) -> None:
        """Raise ConfigError, which begins with `file`, where runs, or some among them, take more than is free."""
        free = free_memory_bytes()
        at_once = min(self.at_once, len(runs) if among is None else len(among))
        if self.force or free is None or not at_once:
            return
        largest = _largest(runs, among)
        if PROCESS_BYTES + at_once * largest > free:
            raise ConfigError(f"{self.file + ': ' if self.file else ''}{self._told(at_once, largest, free)}")

    def check_left(self, todo: Work) -> None:
        """Raise ConfigError as `check` does, for what is left to be made of a study."""
        for runs, some in todo.left:
            self.check(runs, some)

    def _told(self, at_once: int, largest: float, free: float) -> str:
        fit = max(0, math.floor((free - PROCESS_BYTES) / largest))
        told = f"{at_once} runs at once take" if at_once > 1 else "a run takes"
        name, value = self.option[0], self.option[1].format(fit)
        fewer = f"{option(name, int(value) if value.isdecimal() else value)}, " if fit else ""
        remedy = f"{fewer}{SMALLER}, or {option('force', True)}"
        return f"{told} {_shown(PROCESS_BYTES + at_once * largest)}, and {_shown(free)} are free: need {remedy}"


def _largest(runs: Runs, among: Sequence[int] | None = None) -> float:
    found = runs.numbers(_bytes)
    return float((found if among is None else found[list(among)]).max(initial=0.0))


def _bytes(config: RunConfig) -> float:
    """Return the bytes of one run with its own split of the data, and what it keeps of each step and evaluation."""
    data, kept = config.data, total_steps(config) + evaluations(config) * len(config.hidden)
    split = ITEM_BYTES[config.dtype] * data.samples * (data.inputs + data.outputs)
    return float(estimated_bytes(config) + split + 8 * kept)


def _shown(count: float) -> str:
    return f"{count / 1e9:,.0f} GB" if count >= 1e10 else f"{count / 1e9:,.1f} GB"

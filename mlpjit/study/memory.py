"""Whether a study fits into the memory that is free, asked before anything is run or written."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from mlpjit.errors import ConfigError, option
from mlpjit.host import free_memory_bytes
from mlpjit.training.cost import estimated_bytes
from mlpjit.training.shape import ITEM_BYTES, evaluations, total_steps

if TYPE_CHECKING:
    from mlpjit.config.run_config import RunConfig
    from mlpjit.study.runs import Runs

PROCESS_BYTES = 250e6  # the interpreter with Numba and its compiled code
SMALLER = "smaller width, depth, batch_size or epochs"


def estimated_memory(runs: Runs, threads: int) -> float:
    """Return the bytes that runs take, as many of the largest at once as there are threads."""
    return PROCESS_BYTES + min(threads, len(runs)) * _largest(runs)


def check_memory(runs: Runs, threads: int, file: str = "") -> None:
    """Raise ConfigError, which begins with `file`, where runs take more memory than is free."""
    free = free_memory_bytes()
    at_once, largest = min(threads, len(runs)), _largest(runs)
    taken = PROCESS_BYTES + at_once * largest
    if free is None or taken <= free:
        return
    fit = max(0, math.floor((free - PROCESS_BYTES) / largest))
    told = f"{at_once} runs at once take" if at_once > 1 else "a run takes"
    told = f"{told} {_shown(taken)}, and {_shown(free)} are free"
    remedy = f"{option('threads', fit)}, " * (fit > 0) + f"{SMALLER}, or {option('force', True)}"
    raise ConfigError(f"{file + ': ' if file else ''}{told}: need {remedy}")


def _largest(runs: Runs) -> float:
    return float(runs.numbers(_bytes).max(initial=0.0))


def _bytes(config: RunConfig) -> float:
    """Return the bytes of one run with its own split of the data, and what it keeps of each step and evaluation."""
    data, kept = config.data, total_steps(config) + evaluations(config) * len(config.hidden)
    split = ITEM_BYTES[config.dtype] * data.samples * (data.inputs + data.outputs)
    return float(estimated_bytes(config) + split + 8 * kept)


def _shown(count: float) -> str:
    return f"{count / 1e9:,.0f} GB" if count >= 1e10 else f"{count / 1e9:,.1f} GB"

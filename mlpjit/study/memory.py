"""Whether a study fits into memory at all, asked before anything is run or written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlpjit.errors import ConfigError
from mlpjit.host import memory_bytes
from mlpjit.training.cost import estimated_bytes
from mlpjit.training.shape import evaluations, total_steps

if TYPE_CHECKING:
    from mlpjit.config.run_config import RunConfig
    from mlpjit.study.runs import Runs


def check_memory(runs: Runs) -> None:
    """Raise ConfigError where one run alone takes more memory than this machine has."""
    largest, there = float(runs.numbers(_bytes).max(initial=0.0)), memory_bytes()
    if there is not None and largest > there:
        told = f"a run takes {largest / 1e9:,.0f} GB, and this machine has {there / 1e9:,.0f} GB"
        raise ConfigError(f"{told}: need smaller width, depth, batch_size or epochs")


def _bytes(config: RunConfig) -> float:
    """Return the bytes of one run with what it keeps of each step and evaluation."""
    kept = total_steps(config) + evaluations(config) * len(config.hidden)
    return float(estimated_bytes(config) + 8 * kept)

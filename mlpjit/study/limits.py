"""The time limit of runs with code of a user's own."""

from __future__ import annotations

import math
from dataclasses import replace

from mlpjit.config.run_config import RunConfig
from mlpjit.study.blocks import Block
from mlpjit.study.runs import COST_FIELDS
from mlpjit.training.cost import estimated_cost

# A run's time limit where its study gives none: far above what the plan expects on a slow machine with others beside.
LEAST_SECONDS, LIMIT_TIMES = 60.0, 200.0


def limited(block: Block) -> Block:
    """Return a block of which every run has a time limit: its own, or one that the estimate of the longest sets."""
    if block.fixed.get("timeout") is not None or "timeout" in block.swept:
        return block
    longest = block.numbers(COST_FIELDS, lambda values: estimated_cost(RunConfig.trusted(values))).max(initial=0.0)
    limit = float(max(LEAST_SECONDS, math.ceil(LIMIT_TIMES * longest)))
    return replace(block, fixed={**block.fixed, "timeout": limit})

"""The settings of an optimizer of the user's own: a block of a study with it in the place of the study's."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from mlpjit.config.run_config import RunConfig
from mlpjit.errors import ConfigError
from mlpjit.study.blocks import Axis, Block
from mlpjit.study.entries import RATE
from mlpjit.study.mistakes import Mistakes
from mlpjit.study.runs import COST_FIELDS
from mlpjit.study.study import Study
from mlpjit.study.sweeps import DRAWS, read_blocks
from mlpjit.training.cost import estimated_cost

# A run's time limit where its study gives none: far above what the plan expects on a slow machine with others beside.
LEAST_SECONDS, LIMIT_TIMES = 60.0, 200.0
TUNED = ("optimizer", RATE, "seed")


def rates_of(study: Study) -> tuple[float, ...]:
    """Return every learning rate of a study, ascending."""
    found = {rate for block in study.blocks for values in block.combinations((RATE,)) for rate in [values[RATE]]}
    return tuple(sorted(found))


def limited(block: Block) -> Block:
    """Return a block of which every run has a time limit: its own, or one that the estimate of the longest sets."""
    if block.fixed.get("timeout") is not None or "timeout" in block.swept:
        return block
    longest = block.numbers(COST_FIELDS, lambda values: estimated_cost(RunConfig.trusted(values))).max(initial=0.0)
    limit = float(max(LEAST_SECONDS, math.ceil(LIMIT_TIMES * longest)))
    return replace(block, fixed={**block.fixed, "timeout": limit})


def tried_block(block: Block, name: str, space: Mapping[str, Any], rates: Sequence[float], study: Study) -> Block:
    """Return a block with one optimizer, tuned over its rates and a space, and all else as it is.

    `rates` go before those of the space, and these before those of the study. What a space has is what a study file may
    say in a spec: lists and ranges by parameter, and `draws`. Raises ConfigError for what cannot be.
    """
    own = _own(block, name, dict(space), rates, study)
    axes = [axis for axis in (_without(axis, TUNED) for axis in block.axes) if axis]
    fixed = {key: value for key, value in block.fixed.items() if key not in own.swept} | {
        key: own.fixed[key] for key in TUNED if key in own.fixed
    }
    tuned = {key: some for key, some in block.tuned.items() if key != "optimizer"} | dict(own.tuned)
    return limited(Block(fixed, (*own.axes, *axes), f"{name} tried", tuned, own.draws))


def _own(block: Block, name: str, space: dict[str, Any], rates: Sequence[float], study: Study) -> Block:
    """Return the block of optimizer, rates and seeds alone, read as a study file's."""
    draws, rate = space.pop(DRAWS, None), space.pop(RATE, None)
    given = list(rates) or rate or list(rates_of(study))
    sweep: dict[str, Any] = {"optimizer": {"name": name, **space}, RATE: given, "seed": block.axis_values("seed")}
    sweep |= {} if draws is None else {DRAWS: draws}
    mistakes = Mistakes("")
    found = read_blocks({"sweep": sweep}, ("sweep",), study.tuning["repeats"], mistakes)
    if mistakes.lines:
        raise ConfigError([f"{name}: {line.removeprefix('[sweep], ')}" for line in mistakes.lines])
    return found[0]


def _without(axis: Axis, fields: Sequence[str]) -> Axis | None:
    """Return an axis without some fields: of joint draws what else is drawn."""
    names = [name for name in axis.fields if name not in fields]
    if not names:
        return None
    at = [axis.fields.index(name) for name in names]
    values = tuple(dict.fromkeys(tuple(entry[place] for place in at) for entry in axis.values))
    return Axis(tuple(names), values, {name: axis.given[name] for name in names})

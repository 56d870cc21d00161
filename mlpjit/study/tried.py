"""The settings of an entry of the user's own: a block of a study with it in the place of the study's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlpjit.errors import ConfigError
from mlpjit.study.blocks import Axis, Block
from mlpjit.study.entries import RATE
from mlpjit.study.limits import limited
from mlpjit.study.mistakes import Mistakes
from mlpjit.study.study import Study
from mlpjit.study.sweeps import DRAWS, check_rules, read_blocks

OPTIMIZER = "optimizer"


def rates_of(study: Study) -> tuple[float, ...]:
    """Return every learning rate of a study, ascending."""
    found = {rate for block in study.blocks for values in block.combinations((RATE,)) for rate in [values[RATE]]}
    return tuple(sorted(found))


def tried_block(
    block: Block, field: str, name: str, space: Mapping[str, Any], rates: Sequence[float], study: Study
) -> Block:
    """Return a block with one entry as the value of a field, tuned over a space, and all else as it is.

    `rates` go before those of the space. Without either an optimizer has all those of the study, anything else those of
    the block, which are the optimizer's. What a space has is what a study file may say in a spec: lists and ranges by
    parameter, and `draws`. Raises ConfigError for what cannot be.
    """
    own, replaced = _own(block, field, name, dict(space), rates, study)
    axes = [axis for axis in (_without(axis, replaced) for axis in block.axes) if axis]
    fixed = {key: value for key, value in block.fixed.items() if key not in own.swept} | {
        key: own.fixed[key] for key in replaced if key in own.fixed
    }
    tuned = {key: some for key, some in block.tuned.items() if key != field} | dict(own.tuned)
    draws = own.draws or (block.draws if any(axis.ranges for axis in axes) else 0)
    made = limited(Block(fixed, (*own.axes, *axes), f"{name} tried", tuned, draws))
    mistakes = Mistakes("")
    check_rules(made, mistakes)
    mistakes.raise_if_any()
    return made


def _own(
    block: Block, field: str, name: str, space: dict[str, Any], rates: Sequence[float], study: Study
) -> tuple[Block, tuple[str, ...]]:
    """Return the block of what is replaced alone, read as a study file's, and the fields that are replaced."""
    draws, rate = space.pop(DRAWS, None), space.pop(RATE, None)
    given = list(rates) or rate or (list(rates_of(study)) if field == OPTIMIZER else None)
    sweep: dict[str, Any] = {field: {"name": name, **space}}
    sweep |= {} if given is None else {RATE: given}
    sweep |= {"seed": block.axis_values("seed")} if field == OPTIMIZER or draws is not None else {}
    replaced, context = tuple(sweep), {"dataset": block.axis_values("dataset")[0]} if field == "loss" else {}
    sweep |= {} if draws is None else {DRAWS: draws}
    mistakes = Mistakes("")
    found = read_blocks({"sweep": sweep, **context}, ("sweep",), study.tuning["repeats"], mistakes)
    if mistakes.lines:
        raise ConfigError([f"{name}: {line.removeprefix('[sweep], ')}" for line in mistakes.lines])
    return found[0], replaced


def _without(axis: Axis, fields: Sequence[str]) -> Axis | None:
    """Return an axis without some fields: of joint draws what else is drawn."""
    names = [name for name in axis.fields if name not in fields]
    if not names:
        return None
    at = [axis.fields.index(name) for name in names]
    values = tuple(dict.fromkeys(tuple(entry[place] for place in at) for entry in axis.values))
    return Axis(tuple(names), values, {name: axis.given[name] for name in names})

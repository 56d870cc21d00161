"""The untuned default of each competitor: what its users get who tune nothing, run on the seeds that report.

Nothing of it is chosen by a result. Where the study tunes something, the package's default stands: of a spec's tuned
parameters, of the learning rate that of the optimizer, of every other key its default if that is among its values, else
the first of them. What the study fixes is fixed here too.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

from mlpjit.config.fields import FACTORS, SEED_FIELDS
from mlpjit.config.run_config import DEFAULT_DEPTH, DEFAULT_WIDTH, default_value
from mlpjit.study.blocks import Axis, Block
from mlpjit.study.choice import groups_of
from mlpjit.tuning.spaces import default_rate

SHAPE = {"depth": DEFAULT_DEPTH, "width": DEFAULT_WIDTH}


def default_blocks(blocks: Sequence[Block], per: str | Sequence[str], seeds: Sequence[int]) -> list[Block]:
    """Return a block for the default of each problem and competitor, the first that is found in the blocks' order.

    An optimizer without a default rate, as one of a user's own, has none where rates are tuned.
    """
    groups = groups_of(per)
    found: dict[tuple[Any, ...], Block] = {}
    for block in blocks:
        for values in _untuned(block, {name for column in groups for name in FACTORS[column].fields}):
            swept = {name: None for name in SEED_FIELDS if name in block.swept}
            at_default = Block({**values, **swept}, (Axis.of("seed", seeds),), "default")
            found.setdefault(tuple(FACTORS[column].value(values) for column in groups), at_default)
    return list(found.values())


def _untuned(block: Block, telling: set[str]) -> Iterator[dict[str, Any]]:
    """Yield the values of each competitor's default; `telling` are the fields that make problem and competitor."""
    names = [name for name in block.swept if name not in (*SEED_FIELDS, "learning_rate")]
    choices = [_choices(block, name) if name in telling else [_usual(block, name)] for name in names]
    for chosen in itertools.product(*choices):
        values = {**block.fixed, **dict(zip(names, chosen, strict=True)), "seed": 0}
        if "learning_rate" in block.swept:
            values["learning_rate"] = default_rate(values["optimizer"]["name"])
        if values["learning_rate"] is not None:
            yield values


def _choices(block: Block, name: str) -> list[Any]:
    """Return the values of an axis, tuned specs with the defaults of what is tuned."""
    return list(dict.fromkeys(block.untuned(name, value) for value in block.axis_values(name)))


def _usual(block: Block, name: str) -> Any:
    """Return the key's default if it is among its values, else the first of them."""
    found, usual = _choices(block, name), SHAPE[name] if name in SHAPE else default_value(name)
    return usual if usual in found else found[0]

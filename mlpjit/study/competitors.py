"""Who competes in a study: the names of competitors, whose settings may have names of their own.

A competitor is a value of what `[final] per` names. A spec with lists or ranges in it stands for many values of its
column, which are settings of one competitor: it is named by the spec with those parameters that are not tuned.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mlpjit.config.fields import FACTORS
from mlpjit.study.blocks import Block
from mlpjit.study.mistakes import Mistakes

Called = Mapping[str, Mapping[Any, Any]]  # by column: a setting's label to its competitor's


def settings_of(blocks: Iterable[Block]) -> dict[str, dict[str, dict[str, Any]]]:
    """Return, by column and label, the competitor of each tuned spec and the values of what is tuned."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for block in blocks:
        for column in _columns([block]):
            part = FACTORS[column]
            for values in block.combinations(part.fields):
                tuned = {name: block.tuned[name].get(values[name]) for name in part.fields if name in block.tuned}
                parameters = {
                    key if name == column else f"{name}.{key}": value
                    for name, setting in tuned.items() if setting for key, value in setting.parameters.items()
                }  # fmt: skip
                if parameters:
                    entry = {"competitor": part.value(block.as_untuned(values)), "parameters": parameters}
                    found.setdefault(column, {})[part.value(values)] = entry
    return found


def _columns(blocks: Sequence[Block]) -> list[str]:
    """Return the columns that a tuned spec of any block is part of."""
    fields = {name for block in blocks for name in block.tuned}
    return [column for column, part in FACTORS.items() if fields & set(part.fields)]


def called(blocks: Iterable[Block]) -> dict[str, dict[Any, Any]]:
    """Return, by column, the competitor of each label that has another one's name."""
    return {
        column: {label: entry["competitor"] for label, entry in some.items()}
        for column, some in settings_of(blocks).items()
    }


def check_names(blocks: Sequence[Block], mistakes: Mistakes) -> None:
    """Note each label that is a setting of one competitor here and another competitor there."""
    for column in _columns(blocks):
        part = FACTORS[column]
        names: dict[Any, set[Any]] = {}
        for block in blocks:
            for values in block.combinations(part.fields):
                names.setdefault(part.value(values), set()).add(part.value(block.as_untuned(values)))
        for label, found in names.items():
            if len(found) > 1:
                told = " and ".join(repr(name) for name in sorted(found))
                mistakes.add(
                    column, f"{label!r} is a setting of {told}: tune its parameters in both places, or in none"
                )

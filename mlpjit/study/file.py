"""From the tables of a study file to checked blocks. Every mistake is collected, with its key and its place."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mlpjit.config.combinations import RULES
from mlpjit.config.fields import SEED_FIELDS, SETTING, SHAPE_FIELDS
from mlpjit.config.run_config import (
    DEFAULT_DEPTH,
    DEFAULT_WIDTH,
    FIELDS,
    RunConfig,
    check_value,
    default_value,
    key_problems,
)
from mlpjit.errors import ConfigError
from mlpjit.registry import suggestion
from mlpjit.study.blocks import Block

HEAD_KEYS = ("name", "title", "question")
TABLES = ("sweep", "final", "timing")
FINAL_KEYS = ("per", "seeds")
TIMING_KEYS = ("repeats", "width")
MOST_RUNS, MOST_REPEATS = 10_000_000, 10_000


@dataclass
class Mistakes:
    """The problems found so far; `file` begins every line."""

    file: str
    lines: list[str] = field(default_factory=list)

    def add(self, place: str, problem: str) -> None:
        """Add one line, once."""
        line = ", ".join(part for part in (self.file, place) if part)
        line = f"{line}: {problem}" if line else problem
        if line not in self.lines:
            self.lines.append(line)

    def raise_if_any(self) -> None:
        """Raise ConfigError with everything found."""
        if self.lines:
            raise ConfigError(self.lines)


def _places(*parts: str) -> str:
    return ", ".join(part for part in parts if part)


def _checked(name: str, value: Any, place: str, mistakes: Mistakes) -> tuple[Any, bool]:
    try:
        return check_value(name, value), True
    except ConfigError as error:
        for line in error.problems:
            mistakes.add(place, line)
        return None, False


def read_head(table: Mapping[str, Any], default_name: str, mistakes: Mistakes) -> dict[str, str]:
    """Return name, title and question."""
    head = {"name": default_name, "title": "", "question": ""}
    for key in HEAD_KEYS:
        if not isinstance(table.get(key, ""), str):
            mistakes.add(key, f"got {table[key]!r}, need a text")
        elif key in table:
            head[key] = table[key]
    if not re.fullmatch(r"[\w][\w.-]{0,99}", head["name"]):
        allowed = "letters, digits, '-', '_' and '.', at most 100"
        mistakes.add("name", f"got {head['name']!r}, need {allowed}: it names a folder")
    return {**head, "title": head["title"] or head["name"]}


def read_blocks(table: Mapping[str, Any], mistakes: Mistakes) -> tuple[Block, ...]:
    """Return the blocks of a study table, [sweep] or several [[sweep]], or one of a single run without any."""
    fixed_given = {key: value for key, value in table.items() if key not in (*HEAD_KEYS, *TABLES)}
    _unknown_keys(fixed_given, (*HEAD_KEYS, *FIELDS, *TABLES), "", mistakes)
    fixed = {}
    for key, value in fixed_given.items():
        if key in FIELDS:
            checked, valid = _checked(key, value, key, mistakes)
            fixed.update({key: checked} if valid else {})
    given = set(fixed_given)
    sweep = table.get("sweep", {})
    if isinstance(sweep, Mapping):
        return (_block(sweep, fixed, given, "[sweep]" if sweep else "", mistakes),)
    if not isinstance(sweep, list) or not sweep or not all(isinstance(block, Mapping) for block in sweep):
        mistakes.add("sweep", f"got {sweep!r}, need a [sweep] table or several [[sweep]] blocks")
        return ()
    places = [f"[[sweep]] block {number}" for number in range(1, len(sweep) + 1)]
    return tuple(_block(b, fixed, given, place, mistakes) for b, place in zip(sweep, places, strict=True))


def _unknown_keys(table: Mapping[str, Any], known: tuple[str, ...], place: str, mistakes: Mistakes) -> None:
    for key in table:
        if key not in known:
            mistakes.add(place, f"unknown key {key!r}{suggestion(key, known)}")


def _block(
    table: Mapping[str, Any], fixed: Mapping[str, Any], given: set[str], place: str, mistakes: Mistakes
) -> Block:
    """Return one block; `given` holds the top level's keys, valid or not."""
    _unknown_keys(table, FIELDS, place, mistakes)
    names = {*given, *table}
    for line in key_problems([name for name in sorted(names) if name in FIELDS]):
        mistakes.add(place, line)
    values, axes = dict(fixed), []
    for key, entry in table.items():
        if key not in FIELDS:
            continue
        values.pop(key, None)
        if isinstance(entry, list):
            axes.append((key, _axis(key, entry, place, mistakes)))
            continue
        checked, valid = _checked(key, entry, _places(place, key), mistakes)
        values.update({key: checked} if valid else {})
    block = Block(_completed(values, names), tuple((key, axis) for key, axis in axes if axis), place)
    if len(block) > MOST_RUNS:
        mistakes.add(place, f"{len(block):,} runs, need at most {MOST_RUNS:,}")
    else:
        _check_rules(block, mistakes)
    return block


def _axis(key: str, entries: list[Any], place: str, mistakes: Mistakes) -> tuple[Any, ...]:
    """Return the valid values of an axis."""
    if not entries:
        mistakes.add(_places(place, key), "got an empty list, need at least one value")
    if key in SEED_FIELDS:
        _refuse_repeated(entries, _places(place, key), mistakes)
    checked = [_checked(key, entry, _places(place, f"{key}[{index}]"), mistakes) for index, entry in enumerate(entries)]
    return tuple(value for value, valid in checked if valid)


def _completed(values: dict[str, Any], names: set[str]) -> dict[str, Any]:
    """Add the default of every field that is not given; a field given wrongly stays away from the rules."""
    defaults = {name: default_value(name) for name in RunConfig.model_fields if name not in names and name != "hidden"}
    shape = {}
    if "hidden" not in names:
        shape = {"depth": DEFAULT_DEPTH, "width": DEFAULT_WIDTH}
        shape = {name: value for name, value in shape.items() if name not in names}
    return {**defaults, **shape, **values}


def _check_rules(block: Block, mistakes: Mistakes) -> None:
    known = {*block.fixed, *(name for name, _ in block.axes)}
    for rule in RULES:
        shape_known = "hidden" in known or {"depth", "width"} <= known
        if not all(name in known or name in SHAPE_FIELDS for name in rule.fields):
            continue
        if not shape_known and set(rule.fields) & set(SHAPE_FIELDS):
            continue
        for values in block.combinations(rule.fields):
            if problem := rule.problem(values):
                mistakes.add(block.place, problem)


def read_final(table: Mapping[str, Any], blocks: tuple[Block, ...], mistakes: Mistakes) -> dict[str, Any] | None:
    """Return {per, seeds} of the [final] table, None without one."""
    final = _table(table, "final", FINAL_KEYS, mistakes)
    if final is None:
        return None
    per, seeds = final.get("per", "optimizer"), final.get("seeds")
    _check_compared(per, mistakes)
    if not isinstance(seeds, list) or not seeds:
        got = f"got {seeds!r}" if "seeds" in final else "not given"
        mistakes.add("[final], seeds", f"{got}, need a list of fresh seeds, as [100, 101, 102]")
        return None
    tuning = _tuning_seeds(blocks)
    for index, seed in enumerate(seeds):
        place = f"[final], seeds[{index}]"
        _, valid = _checked("seed", seed, place, mistakes)
        if valid and seed in tuning:
            mistakes.add(place, f"{seed} is a tuning {tuning[seed]}; reporting needs fresh ones")
    _refuse_repeated(seeds, "[final], seeds", mistakes)
    if any(set(SEED_FIELDS[1:]) <= _fixed_seeds(block) for block in blocks):
        mistakes.add("[final], seeds", f"{', '.join(SEED_FIELDS[1:])} are all fixed, so a fresh seed changes nothing")
    return {"per": per, "seeds": [seed for seed in seeds if isinstance(seed, int)]}


def _check_compared(per: Any, mistakes: Mistakes) -> None:
    """`per` is a column or a list of columns."""
    names = [per] if isinstance(per, str) else per
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        mistakes.add("[final], per", f"got {per!r}, need a column, as 'optimizer', or a list of columns")
        return
    for name in names:
        if name not in SETTING:
            mistakes.add("[final], per", f"unknown column {name!r}{suggestion(name, SETTING)}")
    _refuse_repeated(names, "[final], per", mistakes)


def _tuning_seeds(blocks: tuple[Block, ...]) -> dict[int, str]:
    """Return every seed of the tuning runs with a field that has it; a field without its own has `seed`'s."""
    found: dict[int, str] = {}
    for block in blocks:
        axes = dict(block.axes)
        for name in SEED_FIELDS:
            for seed in axes.get(name, (block.fixed.get(name),)):
                if seed is not None:
                    found.setdefault(seed, name)
    return found


def _fixed_seeds(block: Block) -> set[str]:
    return {name for name in SEED_FIELDS if block.fixed.get(name) is not None}


def _refuse_repeated(values: Sequence[Any], place: str, mistakes: Mistakes) -> None:
    seen: set[str] = set()
    for index, text in enumerate(map(repr, values)):
        if text in seen:
            mistakes.add(f"{place}[{index}]", f"{text} is given twice")
        seen.add(text)


def read_timing(table: Mapping[str, Any], mistakes: Mistakes) -> dict[str, Any] | None:
    """Return {repeats, width} of the [timing] table, None without one."""
    timing = _table(table, "timing", TIMING_KEYS, mistakes)
    if timing is None:
        return None
    widths = timing.get("width", [])
    if not isinstance(widths, list):
        mistakes.add("[timing], width", f"got {widths!r}, need a list of widths")
        widths = []
    for index, width in enumerate(widths):
        _checked("width", width, f"[timing], width[{index}]", mistakes)
    repeats = timing.get("repeats", 5)
    if not isinstance(repeats, int) or isinstance(repeats, bool) or not 1 <= repeats <= MOST_REPEATS:
        mistakes.add("[timing], repeats", f"got {repeats!r}, need a whole number from 1 up to {MOST_REPEATS:,}")
    return {"repeats": repeats, "width": widths}


def _table(table: Mapping[str, Any], name: str, known: tuple[str, ...], mistakes: Mistakes) -> Mapping[str, Any] | None:
    found = table.get(name)
    if found is None:
        return None
    if not isinstance(found, Mapping):
        mistakes.add(name, f"got {found!r}, need a [{name}] table")
        return None
    _unknown_keys(found, known, f"[{name}]", mistakes)
    return found

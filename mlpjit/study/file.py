"""The tables of a study file besides its sweeps. Every mistake is collected, with its key and its place."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mlpjit.config.fields import SEED_FIELDS, SETTING
from mlpjit.registry import suggestion
from mlpjit.study.blocks import Block
from mlpjit.study.mistakes import Mistakes, checked, is_whole, read_table, refuse_repeated
from mlpjit.study.suite import SUITE
from mlpjit.study.using import USE

HEAD_KEYS = ("name", "title", "question", SUITE, USE)
TABLES = ("sweep", "tuning", "final", "timing")
FINAL_KEYS = ("per", "seeds")
TIMING_KEYS = ("repeats", "width")
TUNING_KEYS = ("repeats", "default", "race")
MOST_REPEATS = 10_000


def read_head(table: Mapping[str, Any], default_name: str, mistakes: Mistakes) -> dict[str, str]:
    """Return name, title and question."""
    head = {"name": default_name, "title": "", "question": ""}
    for key in head:
        if not isinstance(table.get(key, ""), str):
            mistakes.add(key, f"got {table[key]!r}, need a text")
        elif key in table:
            head[key] = table[key]
    if not re.fullmatch(r"[\w][\w.-]{0,99}", head["name"]):
        allowed = "letters, digits, '-', '_' and '.', at most 100"
        mistakes.add("name", f"got {head['name']!r}, need {allowed}: it names a folder")
    return {**head, "title": head["title"] or head["name"]}


def read_final(table: Mapping[str, Any], blocks: tuple[Block, ...], mistakes: Mistakes) -> dict[str, Any] | None:
    """Return {per, seeds} of the [final] table, None without one."""
    final = read_table(table, "final", FINAL_KEYS, mistakes)
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
        _, valid = checked("seed", seed, place, mistakes)
        if valid and seed in tuning:
            mistakes.add(place, f"{seed} is a tuning {tuning[seed]}; reporting needs fresh ones")
    refuse_repeated(seeds, "[final], seeds", mistakes)
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
    refuse_repeated(names, "[final], per", mistakes)


def _tuning_seeds(blocks: tuple[Block, ...]) -> dict[int, str]:
    """Return every seed of the tuning runs with a field that has it; a field without its own has `seed`'s."""
    found: dict[int, str] = {}
    for block in blocks:
        for name in SEED_FIELDS:
            for seed in block.axis_values(name):
                if seed is not None:
                    found.setdefault(seed, name)
    return found


def _fixed_seeds(block: Block) -> set[str]:
    return {name for name in SEED_FIELDS if block.fixed.get(name) is not None}


def read_tuning(table: Mapping[str, Any], mistakes: Mistakes) -> dict[str, Any]:
    """Return {repeats, default, race} of the [tuning] table: once, no default beside it, no race, unless given."""
    tuning = read_table(table, "tuning", TUNING_KEYS, mistakes) or {}
    repeats, default = tuning.get("repeats", 1), tuning.get("default", False)
    if not is_whole(repeats, 1, MOST_REPEATS):
        mistakes.add("[tuning], repeats", f"got {repeats!r}, need a whole number from 1 up to {MOST_REPEATS:,}")
        repeats = 1
    for key in ("default", "race"):
        if not isinstance(tuning.get(key, False), bool):
            mistakes.add(f"[tuning], {key}", f"got {tuning[key]!r}, need true or false")
    if set(tuning) - {"race"} and table.get("final") is None:
        mistakes.add("[tuning]", "needs a [final] stage, whose fresh seeds report what was tuned")
    return {"repeats": repeats, "default": default, "race": tuning.get("race", False)}


def check_repeats(
    repeats: int, blocks: tuple[Block, ...], final: Mapping[str, Any] | None, mistakes: Mistakes
) -> list[int]:
    """Return the tuning seeds; where tuning is repeated, note what cannot be divided among the repetitions."""
    seeds = blocks[0].axis_values("seed") if blocks else []
    if repeats == 1:
        return seeds
    place = "[tuning], repeats"
    if any(block.axis_values("seed") != seeds for block in blocks):
        mistakes.add(place, "every block needs the same list of seeds, which the repetitions share")
    if any(name in block.swept for block in blocks for name in SEED_FIELDS[1:]):
        mistakes.add(place, f"{', '.join(SEED_FIELDS[1:])} cannot be axes: the repetitions share `seed`")
    for where, found in (("seed", seeds), ("[final], seeds", (final or {}).get("seeds", []))):
        if len(found) % repeats or not found:
            mistakes.add(place, f"{len(found)} values of {where} cannot be divided among {repeats} repetitions evenly")
    return seeds


def read_timing(table: Mapping[str, Any], mistakes: Mistakes) -> dict[str, Any] | None:
    """Return {repeats, width} of the [timing] table, None without one."""
    timing = read_table(table, "timing", TIMING_KEYS, mistakes)
    if timing is None:
        return None
    widths = timing.get("width", [])
    if not isinstance(widths, list):
        mistakes.add("[timing], width", f"got {widths!r}, need a list of widths")
        widths = []
    for index, width in enumerate(widths):
        checked("width", width, f"[timing], width[{index}]", mistakes)
    repeats = timing.get("repeats", 5)
    if not is_whole(repeats, 1, MOST_REPEATS):
        mistakes.add("[timing], repeats", f"got {repeats!r}, need a whole number from 1 up to {MOST_REPEATS:,}")
    return {"repeats": repeats, "width": widths}

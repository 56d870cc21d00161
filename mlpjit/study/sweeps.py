"""From the [sweep] tables of a study file to checked blocks."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlpjit.config.combinations import RULES
from mlpjit.config.fields import SEED_FIELDS, SHAPE_FIELDS
from mlpjit.config.run_config import DEFAULT_DEPTH, DEFAULT_WIDTH, FIELDS, RunConfig, default_value, key_problems
from mlpjit.errors import ConfigError, shown
from mlpjit.study.blocks import Axis, Block, Tuned
from mlpjit.study.entries import RATE, Template, templates
from mlpjit.study.mistakes import Mistakes, is_whole, places, refuse_repeated, unknown_keys
from mlpjit.study.repetitions import split
from mlpjit.study.suite import on_problem, read_suite
from mlpjit.tuning.points import PRIMES, points

MOST_RUNS, MOST_DRAWS = 10_000_000, 100_000
DRAWS = "draws"
LISTS = ("hidden", "activation")  # fields that take a list as one value
Settings = dict[str, dict[Any, Tuned]]
Group = list[Template]  # of one field: the values of an axis, or one entry that is drawn


@dataclass(frozen=True)
class Entries:
    """The entries of one block: groups by field, how many are drawn, and how often it is tuned."""

    groups: Mapping[str, list[Group]]
    axes: frozenset[str]  # the fields given as a list
    draws: Any
    place: str
    repeats: int


def read_blocks(table: Mapping[str, Any], others: Sequence[str], repeats: int, mistakes: Mistakes) -> tuple[Block, ...]:
    """Return the blocks of a study table, [sweep] or several [[sweep]], or one of a single run without any.

    `others` are the top level's keys that are no fields of a run.
    """
    top = {key: value for key, value in table.items() if key not in others}
    unknown_keys(top, (*others, *FIELDS, DRAWS), "", mistakes)
    top, draws = {key: value for key, value in top.items() if key in FIELDS}, table.get(DRAWS)
    placed = _placed(table.get("sweep", {}), mistakes)
    problems = read_suite(table, placed, mistakes)
    each = (
        _blocks(on_problem(block, problem, top), top, draws, place, repeats, mistakes)
        for place, block in placed
        for problem in problems
    )
    return tuple(itertools.chain(*each))


def _placed(sweep: Any, mistakes: Mistakes) -> list[tuple[str, Mapping[str, Any]]]:
    """Return the tables of the sweeps, each with its place in the file."""
    if isinstance(sweep, Mapping):
        return [("[sweep]" if sweep else "", sweep)]
    if not isinstance(sweep, list) or not sweep or not all(isinstance(block, Mapping) for block in sweep):
        mistakes.add("sweep", f"got {sweep!r}, need a [sweep] table or several [[sweep]] blocks")
        return []
    return [(f"[[sweep]] block {number}", block) for number, block in enumerate(sweep, 1)]


def _blocks(
    table: Mapping[str, Any], top: Mapping[str, Any], draws: Any, place: str, repeats: int, mistakes: Mistakes
) -> list[Block]:
    """Return the blocks of one table: one, and one more for each entry that is drawn or has rates of its own."""
    unknown_keys(table, (*FIELDS, DRAWS), place, mistakes)
    own = {key: value for key, value in table.items() if key in FIELDS}
    for line in key_problems(sorted({*top, *own})):
        mistakes.add(place, line)
    where = {key: key for key in top} | {key: places(place, key) for key in own}
    axes = frozenset(key for key, value in own.items() if isinstance(value, list))
    rest = {key: value for key, value in top.items() if key not in own}
    groups = {key: _groups(key, value, key in axes, where[key], mistakes) for key, value in (rest | own).items()}
    entries = Entries(groups, axes, table.get(DRAWS, draws), place, repeats)
    _check_draws(entries, DRAWS in table, mistakes)
    return [block for chosen in _products(groups) if (block := _block(chosen, entries, mistakes))]


def _groups(key: str, value: Any, is_axis: bool, where: str, mistakes: Mistakes) -> list[Group]:
    """Return what a key stands for: all plain entries together, each that is drawn or brings rates by itself."""
    if is_axis and not value:
        mistakes.add(where, "got an empty list, need at least one value")
    if is_axis and key in SEED_FIELDS:
        refuse_repeated(value, where, mistakes)
    plain: Group = []
    apart: list[Group] = []
    for index, entry in enumerate(value if is_axis else [value]):
        place = f"{where}[{index}]" if is_axis else where
        if not is_axis and _is_several(key, entry):
            mistakes.add(place, f"got {shown(entry)}, need one value: several to compare go below [sweep]")
            continue
        for template in _valid(key, entry, place, mistakes):
            if template.ranges or template.rate is not None:
                apart.append([template])
            else:
                plain.append(template)
    return [*([plain] if plain else []), *apart]


def _is_several(key: str, value: Any) -> bool:
    """Whether values stand where one belongs."""
    return isinstance(value, list) and (key not in LISTS or any(isinstance(item, list) for item in value))


def _valid(key: str, entry: Any, place: str, mistakes: Mistakes) -> Iterator[Template]:
    """Yield the templates of an entry whose values, at both ends of their ranges, can be."""
    try:
        found = templates(key, entry)
    except ConfigError as error:
        mistakes.add_all(place, error)
        return
    for template in found:
        try:
            for end in ("low", "high"):
                template.filled({name: getattr(found, end) for name, found in template.ranges.items()})
            yield template
        except ConfigError as error:
            mistakes.add_all(place, error)


def _check_draws(entries: Entries, given: bool, mistakes: Mistakes) -> None:
    """What is drawn needs a number of draws, and a number needs something to draw."""
    drawn = any(_is_drawn(template) for groups in entries.groups.values() for group in groups for template in group)
    if drawn and entries.draws is None:
        mistakes.add(places(entries.place, DRAWS), "not given, need how many settings to draw from the ranges, as 25")
    elif entries.draws is not None and not is_whole(entries.draws, 1, MOST_DRAWS):
        mistakes.add(
            places(entries.place, DRAWS), f"got {entries.draws!r}, need a whole number from 1 to {MOST_DRAWS:,}"
        )
    elif given and not drawn and not mistakes.lines:
        mistakes.add(places(entries.place, DRAWS), f"got {entries.draws!r}, but there is no range to draw from")


def _is_drawn(template: Template) -> bool:
    return bool(template.ranges) or isinstance(template.rate, Mapping)


def _products(groups: Mapping[str, list[Group]]) -> Iterator[dict[str, Group]]:
    """Yield every choice of one group a field; the rates of a space take the place of the block's own."""
    names = [name for name, found in groups.items() if found and name != RATE]
    for chosen in itertools.product(*(groups[name] for name in names)):
        picked = dict(zip(names, chosen, strict=True))
        brought = next((template.rate for group in chosen for template in group if template.rate is not None), None)
        rates = groups.get(RATE, []) if brought is None else _brought(brought)
        for rate in rates or [[]]:
            found = {**picked, RATE: rate} if rate else picked
            yield {name: found[name] for name in dict.fromkeys((*groups, RATE)) if name in found}


def _brought(rate: Any) -> list[Group]:
    """Return the groups of the learning rates that a space brings: a list, or a range."""
    return [[template for entry in (rate if isinstance(rate, list) else [rate]) for template in templates(RATE, entry)]]


def _block(chosen: Mapping[str, Group], entries: Entries, mistakes: Mistakes) -> Block | None:
    """Return the block of one choice of groups; None where it cannot be made."""
    drawn = {name: group[0] for name, group in chosen.items() if group[0].ranges}
    if drawn and not is_whole(entries.draws, 1, MOST_DRAWS):
        return None
    fixed: dict[str, Any] = {}
    axes: list[Axis] = []
    tuned: Settings = {}
    for name, group in chosen.items():
        if name in drawn:
            continue
        values = [template.filled({}) for template in group]
        _note(tuned, group, values)
        if name in entries.axes or len(values) > 1 or group[0].tuned:
            axes.append(Axis.of(name, values, _given(group, values)))
        else:
            fixed[name] = values[0]
        _refuse_both(name, group, values, tuned, mistakes)
    if drawn:
        axes = _with_draws(axes, drawn, entries, tuned, mistakes)
    completed = _completed(fixed, {*entries.groups, *chosen})
    return _checked_block(Block(completed, tuple(axes), entries.place, tuned, entries.draws if drawn else 0), mistakes)


def _note(tuned: Settings, group: Group, values: Sequence[Any], drawn: Mapping[str, Any] | None = None) -> None:
    """Keep of the specs that are settings which competitor's they are."""
    for template, value in zip(group, values, strict=True):
        if template.tuned:
            told = value if isinstance(value, Mapping) else {**template.raw, **(drawn or {})}
            found = Tuned(template.untuned(), {name: told[name] for name in template.tuned})
            tuned.setdefault(template.name, {})[value] = found


def _refuse_both(name: str, group: Group, values: Sequence[Any], tuned: Settings, mistakes: Mistakes) -> None:
    """Note what is a competitor by itself and a setting of another one."""
    for template, value in zip(group, values, strict=True):
        found = tuned.get(name, {}).get(value)
        if found and not template.tuned and found.untuned != value:
            told = ", ".join(found.parameters)
            mistakes.add(name, f"{value!r} is a competitor, and a setting of one whose {told} is tuned: leave one out")


def _given(group: Group, values: Sequence[Any]) -> list[Any]:
    """Return the entries of an axis as a study file may have them: the values of a list in a spec are one entry."""
    found: list[Any] = []
    for template, value in zip(group, values, strict=True):
        entry = value if template.given is None else template.given
        if template.given is None or not found or found[-1] != entry:
            found.append(entry)
    return found


def _with_draws(
    axes: list[Axis], drawn: Mapping[str, Template], entries: Entries, tuned: Settings,
    mistakes: Mistakes,
) -> list[Axis]:  # fmt: skip
    """Return the axes with one of joint draws in front; each repetition of the tuning has draws of its own."""
    names = sorted(drawn, key=lambda name: (name != RATE, FIELDS.index(name)))
    places_of = [(name, parameter) for name in names for parameter in sorted(drawn[name].ranges)]
    if len(places_of) > len(PRIMES):
        mistakes.add(entries.place, f"{len(places_of)} ranges are drawn together, need at most {len(PRIMES)}")
        return axes
    seeds = next((axis for axis in axes if axis.fields == ("seed",)), None) if entries.repeats > 1 else None
    shares = split(seeds.column("seed"), entries.repeats) if seeds else [()]
    values = []
    for repetition, share in enumerate(shares):
        for point in points(entries.draws, len(places_of), repetition):
            entry = _filled(drawn, dict(zip(places_of, point, strict=True)), names, tuned)
            values += [(*entry, seed) for seed in share] if seeds else [entry]
    ranges = {f"{name}.{p}" if p else name: drawn[name].ranges[p] for name, p in places_of}
    given = {name: drawn[name].given for name in names} | (dict(seeds.given) if seeds else {})
    joint = Axis((*names, "seed") if seeds else tuple(names), tuple(values), given, ranges)
    return [joint, *(axis for axis in axes if axis is not seeds)]


def _filled(
    drawn: Mapping[str, Template], point: Mapping[tuple[str, str], float], names: Sequence[str],
    tuned: Settings,
) -> tuple[Any, ...]:  # fmt: skip
    """Return the values of the drawn fields at one point."""
    values = []
    for name in names:
        template = drawn[name]
        drawn_here = {p: found.at(point[name, p]) for p, found in template.ranges.items()}
        value = template.filled(drawn_here)
        _note(tuned, [template], [value], drawn_here)
        values.append(value)
    return tuple(values)


def _completed(values: dict[str, Any], names: set[str]) -> dict[str, Any]:
    """Add the default of every field that is not given; a field given wrongly stays away from the rules."""
    defaults = {name: default_value(name) for name in RunConfig.model_fields if name not in names and name != "hidden"}
    shape = {}
    if "hidden" not in names:
        shape = {"depth": DEFAULT_DEPTH, "width": DEFAULT_WIDTH}
        shape = {name: value for name, value in shape.items() if name not in names}
    return {**defaults, **shape, **values}


def _checked_block(block: Block, mistakes: Mistakes) -> Block:
    if len(block) > MOST_RUNS:
        mistakes.add(block.place, f"{len(block):,} runs, need at most {MOST_RUNS:,}")
    else:
        check_rules(block, mistakes)
    return block


def check_rules(block: Block, mistakes: Mistakes) -> None:
    """Note every combination of a block's values that cannot be run."""
    known = {*block.fixed, *block.swept}
    for rule in RULES:
        shape_known = "hidden" in known or {"depth", "width"} <= known
        if not all(name in known or name in SHAPE_FIELDS for name in rule.fields):
            continue
        if not shape_known and set(rule.fields) & set(SHAPE_FIELDS):
            continue
        for values in block.combinations(rule.fields):
            if problem := rule.problem(values):
                mistakes.add(block.place, problem)

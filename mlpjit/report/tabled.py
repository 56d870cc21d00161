"""Sections of the page that are a finding, a table and notes: what was tried on the study, what racing saved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mlpjit.comparison.tries import Try, read
from mlpjit.report import style
from mlpjit.report.figures.results import Source
from mlpjit.store.notes import RACES, TRIES

COUNTS = ("settings", "dropped", "audited", "seeds")
RACED = (
    "After three tuning seeds and each further one, settings that are certainly not the best run no more (Friedman's "
    "and Conover's tests). A tenth of these, drawn by a hash of their values, runs to the end all the same: the audit."
)
WORDS = {"better": "better than", "worse": "worse than", "equal": "as good as", "undecided": "not yet told from"}


@dataclass(frozen=True)
class Tabled:
    """One section; the first cell of a row is its heading, and the columns in `numbers` are set to the right."""

    identifier: str
    question: str
    finding: str
    caption: str
    header: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    numbers: tuple[int, ...]
    notes: Sequence[str]


def tabled(source: Source) -> list[Tabled]:
    """Return the sections that the store has notes for."""
    return [section for section in (tried(source), raced(source)) if section]


def tried(source: Source) -> Tabled | None:
    """Return what was tried, the newest first; None where nothing was."""
    kept = read(source.note(TRIES))[::-1]
    if not kept:
        return None
    return Tabled(
        "tries",
        "What was tried, and is it better?",
        finding(kept[0]),
        "Pairs of runs on fresh seeds, added until each verdict was certain; differences in favour of what was tried.",
        ("tried", "against", "problem", "difference", "95 % interval", "seeds", "corrected p", "settings", "verdict"),
        [row for one in kept for row in _rows(one)],
        (3, 4, 5, 6, 7),
        _notes(kept),
    )


def finding(one: Try) -> str:
    """Return the verdicts of a try in words: soft_sign is better than rmsprop, worse than adam."""
    parts = []
    for answer, words in WORDS.items():
        found = [record for record in one.verdicts if record["answer"] == answer]
        problems = {record["problem"] for record in one.verdicts}
        names = [
            record["control"] if len(problems) == 1 else f"{record['control']} on {record['problem']}"
            for record in found
        ]
        parts += [f"{words} {style.listed(names)}"] if names else []
    seeds = sorted({record["pairs"] for record in one.verdicts})
    looked = f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
    return f"{one.name} is {', '.join(parts)}, after {looked} fresh seeds."


def _rows(one: Try) -> list[tuple[str, ...]]:
    when = one.ended_at[:10]
    return [
        (
            f"{one.name}, {when}", record["control"], record["problem"], f"{record['effect']:+.2f} {record['unit']}",
            f"{record['low']:.2f} to {record['high']:.2f}", str(record["pairs"]), f"{record['corrected_p']:.2g}",
            f"{one.settings[record['control']]}{'*' if record['control'] in one.uneven else ''}", record["verdict"],
        )
        for record in one.verdicts
    ]  # fmt: skip


def raced(source: Source) -> Tabled | None:
    """Return what racing saved, and what it may have cost; None for a study that does not race."""
    races = source.note(RACES) if source.study().get("tuning", {}).get("race") else None
    if not races:
        return None
    took, grid = (sum(race[name] for race in races) for name in ("gradients", "grid_gradients"))
    regrets = [race["regret"] for race in races if race["regret"] is not None]
    lost = sum(regret > 0 for regret in regrets)
    audited = f"in {lost} of {len(regrets)} an audited setting was better than all that were left"
    return Tabled(
        "races",
        "What did racing save, and what did it cost?",
        f"Racing took {took / grid:.0%} of the gradients of the whole grid; {audited}.",
        "Settings of one competitor on one problem; regret is in validation loss, by the best audited setting.",
        ("competitor", "problem", "settings", "dropped", "audited", "tuning seeds", "gradients saved", "regret"),
        [
            (
                race["competitor"], race["problem"], *(f"{race[name]:,}" for name in COUNTS),
                f"{1 - race['gradients'] / race['grid_gradients']:.0%}",
                "-" if race["regret"] is None else f"{race['regret']:.2g}",
            )
            for race in races
        ],
        (2, 3, 4, 5, 6, 7),
        [RACED],
    )  # fmt: skip


def _notes(kept: Sequence[Try]) -> list[str]:
    """What a reader must know to trust the table."""
    told = [f"Evidence that may be looked at after every seed, Holm over {one.family}, {one.cap} seeds at most."
            for one in kept[:1]]  # fmt: skip
    for one in kept:
        if one.uneven:
            count = one.settings[one.name]
            told.append(f"* {one.name} was tuned over {count} settings, so luck in tuning is not the same.")
    if len(kept) > 1:
        told.append(f"{len(kept)} tries are kept: each errs in 5 % of cases, so one of twenty is better by luck.")
    return list(dict.fromkeys(told))

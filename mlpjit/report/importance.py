"""What matters most: how much of the spread of scores each factor of the tuning grid explains."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mlpjit.config.fields import SEED_FIELDS
from mlpjit.report import style
from mlpjit.report.charts import dots
from mlpjit.report.charts.dots import Dot
from mlpjit.report.charts.panels import Chart
from mlpjit.report.figures.results import Results
from mlpjit.report.samples import guessing
from mlpjit.report.topic import Topic
from mlpjit.statistics.effects import contrasts, variance_shares
from mlpjit.statistics.importance import Factors, Share, over_problems, over_seeds
from mlpjit.statistics.paired import Floats

RATE = "learning_rate"
SCORE = "final_validation_score"
MOST_FACTORS = 6
MOST_SETS = 10  # in the plot, factors and pairs of them; its table has all


@dataclass(frozen=True)
class Grid:
    """A problem's balanced grid: scores of shape (levels of each factor, seeds)."""

    factors: tuple[str, ...]
    levels: Mapping[str, Sequence[Any]]
    scores: Floats
    placed: bool  # whether rates are told by their place in each competitor's grid


def importance(parts: Sequence[Results]) -> Topic | None:
    """Return the section where every problem has the same balanced grid of at least two factors."""
    grids = [grid for part in parts if (grid := balanced(part)) is not None]
    if len(grids) < len(parts) or len({grid.factors for grid in grids}) != 1:
        return None
    first = grids[0]
    shares = over_seeds(first.scores) if len(grids) == 1 else over_problems([variance_shares(g.scores) for g in grids])
    if not shares:
        return None
    words = _finding(shares, first, parts[0].score_name if len(parts) == 1 else "score")
    shown = [chosen for chosen in shares if len(chosen) <= 2][:MOST_SETS]
    rows = [_dot(chosen, shares[chosen], grids) for chosen in shown]
    sample = "problems, Student's" if len(grids) > 1 else f"{first.scores.shape[-1]} tuning seeds, the jackknife's"
    plot = dots.dot_plot("importance-0", rows, "share of the variance in %, with its 95 % interval", "Importance",
                         " ".join([words, *(f"{row.told}." for row in rows)]), ("less", "more"))  # fmt: skip
    return Topic(
        "importance", "What matters most?", Chart(words, [plot], wide=True),
        f"Share of the variance of validation scores over this grid of {first.scores[..., 0].size} settings that each "
        f"factor explains, and what two or more explain together beyond that (functional analysis of variance). "
        f"Other levels have other shares. Intervals are over {sample}.",
        _table(shares, grids), _notes(first),
    )  # fmt: skip


def balanced(results: Results) -> Grid | None:
    """Return the grid of a problem's tuning runs: every combination with the same seeds; None where it is not."""
    factors = tuple(name for name in results.varying if name != "hidden" or results.tuning["width"].isna().any())
    if not 2 <= len(factors) <= MOST_FACTORS:
        return None
    runs = results.tuning[[*factors, *SEED_FIELDS, SCORE, "state"]].assign(score=_scores(results))
    plain = _grid(runs, factors, placed=False)
    if plain is not None or RATE not in factors:
        return plain
    own = [name for name in factors if name in results.compared]
    if not own:
        return None
    return _grid(runs.assign(learning_rate=runs.groupby(own)[RATE].rank(method="dense")), factors, placed=True)


def _scores(results: Results) -> pd.Series:
    """A lost run is worth what guessing is, and nothing is worth less: R² has no lowest value."""
    floor = guessing(results)
    scores = pd.to_numeric(results.tuning[SCORE], errors="coerce")
    return scores.where((results.tuning["state"] == "done") & np.isfinite(scores), floor).clip(lower=floor)


def _grid(runs: pd.DataFrame, factors: tuple[str, ...], placed: bool) -> Grid | None:
    columns = [runs[name].astype(str) if runs[name].dtype == object else runs[name] for name in factors]
    codes, levels = zip(*(pd.factorize(column, sort=True) for column in columns), strict=True)
    seeds = runs.groupby(list(SEED_FIELDS), dropna=False).ngroup().to_numpy()
    shape = (*(len(some) for some in levels), int(seeds.max()) + 1)
    if len(runs) != math.prod(shape):
        return None
    scores = np.full(shape, np.nan)
    scores[(*codes, seeds)] = runs["score"].to_numpy()
    named = {name: list(some) for name, some in zip(factors, levels, strict=True)}
    return None if np.isnan(scores).any() else Grid(factors, named, scores, placed)


def _word(name: str) -> str:
    return style.WORDS.get(name, name.replace("_", " "))


def _together(chosen: Factors, grid: Grid) -> str:
    return " \N{MULTIPLICATION SIGN} ".join(_word(grid.factors[at]) for at in chosen)


def _percent(share: Share) -> str:
    return f"{style.percent(share.estimate)} ({100 * share.low:.0f} to {100 * share.high:.0f})"


def _finding(shares: Mapping[Factors, Share], grid: Grid, score: str) -> str:
    """The factors alone, largest first, then what only their combinations explain."""
    alone = [(chosen, share) for chosen, share in shares.items() if len(chosen) == 1]
    (chosen, first), rest = alone[0], alone[1:]
    parts = [f"{_together(each, grid)} {_percent(share)}" for each, share in rest]
    mixed = sum(share.estimate for each, share in shares.items() if len(each) > 1)
    return (
        f"The {_together(chosen, grid)} explains {_percent(first)} of the variance of validation {score}, "
        f"{style.listed(parts)}; the other {style.percent(mixed)} depends on how they are combined."
    )


def _dot(chosen: Factors, share: Share, grids: Sequence[Grid]) -> Dot:
    name = _together(chosen, grids[0])
    told = f"{name}: {_percent(share)}" + (_ends(chosen[0], grids[0]) if len(grids) == len(chosen) == 1 else "")
    middle, low, high = (100 * value for value in (share.estimate, share.low, share.high))
    return Dot(name, "m0", "o", middle, low, high, _percent(share), share.low > 0, told)


def _ends(factor: int, grid: Grid) -> str:
    """The best and the worst level of a factor."""
    effects = contrasts(grid.scores, (factor,)).mean(axis=-1)
    levels = grid.levels[grid.factors[factor]]
    return f"; on average {levels[int(effects.argmax())]} is best and {levels[int(effects.argmin())]} worst"


def _table(shares: Mapping[Factors, Share], grids: Sequence[Grid]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"factors": _together(chosen, grids[0]), "share": share.estimate, "low": share.low, "high": share.high}
            for chosen, share in shares.items()
        ]
    )


def _notes(grid: Grid) -> list[str]:
    notes = ["A lost run counts as guessing, and so does a worse one: the largest class's share, an R² of 0."]
    if grid.placed:
        notes.append(
            "Competitors have rates of their own: what counts is a rate's place in its grid, lowest to highest."
        )
    return notes

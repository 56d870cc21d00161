"""A family of pairs judged after every seed: each has its answer from the first look on at which that is certain.

The p of `sequential.Evidence` bounds, for a true null, the chance that it is ever as small, at any look. So at each
look, and over all of them, Holm's steps claim a true null only if one of the m0 there are falls to alpha / m0, which
happens with probability at most alpha, however the pairs depend on each other and whenever each of them stops: a pair
that is decided keeps its p and needs no more seeds, while the steps of the others become easier.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from .holm import holm
from .paired import Floats, checked
from .sequential import Answer, best_log_wealths, smallest_p
from .verdict import LOOKING, Verdict, more_pairs, verdicts


@dataclass(frozen=True)
class Look:
    """An answer, after how many pairs it stood, and Holm's corrected p then."""

    answer: Answer
    pairs: int
    corrected_p: float


def judge(
    differences: Mapping[str, npt.ArrayLike],
    family_name: str,
    unit: str,
    alpha: float = 0.05,
    margin: float | None = None,
) -> dict[str, Verdict]:
    """Judge a family of pairs by their 1-D differences in the order of the seeds, at level alpha together.

    What goes beyond a pair's look (`first_answers`) changes nothing; `pairs` of a verdict is that look. Raises
    ValueError as `verdict.verdicts` does.
    """
    samples = {name: checked(d) for name, d in differences.items()}
    found = {}
    for name, look in first_answers(samples, alpha, margin).items():
        seen = samples[name][: look.pairs]
        (alone,) = verdicts({name: seen}, family_name, unit, alpha, margin, "evidence").values()
        more = None
        if look.answer == "undecided":
            more = more_pairs(seen, alone.estimate, alpha / len(samples), margin, LOOKING)
        found[name] = replace(alone, answer=look.answer, corrected_p=look.corrected_p, more=more)
    return found


def first_answers(samples: Mapping[str, Floats], alpha: float, margin: float | None = None) -> dict[str, Look]:
    """Return for each pair the look at which it was certain, of what is undecided the last one.

    Look n is taken when all pairs that are still open have n differences. Where a margin makes them equal, "equal" goes
    first.
    """
    paths = {name: _Path.of(d, margin) for name, d in samples.items()}
    found = dict.fromkeys(samples, Look("undecided", 0, 1.0))
    while is_open := [name for name, look in found.items() if look.answer == "undecided"]:
        now = found[is_open[0]].pairs + 1
        if now > min(samples[name].size for name in is_open):
            break
        at = {name: (now if name in is_open else look.pairs) - 1 for name, look in found.items()}
        corrected = holm([path.p[at[name]] for name, path in paths.items()])
        equal = holm([path.equality_p[at[name]] for name, path in paths.items()])
        for name, p, equal_p in zip(paths, corrected.tolist(), equal.tolist(), strict=True):
            if name in is_open:
                found[name] = Look(paths[name].answer(now - 1, p, equal_p, alpha), now, p)
    return found


@dataclass(frozen=True)
class _Path:
    """What the differences of a pair have shown at each look."""

    p: Floats
    equality_p: Floats
    is_better: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, d: Floats, margin: float | None) -> _Path:
        above, below = best_log_wealths(d)
        equal = np.zeros_like(above)
        if margin is not None:
            equal = np.minimum(best_log_wealths(d, -margin)[0], best_log_wealths(d, margin)[1])
        return cls(_p(np.maximum(above, below)), _p(equal), above > below)

    def answer(self, at: int, p: float, equal_p: float, alpha: float) -> Answer:
        if equal_p <= alpha:
            return "equal"
        if p > alpha:
            return "undecided"
        return "better" if self.is_better[at] else "worse"


def _p(log_wealths: Floats) -> Floats:
    return np.minimum(1.0, 2 * np.exp(-log_wealths))


def fewest_pairs(comparisons: int, alpha: float = 0.05) -> int:
    """Return the fewest pairs after which any of so many comparisons can be certain: every bet on it won."""
    n = 1
    while comparisons * smallest_p(n) > alpha:
        n += 1
    return n

"""What the final stage of a study can claim at all, told before any run is made: the smallest p its seeds can reach.

Holm's first step multiplies the smallest p of a family by the number of its comparisons. Where that exceeds alpha for
the smallest p that there can be, no claim of the family is possible, whatever the runs say.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mlpjit.comparison.compare import ALPHA
from mlpjit.statistics.power import pairs_to_reach
from mlpjit.statistics.signflip import smallest_p


@dataclass(frozen=True)
class Claims:
    """A family of comparisons: `smallest_p` is corrected; `needed` how many of `sample` it takes for any claim."""

    family: str
    comparisons: int
    pairs: int
    sample: str
    smallest_p: float
    needed: int | None

    @property
    def possible(self) -> bool:
        """Whether any claim may come out."""
        return self.smallest_p <= ALPHA

    @property
    def words(self) -> str:
        """Return it in words: 54 comparisons: p 0.11 at best, so none can be claimed; 12 seeds could."""
        many = f"{self.comparisons:,} comparison{'' if self.comparisons == 1 else 's'}"
        best = f"{many}: p = {self.smallest_p:.2g} at best"
        if self.possible:
            return best
        return f"{best}, so none can be claimed" + (f"; it takes {self.needed} {self.sample}" if self.needed else "")


def claims(competitors: Sequence[int], pairs: int, sample: str = "seeds") -> list[Claims]:
    """Return the families of a study whose problems have so many competitors each, in so many pairs of runs.

    `sample` is what pairs are of: fresh seeds, or repetitions of the tuning. Empty where nothing is compared.
    """
    most = max(competitors, default=0)
    if most < 2:
        return []
    found = [
        _on_problems("each with each", sum(math.comb(count, 2) for count in competitors), pairs, sample),
        _on_problems("all against one", sum(count - 1 for count in competitors), pairs, sample),
    ]
    if len(competitors) > 1:
        found.append(_over_problems("each, over problems", math.comb(most, 2), len(competitors)))
        found.append(_over_problems("one, over problems", most - 1, len(competitors)))
    return found if most > 2 else found[::2]  # of two competitors both families are one


def _on_problems(name: str, comparisons: int, pairs: int, sample: str) -> Claims:
    best = min(1.0, comparisons * smallest_p(pairs))
    return Claims(name, comparisons, pairs, sample, best, pairs_to_reach(comparisons, ALPHA))


def _over_problems(name: str, comparisons: int, problems: int) -> Claims:
    """Signed ranks have 2^n patterns as signs have, and all of them are counted for any n."""
    best = min(1.0, comparisons * 2.0 ** (1 - problems))
    return Claims(name, comparisons, problems, "problems", best, 1 + math.ceil(math.log2(comparisons / ALPHA)))

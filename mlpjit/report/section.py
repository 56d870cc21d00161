"""What the page says about one dataset and loss function: the table's cells, the notes below it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mlpjit.comparison.compare import Compared
from mlpjit.comparison.names import named
from mlpjit.comparison.tuning import Tuning, unequal
from mlpjit.report import style, verdict
from mlpjit.report.charts import colours, svg
from mlpjit.report.charts.panels import Chart
from mlpjit.report.figures import FigureRecord
from mlpjit.report.figures.results import Results
from mlpjit.report.pairs import Picture
from mlpjit.report.samples import test_size

EDGES = {
    "low": "its best rate is the lowest of its grid, so a lower one may be better still",
    "high": "its best rate is the highest of its grid, so a higher one may be better still",
}
HOPELESS = "the median run was lost at every setting; the one shown lost the fewest runs"


@dataclass(frozen=True)
class Shown:
    """One figure on the page: its record, its name among the files, what it shows."""

    record: FigureRecord
    name: str
    chart: Chart


@dataclass(frozen=True)
class Section:
    """One answer, its rows best first, and its figures. The methods format cells for the template."""

    results: Results
    rows: list[verdict.Answer]
    figures: list[Shown]
    pairs: Sequence[Compared] = ()
    picture: Picture | None = None
    tunings: Sequence[Tuning] = ()

    def is_uneven(self, row: verdict.Answer) -> bool:
        """Whether competitors were tuned over other numbers of settings than this one, or this one than they."""
        return verdict.name(row) in unequal(self.tunings)

    def ends(self, row: verdict.Answer) -> dict[str, str]:
        """What of the best setting stands at an edge of what was tried, but for the rate: at which edge."""
        mine = [edges for each in self.tunings if each.competitor == verdict.name(row) for edges in each.edges]
        return {name: edge for edges in mine for name, edge in edges.items() if name != "learning_rate"}

    @property
    def sentences(self) -> list[str]:
        """The answer in words: who is best, then how sure that is."""
        return verdict.sentences(self.rows, self.results.score_unit, self.pairs)

    @property
    def sentence(self) -> str:
        """All of it in one piece."""
        return " ".join(self.sentences)

    @property
    def finding(self) -> str:
        """What the table of settings says."""
        first = self.rows[0]
        return verdict.choice(first, self.results.score_unit, self.setting(first), self.rate(first))

    @property
    def data(self) -> str:
        """Which data the scores come from: test or validation."""
        return "test" if self.rows[0]["stage"] == "final" else "validation"

    @property
    def identifier(self) -> str:
        """What the section is called in links."""
        return svg.identifier("answer", self.results.section or "all")

    @property
    def question(self) -> str:
        """The section's heading."""
        where = f" on {self.results.section}" if self.results.section else ""
        return f"Which {self.results.label.replace('_', ' ')} is best{where}, and at which setting?"

    @property
    def keys(self) -> dict[Any, str]:
        """The class of each label, which gives its colour on the whole page."""
        return colours.keys(self.results.looks, "k")

    @property
    def test_size(self) -> str:
        """How many samples a score is taken over and what one of them is worth; empty where that is not known."""
        return test_size(self.results, self.data)

    def is_best(self, row: verdict.Answer) -> bool:
        """Whether no other row has a higher score."""
        return math.isfinite(row["score"]) and bool(row["score"] == self.rows[0]["score"])

    def is_lost(self, row: verdict.Answer) -> bool:
        """Whether its median run was lost."""
        return bool(row["runs"]) and not math.isfinite(row["score"])

    def setting(self, row: verdict.Answer) -> str:
        """The factors of the best setting that vary, in words: depth 2, relu, he_normal."""
        keys = list(row)
        names = keys[keys.index("compared") + 1 : keys.index("stage")]
        words = [_factor(name, row[name]) for name in names if name != "learning_rate"]
        return ", ".join(word for word in words if word) or verdict.NO_SETTING

    def rate(self, row: verdict.Answer) -> str:
        """The best learning rate, a dash where none is."""
        return "-" if row["edge"] == "all diverged" else f"{row['learning_rate']:.3g}"

    def good(self, row: verdict.Answer) -> str:
        """The good range: one rate, from-to, or a list where it has gaps; a dash where one rate was tried."""
        if row["edge"] == "only":
            return "-"
        rates = [f"{rate:.3g}" for rate in row["good_rates"]]
        if len(rates) < 2:
            return rates[0] if rates else "none"
        return f"{rates[0]} to {rates[-1]}" if row["good_contiguous"] else ", ".join(rates)

    def score(self, row: verdict.Answer, key: str) -> str:
        """A score: percent with one digit, R² with three, a word for a median run that was lost, a dash for none."""
        unit = self.results.score_unit
        if not math.isfinite(row[key]):
            return "lost" if row["runs"] else "-"
        return f"{row[key] * unit:.1f}" if unit == 100 else f"{row[key]:.3f}"

    def loss(self, row: verdict.Answer) -> str:
        """The median loss, a word for a lost one, a dash for none."""
        return f"{row['loss']:.3g}" if math.isfinite(row["loss"]) else "lost" if row["runs"] else "-"

    def time(self, row: verdict.Answer) -> str:
        """The median training time of one run."""
        seconds = row["train_seconds"]
        if math.isnan(seconds):
            return "-"
        return f"{seconds * 1e3:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"

    @property
    def notes(self) -> list[str]:
        """What a reader must know to trust the table."""
        first = self.rows[0]
        chosen = "Settings were chosen by the median final validation loss over the tuning seeds"
        if first["stage"] == "final":
            notes = [f"{chosen}; scores are on test data over seeds that took no part in the choice."]
        else:
            why = (
                "The final stage has not run yet"
                if self.results.study.get("final")
                else "This study has no [final] stage"
            )
            notes = [
                f"{why}: scores are on validation data, over the very seeds by "
                f"which the settings were chosen, so they may flatter. {chosen}."
            ]
        if self.pairs:
            family = self.pairs[0].verdict.family
            notes.append(f"Better and worse: sign-flip tests of differences on equal seeds, Holm over {family}.")
        if any(row["edge"] != "only" for row in self.rows):
            notes.append("Good range: the rates whose median loss lies within 10 % of the best rate's.")
        notes += [f"* {row['label']}: {EDGES[row['edge']]}." for row in self.rows if row["edge"] in EDGES]
        notes += [
            f"* {row['label']}: its {_spoken(name)} is at the {edge} end of what was tried: better may lie beyond."
            for row in self.rows
            for name, edge in self.ends(row).items()
        ]
        notes += self._uneven()
        notes += [f"{row['label']}: {HOPELESS}." for row in self.rows if row["edge"] == "all diverged"]
        notes += [
            f"{row['label']}: {row['lost']} of the {row['runs']} runs reported here were lost; they count as "
            "infinitely bad."
            for row in self.rows
            if row["lost"]
        ]
        return notes

    def _uneven(self) -> list[str]:
        counts = unequal(self.tunings)
        if not counts:
            return []
        listed = style.listed([f"{name} {' or '.join(map(str, some))}" for name, some in counts.items()])
        return [f"\N{DAGGER} settings to choose from are unequal, and the best of more is better by luck: {listed}."]


def _spoken(name: str) -> str:
    return style.WORDS.get(name, name.replace("_", " "))


def _factor(name: str, value: Any) -> str:
    """A factor in words: its name only where the value alone would not tell."""
    if name == "normalization":
        return style.normalized(value, plain="")
    return "" if value in (None, "none") else named(name, value)

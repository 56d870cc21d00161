"""The first screen: the answer in words, then its pictures, over problems where it can be, else problem by problem."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from mlpjit.comparison.compare import Compared, Comparison
from mlpjit.comparison.names import named
from mlpjit.report import certainty, pairs
from mlpjit.report.charts import colours, svg
from mlpjit.report.figures.results import Results
from mlpjit.report.section import Section, Shown
from mlpjit.report.signals import Signals, signals
from mlpjit.report.style import Look


@dataclass(frozen=True)
class Screen:
    """Sentences under the name of their problem, if there are several, and pictures likewise."""

    told: list[tuple[str, list[str]]]
    pictures: list[tuple[str, pairs.Picture]]
    signals: Signals | None = None

    def holds(self, picture: pairs.Picture | None) -> bool:
        """Whether a picture of pairs stands on the first screen."""
        return any(picture is one for _, one in self.pictures)

    def shows(self, figure: Shown) -> bool:
        """Whether a figure stands on the first screen, so that it need not come again."""
        return self.signals is not None and figure.name == self.signals.shown


def screen(results: Results, sections: Sequence[Section], found: Comparison | None) -> Screen:
    """Put the answer together: what is known over problems goes before what is known on each."""
    if (about := signals(results)) is not None:
        return Screen([("", about.sentences)], [], about)
    overall = certainty.overall(found)
    told = [("", [overall])] if overall else []
    if found is not None and found.over_problems:  # what is known on each stands in its section
        looks, keys = spoken(results)
        over = pairs.picture("over-problems", found.over_problems, by_claims(found.over_problems), looks, keys)
        return Screen(told, [("over problems", over)] if over else [])
    told += [(section.results.section, section.sentences) for section in sections]
    return Screen(told, [(section.results.section, section.picture) for section in sections if section.picture])


def spoken(results: Results) -> tuple[dict[str, Look], dict[str, str]]:
    """Return the looks and the classes of competitors by what they are called."""
    names = {label: named(results.label, label) for label in results.looks}
    keys = colours.keys(results.looks, "k")
    return {names[label]: look for label, look in results.looks.items()}, {names[k]: key for k, key in keys.items()}


def by_claims(found: Sequence[Compared]) -> list[str]:
    """Return competitors by how many others they are known to be better than, less those that are known to be."""
    claims: Counter[str] = Counter()
    for pair in found:
        step = {"better": 1, "worse": -1}.get(pair.verdict.answer, 0)
        claims[pair.competitor] += step
        claims[pair.control] -= step
    return sorted(claims, key=lambda name: (-claims[name], name))


def section_picture(part: Results, found: Sequence[Compared], order: Sequence[str]) -> pairs.Picture | None:
    """Draw the pairs of one problem, the best first."""
    looks, keys = spoken(part)
    return pairs.picture(svg.identifier("pairs", part.section or "all"), found, order, looks, keys)

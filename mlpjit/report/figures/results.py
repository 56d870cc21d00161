"""What figures read: a study's runs with their loss, what varies, what is best, curves on demand."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlpjit.comparison import names
from mlpjit.comparison.choosing import Plan
from mlpjit.comparison.reported import COMPARED
from mlpjit.comparison.rows import sequence
from mlpjit.comparison.scores import classifies
from mlpjit.config.fields import PROBLEM, SETTING, columns_of
from mlpjit.report import style
from mlpjit.report.charts import colours
from mlpjit.report.sharing import NEEDED, chosen, frame, taken
from mlpjit.statistics import selection
from mlpjit.statistics.selection import RateRange, Setting, order_key

MOST_PANELS = 12  # of a figure, a label each
OF_ITS_OWN = "competitor"  # the column of names where those of what competes do not tell, or are missing for some


class Source(Protocol):
    """The part of the store that figures read."""

    def columns(self, names: Sequence[str]) -> Mapping[str, npt.NDArray[Any]]:
        """Return columns of one row a run, those of the names that there are."""

    def curves(self, run_ids: Sequence[str]) -> pd.DataFrame:
        """Return learning curves, long."""

    def layers(self, run_ids: Sequence[str], names: Sequence[str], epoch: int | None) -> pd.DataFrame:
        """Return records by layer, long."""

    def timing(self) -> pd.DataFrame:
        """Return measured step times."""

    def study(self) -> dict[str, Any]:
        """Return the canonical study."""

    def sessions(self) -> list[dict[str, Any]]:
        """Return every session with its machine."""

    def note(self, key: str) -> Any:
        """Return what was noted under a key; None where nothing was."""


@dataclass(frozen=True)
class Results:
    """One study on one problem; `runs` has one row a run.

    Of several sections the first alone shows what belongs to the whole study, such as step times.
    """

    source: Source
    runs: pd.DataFrame
    section: str = ""
    first: bool = True
    everyone: tuple[Any, ...] = ()  # the competitors of all problems

    @classmethod
    def read(cls, source: Source) -> Results:
        """Read the runs once; curves and layers stay in the store until a figure asks for some."""
        runs, study = frame(source.columns(NEEDED)), source.study()
        plan, columns = Plan(study), _compared(study, runs)
        label = _label(plan, columns)
        if columns and (label not in runs or runs[label].hasnans):
            runs[OF_ITS_OWN if label in runs else label] = _called(plan, columns, runs)
        return cls(source, runs)

    def sections(self) -> Iterator[Results]:
        """Yield one Results for each dataset and loss function: losses compare only within one problem."""
        found = names.problems(self.runs[list(PROBLEM)].drop_duplicates().to_dict("records"))
        if len(found) < 2:
            yield self
            return
        everyone = tuple(self.labels)
        problems = self.runs[list(PROBLEM)].groupby(list(PROBLEM), dropna=False, sort=True)
        for position, (problem, runs) in enumerate(problems):
            part = taken(self.runs, runs.index.to_numpy())
            yield replace(self, runs=part, section=found[problem], first=position == 0, everyone=everyone)

    def only(self, labels: Sequence[Any]) -> Results:
        """Return the same without all other competitors; colours stay."""
        kept = taken(self.runs, np.flatnonzero(self.runs[self.label].isin(labels)))
        return replace(self, runs=kept, everyone=self.everyone or tuple(self.labels))

    @cached_property
    def study(self) -> dict[str, Any]:
        """The canonical study."""
        return self.source.study()

    @cached_property
    def tuning(self) -> pd.DataFrame:
        """The runs that select, and those of settings that a race dropped; all of them when there is one stage."""
        return chosen(self.runs, self.runs["stage"].isin(selection.TUNING))

    @cached_property
    def final(self) -> pd.DataFrame:
        """The runs on fresh seeds, which report; empty without a final stage."""
        return chosen(self.runs, self.runs["stage"] == "final")

    @cached_property
    def varying(self) -> tuple[str, ...]:
        """The factors that take more than one value among the tuning runs, seeds apart."""
        present = [name for name in SETTING if name in self.tuning]
        return tuple(name for name in present if self.tuning[name].nunique(dropna=False) > 1)

    def others(self, shown: Iterable[str]) -> list[str]:
        """Return what varies besides `shown`; the list of widths where depth and width do not tell it."""
        told = {*shown, *(self.compared if self.label in shown else ())}
        told |= {"hidden"} if self.tuning["width"].notna().all() else set()
        return [name for name in self.varying if name not in told]

    @cached_property
    def label(self) -> str:
        """The column that the study compares, most often "optimizer"; of several one made of them."""
        return OF_ITS_OWN if OF_ITS_OWN in self.runs else _label(Plan(self.study), self.compared)

    @cached_property
    def compared(self) -> tuple[str, ...]:
        """The columns that the study compares."""
        found = next((name for name in COMPARED if name in self.varying), "optimizer")
        return _compared(self.study, self.runs) or (found,)

    @cached_property
    def labels(self) -> list[Any]:
        """The compared values in a stable order."""
        return self.values(self.label)

    @cached_property
    def looks(self) -> dict[Any, style.Look]:
        """Each competitor's colour, marker and line style, the same on all problems."""
        return style.looks(self.everyone or self.labels)

    def looks_of(self, factor: str, values: Iterable[Any]) -> dict[Any, style.Look]:
        """Return looks for the values of a factor: the competitors' own, or others that no competitor has."""
        return self.looks if factor == self.label else style.muted(values)

    def lines_of(self, factor: str, values: Iterable[Any]) -> tuple[dict[Any, style.Look], dict[Any, str]]:
        """Return the looks of a factor's values and the classes that give their colours on the page."""
        looks = self.looks_of(factor, values)
        return looks, colours.keys(looks, "k") if factor == self.label else colours.muted_keys(looks)

    def values(self, name: str) -> list[Any]:
        """Return the distinct values of a factor among the tuning runs: numbers ascending, names A to Z."""
        return sorted(self.tuning[name].unique().tolist(), key=order_key)

    @cached_property
    def settings(self) -> list[Setting]:
        """Every setting of the tuning runs, best first."""
        factors = tuple(dict.fromkeys([*SETTING, self.label]))
        shown = [name for name in factors if name in {*self.varying, self.label, "learning_rate"}]
        columns = [*shown, "state", "final_validation_loss"]
        lists = [sequence(self.tuning[name].to_numpy()) for name in columns]
        found = [_plain(values) if name == "width" else values for name, values in zip(columns, lists, strict=True)]
        rows = (dict(zip(columns, values, strict=True)) for values in zip(*found, strict=True))
        return selection.settings(rows, factors)

    @cached_property
    def best(self) -> dict[Any, Setting]:
        """The best setting of each label."""
        best: dict[Any, Setting] = {}
        is_dropped = (self.tuning["stage"] == "dropped").tolist()
        for setting in self.settings:
            if not is_dropped[setting.members[0]]:
                best.setdefault(setting.factors[self.label], setting)
        return {label: best[label] for label in self.labels}

    @cached_property
    def ranges(self) -> dict[Any, RateRange]:
        """Each label's learning rates at its best other settings."""
        wanted = {label: selection.combination(best.factors) for label, best in self.best.items()}
        grids: dict[Any, dict[float, float]] = {label: {} for label in self.best}
        for setting in self.settings:
            label = setting.factors[self.label]
            if wanted[label] == selection.combination(setting.factors):
                grids[label][setting.factors["learning_rate"]] = setting.median
        return {label: selection.rate_range(grid) for label, grid in grids.items()}

    def shown(self, labels: Iterable[Any]) -> list[Any]:
        """Return the labels that a figure has panels for: all, or of many the best; its table has all."""
        every = list(dict.fromkeys(labels))
        if len(every) <= MOST_PANELS:
            return every
        return sorted(every, key=lambda label: self.best[label].median)[:MOST_PANELS]

    def best_by(self, names: Sequence[str]) -> list[tuple[dict[str, Any], Setting]]:
        """Return the best setting of each combination of those factors, all else free; best first."""
        constants = {name: self.tuning[name].iloc[0] for name in names if len(self.tuning)}
        best: dict[tuple[Any, ...], tuple[dict[str, Any], Setting]] = {}
        for setting in self.settings:
            factors = {name: setting.factors.get(name, constants[name]) for name in names}
            best.setdefault(tuple(factors.values()), (factors, setting))
        return list(best.values())

    @cached_property
    def deepest(self) -> pd.DataFrame:
        """The tuning runs at the greatest depth."""
        return chosen(self.tuning, self.tuning["depth"] == self.tuning["depth"].max())

    @cached_property
    def score_name(self) -> str:
        """How the score is called: accuracy for classification, R² for regression."""
        return "accuracy" if self._classifies() else "R²"

    def _classifies(self) -> bool:
        problems = self.runs[list(PROBLEM)].drop_duplicates().itertuples(index=False)
        classified = Plan(self.study).classified
        return any(classifies(dataset, loss, classified) for dataset, loss in problems)

    @property
    def score_unit(self) -> float:
        """What a stored score is multiplied by on paper: accuracy is shown in percent."""
        return 100.0 if self.score_name == "accuracy" else 1.0

    @property
    def score_axis(self) -> str:
        """The axis label of a score, with its unit."""
        return "accuracy (%)" if self.score_name == "accuracy" else "R²"

    def members(self, setting: Setting) -> pd.DataFrame:
        """Return the tuning runs of one setting."""
        return self.tuning.iloc[list(setting.members)]

    def reported(self) -> pd.DataFrame:
        """Return the runs that report: the final stage, else each label's best setting over tuning seeds."""
        if len(self.final):
            return self.final
        parts = [self.members(best) for best in self.best.values()]
        return pd.concat(parts) if parts else self.tuning

    def curves(self, runs: pd.DataFrame) -> pd.DataFrame:
        """Return the curves of those runs (run_id, epoch, step, losses, score), long."""
        return self.source.curves(runs["run_id"].tolist())

    def layers(self, runs: pd.DataFrame, names: Sequence[str], epoch: int | None) -> pd.DataFrame:
        """Return per-layer records of those runs, long; `epoch` None means every epoch."""
        return self.source.layers(runs["run_id"].tolist(), names, epoch)


def _called(plan: Plan, columns: Sequence[str], runs: pd.DataFrame) -> pd.Series:
    """Return what each run's competitor is called."""
    values = zip(*(sequence(runs[name].to_numpy()) for name in columns), strict=True)
    keys = (plan.key(dict(zip(columns, some, strict=True)), columns) for some in values)
    return pd.Series([sys.intern(names.competitor(columns, key)) for key in keys], runs.index, dtype=object)


def _compared(study: dict[str, Any], runs: pd.DataFrame) -> tuple[str, ...]:
    """The columns that the final stage is for; none without one."""
    columns = columns_of((study.get("final") or {}).get("per", ()))
    return columns if all(name in SETTING and name in runs for name in columns) else ()


def _label(plan: Plan, columns: Sequence[str]) -> str:
    """The name of the column of competitors: one of its own where several make it, or its values are settings."""
    tuned = any(name in plan.study.get("settings", {}) for name in columns)
    return OF_ITS_OWN if tuned else names.together(columns)


def _plain(widths: Sequence[Any]) -> list[int | None]:
    """Return widths as whole numbers, None where the hidden layers have no common one (a column of floats and NaN)."""
    return [None if width is None or width != width else int(width) for width in widths]


def with_skips(runs: pd.DataFrame) -> pd.DataFrame:
    """Return runs whose normalization tells their residual connections too, where there are some: "layer + pre"."""
    if "residual" not in runs or (runs["residual"] == "none").all():
        return runs
    pairs = zip(runs["normalization"], runs["residual"], strict=True)
    return runs.assign(normalization=[name if skip == "none" else f"{name} + {skip}" for name, skip in pairs])

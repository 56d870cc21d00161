"""A study from Python: it shows its progress, and its results show themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlpjit.config.fields import SETTING
from mlpjit.display import lines, number, pairs, table, varying_first
from mlpjit.errors import ConfigError
from mlpjit.notebook.progress import bar, in_notebook
from mlpjit.registry import suggestion
from mlpjit.study import study

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from mlpjit.models.model import Model
    from mlpjit.study.pool import Runner
    from mlpjit.study.progress import Snapshot

OF_SETTING = ("runs", "median_loss", "median_test_score")
TOLD = ("dataset", "optimizer", "learning_rate", "activation", "init", "depth")  # of a setting
SHOWN = (*TOLD, *OF_SETTING)
MOST_SHOWN = 5  # settings


class Study(study.Study):
    """A checked study. `blocks` hold the grid; `final` is {per, seeds} or None; `timing` {repeats, width} or None;
    `tuning` {repeats, default, seeds}: how often it is tuned, whether the untuned default reports too, on which seeds.

    `source` is the built-in name or the path that it was loaded by, `data` what took the place of its own datasets.
    """

    def run(
        self, out: Path | str | None = None, threads: int | None = None,
        progress: Callable[[Snapshot], None] | None = None, runner: Runner | None = None, force: bool = False,
        report: bool = False,
    ) -> StudyResults:  # fmt: skip
        """Make every run that the store in `out` lacks, and return the results; `report` writes figures and page too.

        In a notebook it shows how far it is, unless `progress` is given. Raises ConfigError where the runs take more
        memory than is free, unless `force` is given, StoreError, and Interrupted (a KeyboardInterrupt) after everything
        finished has been stored.
        """
        shown = progress or (bar() if in_notebook() else None)
        done = super().run(out, threads, shown, runner, force)
        if report:
            from mlpjit.report import write

            write(done.directory)
        return StudyResults(done.directory, done.summary)

    def __repr__(self) -> str:
        return lines(f"Study {self.name}", self._told())

    def _repr_html_(self) -> str:
        return pairs(f"Study {self.name}", self._told())

    def _told(self) -> list[tuple[str, str]]:
        title = [("title", self.title)] if self.title else []
        return [*title, ("tuning runs", f"{len(self.runs):,}"), *(("data", line) for line in self.told())]


class StudyResults(study.StudyResults):
    """The results of a study on disk: `StudyResults("results/quick")`."""

    def __init__(self, directory: Path | str, summary: Any = None) -> None:
        super().__init__(Path(directory), summary)

    def best(self) -> pd.DataFrame:
        """Return one row for each setting that reports, best first on each problem, by validation loss.

        First what of the settings differs, then runs, median_loss, median_test_score of each; all other columns are of
        its best run, as in `frame`, those in which all are alike last. Raises StoreError where no run is done.
        """
        from mlpjit.verify.replay import best_runs

        found = best_runs(self.directory)
        settings = [*TOLD, *(name for name in SETTING if name in found and name not in TOLD)]
        differing = [name for name in settings if found[name].nunique(dropna=False) > 1]
        return varying_first(found, [*(differing or TOLD), *OF_SETTING])

    def model(self, run_id: str = "", use: Sequence[Path | str] = ()) -> Model:
        """Return the model of a run, the best one unless it is named: made again from the store, to the bit.

        use: Python files of your own that the run needs; a worker process reads them. Raises ConfigError, StoreError,
        and MlpjitError where the numbers are not those stored.
        """
        from mlpjit.verify.replay import best_run, replay

        return replay(self.directory, run_id or best_run(self.directory), [Path(path) for path in use]).model

    def figure(
        self, name: str, width: float = 3.3, only: Sequence[str] = (), problem: str = "", font_size: float = 8.0
    ) -> Figure:
        """Return a figure as `mlpjit figure` draws it, `width` inches wide. `problem`: of a study with several.

        Raises ConfigError for what is unknown and where the study has no such data.
        """
        from mlpjit.notebook.pictures import shown
        from mlpjit.report.paper import figures_of

        found = figures_of(self.directory, name, str(width), only, font_size)
        if not problem and len(found) == 1:
            return shown(next(iter(found.values())))
        if problem not in found:
            raise ConfigError(f"figure {name!r}: got problem {problem!r}{suggestion(problem, found)}")
        return shown(found[problem])

    def __repr__(self) -> str:
        head, rows = self._told()
        told = ["  " + ", ".join(f"{n} {number(v)}" for n, v in zip(head, row, strict=True)) for row in rows]
        return "\n".join([self._title(), *told])

    def _repr_html_(self) -> str:
        return table(self._title(), *self._told())

    def _title(self) -> str:
        with self.store() as store:
            states = [state for (state,) in store.rows(("state",))]
        counts = ", ".join(f"{states.count(each):,} {each}" for each in dict.fromkeys(states))
        return f"Results in {self.directory}: {counts or 'no runs'}"

    def _told(self) -> tuple[list[str], list[list[Any]]]:
        """Return the best settings: what of them differs, and how good they are."""
        from mlpjit.errors import StoreError

        try:
            best = self.best()
        except StoreError:
            return [], []
        some = best.head(MOST_SHOWN)
        head = [name for name in SHOWN if name in OF_SETTING or best[name].nunique() > 1]
        return head, some[head].to_numpy().tolist()

"""A study with optimizers of the user's own beside its own: the same axes, a grid of learning rates, the same store."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlpjit.config.fields import columns_of
from mlpjit.config.run_config import check_value
from mlpjit.errors import ConfigError
from mlpjit.extending.files import OptimizerFile
from mlpjit.store import FILE_NAME, Store
from mlpjit.study.blocks import Axis, Block
from mlpjit.study.plan import Known, work
from mlpjit.study.study import Study
from mlpjit.study.sweep import Summary, sweep
from mlpjit.study.workers import working

if TYPE_CHECKING:
    from mlpjit.study.progress import Snapshot


@dataclass(frozen=True, kw_only=True)
class Trial(Study):
    """A study with the optimizers of a file; `rates` is their grid, `given` whether the user chose it."""

    base: Study
    file: OptimizerFile
    rates: tuple[float, ...]
    given: bool = False

    def canonical(self) -> dict[str, Any]:
        """Return the study as plain data, with the names of what is tried."""
        return {**super().canonical(), "tried": list(self.file.names)}

    def command(self, directory: Path) -> str:
        """Return the shell command that runs the trial into `directory`."""
        rates = ["--rates", ",".join(f"{rate:g}" for rate in self.rates)] if self.given else []
        out = [] if directory == self.directory() else ["--out", str(directory)]
        study = self.base.source or f"{self.name}.toml"
        return shlex.join(["mlpjit", "try", str(self.file.path), study, *rates, *out])

    def try_out(
        self,
        directory: Path,
        threads: int | None = None,
        progress: Callable[[Snapshot], None] | None = None,
        announce: Callable[[int], None] | None = None,
    ) -> Summary:
        """Make what the store in `directory` lacks: the base study in this process, the rest in worker processes.

        `announce` is told before anything is run how many runs of the base study are missing.
        Raises ConfigError where an optimizer fails its checks, StoreError, and Interrupted after everything finished
        has been stored.
        """
        lacking = missing_runs(self.base, directory)
        if announce:
            announce(lacking)
        with working([(str(self.file.path.resolve()), self.file.digest)]) as workers:
            workers.check(self.file.names, self.dtypes())
            if lacking:
                sweep(self.base, directory, threads, progress)
            return sweep(self, directory, threads, progress, workers.runner())

    def dtypes(self) -> list[str]:
        """Return the dtypes of its runs."""
        return sorted({values["dtype"] for block in self.blocks for values in block.combinations(("dtype",))})


def trial(base: Study, file: OptimizerFile, rates: Sequence[float] = ()) -> Trial:
    """Return a study with the optimizers of a file on its grid; `rates` are theirs, all those of the study without.

    Raises ConfigError for rates that are none.
    """
    problems, checked = [], []
    for rate in rates:
        try:
            checked.append(check_value("learning_rate", rate))
        except ConfigError as error:
            problems += [f"rates: {line}" for line in error.problems]
    if problems:
        raise ConfigError(problems)
    grid = tuple(sorted(set(checked))) or rates_of(base)
    own = [_tried(block, name, grid) for name in file.names for block in base.blocks]
    final = base.final and {
        **base.final,
        **({} if "optimizer" in columns_of(base.final["per"]) else {"per": "optimizer"}),
    }
    values = {each.name: getattr(base, each.name) for each in fields(Study)}
    values |= {"blocks": (*base.blocks, *own), "final": final}
    return Trial(**values, base=base, file=file, rates=grid, given=bool(checked))


def rates_of(study: Study) -> tuple[float, ...]:
    """Return every learning rate of a study, ascending."""
    found = {rate for block in study.blocks for values in block.combinations(("learning_rate",))
             for rate in [values["learning_rate"]]}  # fmt: skip
    return tuple(sorted(found))


def _tried(block: Block, name: str, rates: tuple[float, ...]) -> Block:
    """Return a block with one optimizer on these rates, and all else as it is."""
    axes = [axis for axis in map(_without_optimizer, block.axes) if axis]
    fixed = {**block.fixed, "optimizer": check_value("optimizer", name)}
    fixed.pop("learning_rate", None)
    return Block(fixed, (Axis.of("learning_rate", rates), *axes), f"{name} tried", block.tuned)


def _without_optimizer(axis: Axis) -> Axis | None:
    """Return an axis without optimizer and learning rate: of joint draws what else is drawn."""
    names = [name for name in axis.fields if name not in ("optimizer", "learning_rate")]
    if not names:
        return None
    at = [axis.fields.index(name) for name in names]
    values = tuple(dict.fromkeys(tuple(entry[place] for place in at) for entry in axis.values))
    return Axis(tuple(names), values, {name: axis.given[name] for name in names})


def missing_runs(study: Study, directory: Path) -> int:
    """Return how many runs of a study, final ones included, the store in a folder lacks; all where there is none."""
    known: Known = {}
    if store := Store.find(directory / FILE_NAME):
        with store:
            known = store.known()
    todo = work(study, known, set())
    lacking = [study.runs.run_ids[index] for index in todo.missing_tuning]
    return sum(run_id not in known for run_id in lacking) + len(todo.missing_final)

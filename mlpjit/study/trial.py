"""A study with entries of the user's own beside its own: the same axes, the same grid of settings, the same store."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlpjit.comparison.tries import Try, keep, tries
from mlpjit.config.fields import SEED_FIELDS, columns_of
from mlpjit.config.identity import digest
from mlpjit.config.run_config import check_value
from mlpjit.errors import ConfigError
from mlpjit.extending.files import OwnFile
from mlpjit.extending.source import source_of
from mlpjit.store import FILE_NAME, Store
from mlpjit.study.choice import Known
from mlpjit.study.estimate import competing, final_count
from mlpjit.study.moments import now
from mlpjit.study.own_data import options
from mlpjit.study.own_sources import keep_source
from mlpjit.study.pairs import CAP, Judged, Pairing, best_settings, pairs_of
from mlpjit.study.plan import work
from mlpjit.study.racing import dropped, taking_part
from mlpjit.study.study import Study
from mlpjit.study.sweep import Summary, sweep
from mlpjit.study.tried import rates_of, tried_block
from mlpjit.study.using import dtypes_of
from mlpjit.study.workers import working

if TYPE_CHECKING:
    import pandas as pd

    from mlpjit.study.progress import Snapshot

MOST_CAP = 100_000


@dataclass(frozen=True, kw_only=True)
class Trial(Study):
    """A study with the entries of a file, and pairs of runs with its own ones until it is certain who is better.

    They are all of one kind, values of one field of a run. `rates` is their grid, `given` whether the user chose it;
    `tune` what else is tuned, as the user gave it. At most `cap` seeds are looked at; differences up to `margin`, in
    the score's unit, do not matter.
    """

    base: Study
    file: OwnFile
    rates: tuple[float, ...]
    given: bool = False
    tune: Mapping[str, Any] = field(default_factory=dict)
    cap: int = CAP
    margin: float | None = None

    @cached_property
    def own_source(self) -> dict[str, Any] | None:
        """The text of its file, None where it was edited since it was read."""
        return source_of(self.file)

    def canonical(self) -> dict[str, Any]:
        """Return the study as plain data, with the names of what is tried and the study's own final stage."""
        own = {"own_final": self.base.final} if self.base.final != self.final else {}
        return {**super().canonical(), "tried": list(self.file.names), **own}

    def command(self, directory: Path) -> str:
        """Return the shell command that runs the trial into `directory`."""
        words = options(self.data) if self.data else []
        words += ["--rates", ",".join(repr(rate) for rate in self.rates)] if self.given else []
        for name, values in self.tune.items():
            words += ["--tune", f"{name}={','.join(map(repr, values))}"]
        words += ["--cap", str(self.cap)] if self.cap != CAP else []
        words += ["--margin", repr(self.margin)] if self.margin is not None else []
        out = [] if directory == self.directory() else ["--out", str(directory)]
        study = self.base.source or f"{self.name}.toml"
        return shlex.join(["mlpjit", "try", str(self.file.path), study, *words, *out])

    def try_out(
        self,
        directory: Path,
        threads: int | None = None,
        progress: Callable[[Snapshot], None] | None = None,
        force: bool = False,
    ) -> Summary:
        """Make what the store in `directory` lacks: the base study in this process, the rest in worker processes.

        Raises ConfigError where an optimizer fails its checks, StoreError, and Interrupted after everything finished
        has been stored.
        """
        _ = self.own_source  # before it is edited while runs are made
        lacking = missing_runs(self.base, directory)
        with working([*self.use, self.file]) as workers:
            workers.check([entry for file in (*self.use, self.file) for entry in file.entries], dtypes_of(self))
            if lacking:
                sweep(self.base, directory, threads, progress, workers.runner() if self.use else None, force=force)
            summary = sweep(self, directory, threads, progress, workers.runner(), force=force)
        self.keep(directory)
        return summary

    @property
    def limits(self) -> tuple[float, ...]:
        """The time limits of its own runs in seconds, ascending."""
        own = self.blocks[len(self.base.blocks) :]
        return tuple(sorted({limit for block in own for limit in block.axis_values("timeout")}))

    @property
    def per(self) -> tuple[str, ...]:
        """The columns whose values compete."""
        return columns_of(self.final["per"] if self.final else self.file.field)

    def pairing(self, known: Known) -> Pairing | None:
        """Return the pairs with the study's own competitors.

        None while tuning runs are missing, and where a fresh seed would change nothing.
        """
        raced, ids = self.races(known), self.runs.run_ids
        out = dropped(raced)
        if self.same_on_any_seed() or not all(ids[at] in known for at in range(len(ids)) if at not in out):
            return None
        pairs = pairs_of(self, taking_part(raced, ids, known), self.file.field, self.file.names)
        return Pairing(self.runs, pairs, self.final["seeds"] if self.final else (), self.cap, self.margin)

    def same_on_any_seed(self) -> bool:
        """Whether the study fixes data, first weights and order somewhere: there, pairs of runs are always the same."""
        fixed = [[block.fixed.get(name) for name in SEED_FIELDS[1:]] for block in self.blocks]
        return any(None not in seeds for seeds in fixed)

    def verdicts(self, directory: Path) -> list[Judged]:
        """Return what the runs in a folder have shown of each pair, without making any; StoreError without a store."""
        with Store.open(directory, readonly=True) as store:
            pairing = self.pairing(store.known())
            return pairing.verdicts(store) if pairing else []

    def frame(self, directory: Path) -> pd.DataFrame:
        """Return `verdicts` as a frame: one row a pair and problem."""
        import pandas as pd

        return pd.DataFrame([judged.record() for judged in self.verdicts(directory)])

    def keep(self, directory: Path) -> list[Try]:
        """Return what came of each newcomer, and leave it in the store for pages to come, unless it is there."""
        judged = self.verdicts(directory)
        with Store.open(directory, readonly=True) as store:
            kept = tries(store)
            known: Known = store.known()
            known = taking_part(self.races(known), self.runs.run_ids, known)
            made = self._tries(judged, best_settings(self, known, self.file.field))
            if not all(any(one.says_the_same(other) for other in kept) for one in made):
                store.start_writing()
                keep(store, made)
            keep_source(store, self.own_source)
        return made

    def _tries(self, judged: Sequence[Judged], best: Mapping[str, Mapping[str, Any]]) -> list[Try]:
        by_name: dict[str, list[Judged]] = {}
        for one in judged:
            by_name.setdefault(one.compared.competitor, []).append(one)
        settings = self.count_settings()
        plan = {**super().canonical(), "tried": list(self.file.names)}
        version = digest(f"{self.file.digest} {json.dumps(plan, sort_keys=True, default=str)}")
        return [
            Try(name, some[0].entry, version, self.name, now(), settings, best[name], self.cap, self.margin,
                some[0].compared.verdict.family, [one.record() for one in some])
            for name, some in by_name.items()
        ]  # fmt: skip

    def count_settings(self) -> dict[str, int]:
        """Return over how many settings each competitor is tuned on a problem, on the one with the most of them."""
        found: dict[str, int] = {}
        for rivals in competing(self, self.per).values():
            for name, count in rivals.items():
                found[name] = max(count, found.get(name, 0))
        return found


def trial(
    base: Study,
    file: OwnFile,
    rates: Sequence[float] = (),
    tune: Mapping[str, Sequence[float]] | None = None,
    cap: int = CAP,
    margin: float | None = None,
) -> Trial:
    """Return a study with the entries of a file on its grid; `rates` are theirs; without, an optimizer has all of them.

    `tune` has values for their other parameters, in place of the space that the file may have for them. At most `cap`
    seeds are looked at; differences up to `margin`, in the score's unit, do not matter. Raises ConfigError for values
    that cannot be, and for a cap or a margin that is none.
    """
    problems, checked = [], []
    if not 1 <= cap <= MOST_CAP:
        problems.append(f"cap: got {cap}, need a whole number from 1 up to {MOST_CAP:,}")
    if margin is not None and not 0 < margin < math.inf:
        problems.append(f"margin: got {margin:g}, need a finite number above 0")
    for rate in rates:
        try:
            checked.append(check_value("learning_rate", rate))
        except ConfigError as error:
            problems += [f"rates: {line}" for line in error.problems]
    if problems:
        raise ConfigError(problems)
    grid = tuple(sorted(set(checked)))
    field = file.field
    spaces = {name: dict(tune) if tune else dict(file.spaces.get(name, {})) for name in file.names}
    own = [
        tried_block(block, field, name, space, grid, base) for name, space in spaces.items() for block in base.blocks
    ]
    final = base.final and {
        **base.final,
        **({} if field in columns_of(base.final["per"]) else {"per": field}),
    }
    values = {each.name: getattr(base, each.name) for each in fields(Study)}
    values |= {"blocks": (*base.blocks, *own), "final": final}
    return Trial(**values, base=base, file=file, rates=grid or rates_of(base), given=bool(checked),
                 tune=tune or {}, cap=cap, margin=margin)  # fmt: skip


def missing_runs(study: Study, directory: Path) -> int:
    """Return how many runs of a study, of every stage, the store in a folder lacks; all where there is none."""
    known: Known = {}
    if store := Store.find(directory / FILE_NAME):
        with store:
            known = store.known()
    todo = work(study, known, set())
    lacking = [study.runs.run_ids[index] for index in todo.missing_tuning]
    final = final_count(study) if todo.final is None else len(todo.missing_final)
    return sum(run_id not in known for run_id in lacking) + final + len(todo.missing_defaults)

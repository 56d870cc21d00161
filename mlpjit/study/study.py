"""Study: a grid of runs from a TOML file or a built-in name, and its results."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlpjit.catalogue.datasets import describe
from mlpjit.catalogue.datasets.told import told
from mlpjit.config.memory import check_there
from mlpjit.config.run_config import RunConfig
from mlpjit.display import varying_first
from mlpjit.errors import ConfigError
from mlpjit.extending.files import OwnFile
from mlpjit.host import regular_file
from mlpjit.registry import suggestion
from mlpjit.study.blocks import Block
from mlpjit.study.choice import Known
from mlpjit.study.competitors import Called, called, check_names, settings_of
from mlpjit.study.defaults import default_blocks
from mlpjit.study.file import HEAD_KEYS, TABLES, check_repeats, read_final, read_head, read_timing, read_tuning
from mlpjit.study.limits import limited
from mlpjit.study.mistakes import Mistakes
from mlpjit.study.own_data import classified, on_data, options
from mlpjit.study.plan import Batches
from mlpjit.study.racing import Grid, Raced, grids
from mlpjit.study.repetitions import split
from mlpjit.study.runs import Runs
from mlpjit.study.sweep import Summary, sweep
from mlpjit.study.sweeps import read_blocks
from mlpjit.study.toml import read_toml
from mlpjit.study.using import digests, read_use, runner_of

if TYPE_CHECKING:
    import pandas as pd

    from mlpjit.store import Store
    from mlpjit.study.pool import Runner
    from mlpjit.study.progress import Snapshot

FOLDER = Path(__file__).parent / "studies"
RESULTS, HERE = Path("results"), Path()
ONCE: dict[str, Any] = {"repeats": 1, "default": False, "race": False, "seeds": []}


def built_in() -> dict[str, Path]:
    """Return the built-in studies by name."""
    return {path.stem: path for path in sorted(FOLDER.glob("*.toml"))}


def _not_found(name: str) -> str:
    """A path is a file that is missing, anything else a built-in study misspelt."""
    if Path(name).suffix or Path(name).name != name:
        return f"{name}: there is no such study file (looked in {Path.cwd()})"
    hint = suggestion(name, built_in())
    return f"unknown study {name!r}{hint}" + ("" if hint.endswith("?") else f"; one of your own is a file: {name}.toml")


@dataclass(frozen=True)
class Study:
    """A checked study. `blocks` hold the grid; `final` is {per, seeds} or None; `timing` {repeats, width} or None;
    `tuning` {repeats, default, seeds}: how often it is tuned, whether the untuned default reports too, on which seeds.

    `source` is the built-in name or the path that it was loaded by, `data` what took the place of its own datasets,
    `use` the files of a user's own that it names.
    """

    name: str
    blocks: tuple[Block, ...]
    title: str = ""
    question: str = ""
    final: Mapping[str, Any] | None = None
    timing: Mapping[str, Any] | None = None
    tuning: Mapping[str, Any] = field(default_factory=lambda: dict(ONCE))
    source: str = ""
    data: Mapping[str, Any] | None = None
    use: tuple[OwnFile, ...] = ()

    @classmethod
    def load(cls, name: str | Path, data: str | Mapping[str, Any] | None = None) -> Study:
        """Read a built-in study or a TOML file. Raises ConfigError with every mistake in it, one line each.

        `data`, a dataset as in a study file, takes the place of the study's own.
        """
        path = built_in().get(str(name)) or Path(name)
        try:
            text = regular_file(path).read_text(encoding="utf-8-sig")  # as some editors write it
        except FileNotFoundError:
            raise ConfigError(_not_found(str(name))) from None
        except UnicodeDecodeError:
            told = ": a bundle has one in it, study.toml: unpack it" if path.suffix == ".zip" else ""
            raise ConfigError(f"{path}: not a study file: it is not text in UTF-8{told}") from None
        except OSError as error:
            raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
        table = read_toml(text, path.name)
        spec = data if data is None or isinstance(data, Mapping) else {"name": data}
        if spec is not None:
            describe(check_there(spec))  # what is wrong with it is told once, not for each block
            table = on_data({"name": path.stem, **table}, spec)
        made = cls.from_table(table, default_name=path.stem, file=path.name, folder=path.parent)
        return replace(made, source=str(name), data=spec)

    @classmethod
    def from_table(
        cls, table: Mapping[str, Any], default_name: str = "study", file: str = "", folder: Path = HERE
    ) -> Study:
        """Check the content of a study file given as a dict. Files that it uses are looked for from `folder`."""
        mistakes = Mistakes(file)
        use = read_use(table, folder, mistakes)
        mistakes.raise_if_any()
        head = read_head(table, default_name, mistakes)
        tuning = read_tuning(table, mistakes)
        blocks = read_blocks(table, (*HEAD_KEYS, *TABLES), tuning["repeats"], mistakes)
        final = read_final(table, blocks, mistakes)
        timing = read_timing(table, mistakes)
        seeds = check_repeats(tuning["repeats"], blocks, final, mistakes)
        mistakes.raise_if_any()
        check_names(blocks, mistakes)
        mistakes.raise_if_any()
        blocks = tuple(map(limited, blocks)) if use else blocks
        named = {"use": use, "blocks": blocks, "final": final, "timing": timing, "tuning": {**tuning, "seeds": seeds}}
        return cls(**head, **named)  # type: ignore[arg-type]

    @cached_property
    def runs(self) -> Runs:
        """The distinct tuning runs."""
        return Runs(self.blocks)

    @cached_property
    def called(self) -> Called:
        """By column the competitor of each tuned spec."""
        return called(self.blocks)

    @property
    def repetitions(self) -> list[tuple[int, ...]]:
        """The tuning seeds of each repetition; one that has them all where tuning is not repeated."""
        return split(self.tuning["seeds"], self.tuning["repeats"])

    @property
    def pairs(self) -> int:
        """How many pairs a comparison has: repetitions of the tuning, or final seeds; 0 without any."""
        if not self.final:
            return 0
        return self.tuning["repeats"] if self.tuning["repeats"] > 1 else len(self.final["seeds"])

    @cached_property
    def defaults(self) -> Runs | None:
        """The untuned default of each competitor on the final seeds; None where it is not asked for."""
        if not self.final or not self.tuning["default"]:
            return None
        return Runs(default_blocks(self.blocks, self.final["per"], self.final["seeds"]))

    def configs(self) -> list[RunConfig]:
        """Return the config of every tuning run, duplicates left out."""
        return [self.runs.config(index) for index in range(len(self.runs))]

    def canonical(self) -> dict[str, Any]:
        """Return the study as plain data: what it fixes, what it sweeps, and its other stages."""
        return {
            "name": self.name, "title": self.title, "question": self.question,
            "blocks": [block.canonical() for block in self.blocks],
            "final": self.final, "timing": self.timing, "tuning": self.tuning, "settings": settings_of(self.blocks),
            **({"classified": self.classified} if self.classified else {}), **digests(self.use),
        }  # fmt: skip

    @cached_property
    def classified(self) -> list[str]:
        """The user's own datasets that have classes."""
        return classified(self._datasets())

    def directory(self, out: Path | str | None = None) -> Path:
        """Return where the results go: `out`, or results/<name> below the current folder."""
        return Path(out) if out is not None else RESULTS / self.name

    @cached_property
    def grids(self) -> list[Grid]:
        """What races in its tuning; nothing unless that is asked for."""
        if not self.tuning["race"]:
            return []
        return grids(self.runs, self.final["per"] if self.final else "optimizer", self.called, self.repetitions)

    def races(self, known: Known) -> list[Raced]:
        """Return how far the races of its tuning are, from what is stored."""
        return [grid.raced(self.runs.run_ids, known) for grid in self.grids]

    def pairing(self, known: Known) -> Batches | None:
        """Return what goes on after the final runs: nothing."""
        return None

    def command(self, directory: Path) -> str:
        """Return the shell command that runs the study into `directory`."""
        out = [] if directory == self.directory() else ["--out", str(directory)]
        data = options(self.data) if self.data else []
        return shlex.join(["mlpjit", "run", self.source or f"{self.name}.toml", *data, *out])

    def told(self) -> list[str]:
        """Return what there is to tell of each of its datasets, a line each."""
        return [line for spec in self._datasets() for line in told(spec)]

    def _datasets(self) -> list[Mapping[str, Any]]:
        """Return the spec of each dataset once."""
        found = {repr(v["dataset"]): v["dataset"] for b in self.blocks for v in b.combinations(("dataset",))}
        return list(found.values())

    def run(
        self,
        out: Path | str | None = None,
        threads: int | None = None,
        progress: Callable[[Snapshot], None] | None = None,
        runner: Runner | None = None,
        force: bool = False,
    ) -> StudyResults:
        """Make every run that the store in `out` lacks, and return the results.

        Raises ConfigError where the runs take more memory than is free, unless `force` is given, StoreError, and
        Interrupted (a KeyboardInterrupt) after everything finished has been stored.
        """
        with runner_of(self, runner) as maker:
            summary = sweep(self, self.directory(out), threads, progress, maker, force=force)
        return StudyResults(self.directory(out), summary)


@dataclass(frozen=True)
class StudyResults:
    """The results of a study on disk."""

    directory: Path
    summary: Summary | None = None

    def store(self) -> Store:
        """Open the store for reading."""
        from mlpjit.store import Store

        return Store.open(self.directory, readonly=True)

    def frame(self) -> pd.DataFrame:
        """Return one row a run: factors, state, metrics, counts, timings, provenance."""
        with self.store() as store:
            return store.frame()

    def curves(self, run_ids: Iterable[str] | None = None) -> pd.DataFrame:
        """Return learning curves (run_id, epoch, step, losses, score), of all runs unless some are named."""
        with self.store() as store:
            wanted = run_ids if run_ids is not None else [row[0] for row in store.rows(("run_id",))]
            return store.curves(wanted)

    def compare(
        self, control: str = "", by: Sequence[str] = (), metric: str = "", margin: float | None = None
    ) -> pd.DataFrame:
        """Return one row a pair of competitors and problem, then over problems: effect, interval, p, verdict.

        Columns in which all rows are alike stand last.

        As `mlpjit compare`: against `control`, or each with each; `margin` in the score's unit does not matter.
        Raises ConfigError for what is unknown or cannot be compared, and StoreError.
        """
        import pandas as pd

        from mlpjit.comparison.stored import compare_stored

        found = compare_stored(self.directory, control, (by,) if isinstance(by, str) else by, metric, margin)
        levels = {"on problems": found.on_problems, "over problems": found.over_problems}
        rows = [{**pair.record(), "level": level} for level, some in levels.items() for pair in some]
        return varying_first(pd.DataFrame(rows), ["level"] if all(levels.values()) else [])

    def tuning(self, by: str | Sequence[str] = (), metric: str = "") -> pd.DataFrame:
        """Return one row a problem and competitor: settings, what was chosen, edges, default beside tuned, best of k.

        Raises ConfigError and StoreError as `compare`.
        """
        import pandas as pd

        from mlpjit.comparison.stored import compare_stored

        found = compare_stored(self.directory, "", (by,) if isinstance(by, str) and by else by, metric)
        return pd.DataFrame([each.record() for each in found.tunings])

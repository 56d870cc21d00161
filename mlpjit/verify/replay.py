"""A stored run made again from its store, to the bit, and its model: runs keep no weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlpjit.config.fields import PROBLEM, SETTING
from mlpjit.errors import ConfigError, MlpjitError, StoreError, option
from mlpjit.files import replacing
from mlpjit.models.learned import Learned, learn
from mlpjit.models.model import Model
from mlpjit.models.scripts import numpy_script, torch_script
from mlpjit.registry import suggestion
from mlpjit.report.export import as_text
from mlpjit.store import Store
from mlpjit.store.schema import COUNTS, METRICS
from mlpjit.study.pool import Overdue
from mlpjit.study.using import running
from mlpjit.verify.kept import Kept, StoredRuns, needed_names, own_code

if TYPE_CHECKING:
    import pandas as pd

    from mlpjit.training.result import RunResult


def best_run(directory: Path) -> str:
    """Return the id of the best setting's best run, both by validation loss; of final runs where there are some.

    Raises StoreError where no run is done, ConfigError where the study has several problems.
    """
    frame = best_runs(directory)
    problems = frame[list(PROBLEM)].drop_duplicates()
    if len(problems) > 1:
        named = ", ".join(problems["dataset"].unique())
        remedy = f"name a run of one, as {option('run', 'ID', 'run_id')}"
        raise ConfigError(f"{directory}: this study has several problems ({named}): {remedy}")
    return str(frame.iloc[0]["run_id"])


def best_runs(directory: Path) -> pd.DataFrame:
    """Return one row for each setting that reports, best first on each problem: its best run by validation loss.

    median_loss, median_test_score, runs: the medians of the setting's runs, the loss on validation data, and how many
    they are. Settings of the final stage where there are some, else of tuning. Raises StoreError where no run is done.
    """
    with Store.open(directory, readonly=True) as store:
        frame = store.frame()
    done = frame[frame["state"] == "done"]
    final = done[done["stage"] == "final"]
    chosen = (final if len(final) else done).copy()
    if not len(chosen):
        raise StoreError(f"{directory}: no run is done here yet: `mlpjit run STUDY` makes some")
    setting = [name for name in SETTING if name in chosen]
    groups = chosen.groupby(setting, dropna=False, sort=False)
    losses = groups["final_validation_loss"]
    chosen["median_loss"], chosen["runs"] = losses.transform("median"), losses.transform("size")
    chosen["median_test_score"] = groups["test_score"].transform("median")
    ordered = chosen.sort_values([*PROBLEM, "median_loss", "final_validation_loss"], kind="stable")
    return ordered.drop_duplicates(setting).reset_index(drop=True)


def replay(directory: Path, run_id: str, use: Sequence[Path] = ()) -> Learned:
    """Make a stored run again: with files of the user's own, if it needs some, in a worker process that has read them.

    Raises MlpjitError where its numbers are not those stored, ConfigError, StoreError.
    """
    place = StoredRuns(directory)
    if run_id not in place.run_ids:
        raise ConfigError(f"{directory}: no run {run_id!r} with a result{suggestion(run_id, place.run_ids[:20])}")
    with running(use) as workers:
        kept = place.kept(run_id)
        if kept.config is None:
            raise ConfigError(f"run {run_id} cannot be made again{_wanting(kept.problem, directory, use)}")
        try:
            made = workers.learn(kept.config) if workers else learn(kept.config)
        except Overdue:
            raise MlpjitError(f"run {run_id} made again is not done after {kept.config.timeout:g} s") from None
    if other := _differences(kept, made.result):
        raise MlpjitError(f"run {run_id} made again has another {', '.join(other)}: code or data changed since")
    return made


def _wanting(problem: str, directory: Path, use: Sequence[Path]) -> str:
    """Return why a run cannot be made, and which files of own code would mend it; no file is run unless it is given."""
    own = own_code(directory)
    names = needed_names(problem, own)
    if not names:
        return f": {problem}"
    files = list(dict.fromkeys(own[name] for name in names))
    return f", for want of {', '.join(names)}: give {'also ' if use else ''}{option('use', files)}"


def _differences(kept: Kept, result: RunResult) -> list[str]:
    made: dict[str, Any] = {**result.metrics, **result.counts}
    texts = {name: as_text(name, made[name]) for name in (*METRICS, *COUNTS) if name in made} | {"state": result.status}
    return [name for name, text in texts.items() if kept.texts.get(name, text) != text]


def export_model(
    directory: Path, path: Path, run_id: str = "", torch: Path | None = None, use: Sequence[Path] = ()
) -> list[Path]:
    """Write the model of a run, the best one unless it is named, and what predicts with it; return the files.

    Beside best.npz stands best_predict.py, which needs NumPy alone; `torch` is a file for a PyTorch module, `use` are
    files of the user's own that the run needs.
    """
    if torch is not None and torch.resolve().parent != path.resolve().parent:
        raise ConfigError(f"{torch}: the module reads {path.name} beside it: name a file in the same folder")
    model = replay(directory, run_id or best_run(directory), use).model
    return [model.save(path), *_scripts(model, path, torch)]


def _scripts(model: Model, path: Path, torch: Path | None) -> list[Path]:
    script = path.with_name(f"{path.stem}_predict.py")
    texts = {script: numpy_script(model, path, script.name)}
    texts |= {torch: torch_script(model, path)} if torch is not None else {}
    for file, text in texts.items():
        with replacing(file) as partial:
            partial.write_text(text, encoding="utf-8")
    return list(texts)

"""A model taken away from a store: three commands from a table to predictions by NumPy alone."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from mlpjit.catalogue.datasets import load as load_data
from mlpjit.catalogue.datasets import split
from mlpjit.catalogue.registries import REGISTRIES
from mlpjit.cli import app
from mlpjit.config.run_config import RunConfig
from mlpjit.errors import ConfigError, MlpjitError
from mlpjit.models.model import load
from mlpjit.notebook.study import StudyResults
from mlpjit.store import Store
from mlpjit.verify import replay

TINY = """
name = "tiny"
width = 4
epochs = 2
normalization = "batch"
[sweep]
learning_rate = [0.03, 0.3]
activation = ["relu", "tanh"]
[final]
per = "activation"
seeds = [100, 101]
"""


@pytest.fixture(scope="module")
def done(tmp_path_factory) -> Path:
    """A folder with a table, a study of it in out/, and its best model."""
    folder = tmp_path_factory.mktemp("taken")
    rows = [f"{'' if i % 9 == 4 else 30 + i},{('north', 'south', 'east')[i % 3]},{1000 + 7 * i},{('gas', 'oil')[i % 2]}"
            for i in range(80)]  # fmt: skip
    (folder / "houses.csv").write_text("\n".join(["area,district,price,heating", *rows]) + "\n")
    (folder / "tiny.toml").write_text(TINY)
    data = ["--data", folder / "houses.csv", "--target", "price", "--no-report"]
    assert mlpjit("run", folder / "tiny.toml", *data, "--out", folder / "out")[0] == 0
    files = ["--model", folder / "best.npz", "--torch", folder / "best.py"]
    code, printed, said = mlpjit("export", folder / "out", *files)
    assert code == 0, said
    assert printed.split() == [str(folder / name) for name in ("best.npz", "best_predict.py", "best.py")]
    return folder


def mlpjit(*arguments: str | Path) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, list(map(str, arguments)))
    return done.exit_code, done.stdout, done.stderr


def test_the_best_run_is_of_the_best_final_setting(done):
    with Store.open(done / "out", readonly=True) as store:
        frame = store.frame()
    final = frame[frame["stage"] == "final"]
    medians = final.groupby("activation")["final_validation_loss"].median()
    best = final[final["activation"] == medians.idxmin()].sort_values("final_validation_loss").iloc[0]
    assert replay.best_run(done / "out") == best["run_id"]
    assert load(done / "best.npz").run_id == best["run_id"]


def test_its_predictions_are_the_run_s_own(done):
    """R^2 of the script's predictions of the test part, in the units of the table, is the stored one."""
    said = subprocess.run(
        [sys.executable, done / "best_predict.py", done / "houses.csv"], capture_output=True, text=True, check=True
    )
    predicted = np.array(said.stdout.split(), float)
    result = replay.replay(done / "out", load(done / "best.npz").run_id).result
    config = result.config
    test, y = split(config.dataset, config.split_seed).rows_test, load_data(config.dataset).y[:, 0]
    rest = np.sum((predicted[test] - y[test]) ** 2) / np.sum((y[test] - y[test].mean()) ** 2)
    assert 1 - rest == pytest.approx(result.test_score, abs=1e-5)


def test_a_run_may_be_named(done):
    with Store.open(done / "out", readonly=True) as store:
        run_id = store.frame()["run_id"].iloc[0]
    assert mlpjit("export", done / "out", "--model", done / "one.npz", "--run", run_id)[0] == 0
    assert load(done / "one.npz").run_id == run_id
    with pytest.raises(ConfigError, match="no run 'abc' with a result"):
        replay.replay(done / "out", "abc")


def test_options_that_do_not_fit_are_told(done):
    assert "--run, --torch and --use are for --model" in mlpjit("export", done / "out", "--run", "abc")[2]
    code, _, said = mlpjit("export", done / "out", "--model", done / "x.npz", "--torch", done / "out" / "x.py")
    assert code == 2
    assert "in the same folder" in said


def test_a_run_of_other_numbers_is_no_replay(done, monkeypatch):
    run_id = load(done / "best.npz").run_id
    kept = replay.StoredRuns(done / "out").kept(run_id)
    other = RunConfig(**{**kept.config.model_dump(), "learning_rate": 0.31})
    monkeypatch.setattr(replay.StoredRuns, "kept", lambda self, _: type(kept)(run_id, other, "", kept.texts))
    with pytest.raises(MlpjitError, match="made again has another final_train_loss"):
        replay.replay(done / "out", run_id)


EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
OWN = [EXAMPLES / f"{name}.py" for name in ("soft_sign", "random_signs", "late_fall")]
WITH_OWN = f"""
use = {list(map(str, OWN))}
dataset = "wine"
width = 4
epochs = 3
optimizer = "soft_sign"
init = "random_signs"
schedule = "late_fall"
sweep.learning_rate = [0.01]
"""


@pytest.fixture
def with_own(tmp_path) -> Iterator[Path]:
    """A folder of runs that need files of the user's own, which nothing here knows any more."""
    before = {kind: set(registry) for kind, registry in REGISTRIES.items()}

    def forget() -> None:
        for kind, registry in REGISTRIES.items():
            for name in set(registry) - before[kind]:
                registry.remove(name)

    (tmp_path / "own.toml").write_text(WITH_OWN)
    assert mlpjit("run", tmp_path / "own.toml", "--out", tmp_path / "out", "--no-report")[0] == 0
    forget()
    yield tmp_path / "out"
    forget()


def test_a_model_of_own_code_is_made_in_a_worker_with_its_files(with_own):
    folder = with_own.parent
    used = [word for path in OWN for word in ("--use", path)]
    code, _, said = mlpjit("export", with_own, "--model", folder / "own.npz", *used)
    assert code == 0, said
    model = load(folder / "own.npz")
    data = load_data("wine")
    test = split("wine", json.loads(str(model.arrays["config"]))["split_seed"]).rows_test
    right = np.array(model.classes)[data.y[test]] == model.predict(data.x[test])
    with Store.open(with_own, readonly=True) as store:
        assert store.frame()["test_score"].tolist() == pytest.approx([right.mean()])


def test_files_that_a_model_needs_are_asked_for(with_own):
    model = with_own.parent / "own.npz"
    code, _, said = mlpjit("export", with_own, "--model", model)
    assert (code, said.count("\n")) == (2, 1)
    told = "cannot be made again, for want of soft_sign, random_signs, late_fall: give"
    assert said.endswith(f"{told} --use soft_sign.py --use random_signs.py --use late_fall.py\n")
    with pytest.raises(ConfigError, match=r"for want of random_signs, late_fall: give also use=\['random_signs.py', '"):
        StudyResults(with_own).model(use=OWN[:1])
    assert not model.exists()


def test_data_in_memory_are_asked_for_where_they_are_not(tmp_path):
    """A store of a study on them is complete, but another process cannot make its runs again, and says so."""
    from mlpjit.catalogue.datasets import datasets
    from mlpjit.config.memory import Dataset
    from mlpjit.study.study import Study
    from mlpjit.verify import verify

    rng = np.random.default_rng(2)
    data = Dataset(rng.normal(size=(60, 3)), rng.normal(size=60))
    (tmp_path / "tiny.toml").write_text(TINY)
    Study.load(tmp_path / "tiny.toml", data=data).run(tmp_path / "out")
    assert verify(tmp_path / "out").wrong == []
    assert mlpjit("export", tmp_path / "out", "--model", tmp_path / "a.npz")[0] == 0
    datasets.remove(data.name)
    wrong = verify(tmp_path / "out").wrong
    assert len(wrong) == 8
    said = f"dataset {data.name!r} was data in the memory of another process: make it here again"
    assert all(said in each.problem for each in wrong)
    code, _, told = mlpjit("export", tmp_path / "out", "--model", tmp_path / "a.npz")
    assert code == 2
    assert said in told
    assert mlpjit("report", tmp_path / "out")[0] == 0

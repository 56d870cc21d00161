"""Models: what a run has learned predicts by NumPy alone what its own kernels predict."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from mlpjit.catalogue.registries import activations, normalizations
from mlpjit.config.run_config import RunConfig
from mlpjit.errors import ConfigError, MlpjitError
from mlpjit.kernels.tables import MODE
from mlpjit.models.learned import model_of, statistics_of
from mlpjit.models.model import Model, load
from mlpjit.models.scripts import TORCH_ACTIVATIONS, numpy_script, torch_script
from mlpjit.training.forward import Forward
from mlpjit.training.run import Run
from mlpjit.training.shape import config_layers, layer_activations

# Of outputs of order 1 to 10, four layers deep: NumPy's sums have another order than the kernels'.
TOLERANCE = {"float32": 2e-5, "float64": 1e-12}


def trained(**given) -> Run:
    run = Run(RunConfig(**{"hidden": [12, 12], "epochs": 2, "learning_rate": 0.02, **given}))
    run.advance()
    return run


def model(run: Run) -> Model:
    return model_of(run.config, run.point(), statistics_of(run), run.config.run_id)


def own_outputs(run: Run) -> np.ndarray:
    """The test predictions by the kernels, with running statistics, as the run was tested."""
    config = run.config
    names = layer_activations(config)
    work = Forward(config_layers(config), names, run.point(), run.data.x_test, config.dtype)
    work.training = MODE.evaluation
    statistics = statistics_of(run)
    work.moments[: len(statistics)] = statistics
    work.forward()
    return work.outputs()[:, : run.data.y_test.shape[1]]


def raw_test(run: Run) -> np.ndarray:
    from mlpjit.catalogue.datasets import load as load_data

    return load_data(run.config.dataset).x[run.data.rows_test]


def assert_same(run: Run, taken: Model) -> None:
    own, made = own_outputs(run), taken.outputs(raw_test(run))
    assert made.dtype == own.dtype
    np.testing.assert_allclose(made, own, rtol=TOLERANCE[run.config.dtype], atol=TOLERANCE[run.config.dtype])


CASES = {
    "classification": {},
    "regression": {"dataset": "diabetes"},
    "batch normalization": {"normalization": "batch"},
    "layer normalization": {"normalization": "layer", "residual": "pre"},
    "rms normalization": {"normalization": "rms", "residual": "post"},
    "weight normalization": {"normalization": "weight"},
    "softmax with squared error": {"output_activation": "softmax", "loss": "mse"},
    "another point to report": {"normalization": "batch", "optimizer": "schedule_free_adamw"},
    "a wrapper": {"normalization": "batch", "wrapper": "lookahead"},
    "no hidden layer": {"hidden": []},
    "several targets": {"dataset": "digits_autoencoder"},
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", CASES)
def test_a_model_predicts_what_the_run_did(case, dtype):
    run = trained(**CASES[case], dtype=dtype)
    assert_same(run, model(run))


@pytest.mark.parametrize("name", [name for name in activations if name != "softmax"])
def test_every_activation_of_the_catalogue_is_there(name):
    run = trained(dataset="wine", activation=name, epochs=1, dtype="float64")
    assert_same(run, model(run))
    assert name in TORCH_ACTIVATIONS


def test_the_parameter_of_an_activation_goes_with_it():
    run = trained(dataset="wine", activation={"name": "celu", "alpha": 2.0}, dtype="float64")
    assert_same(run, model(run))


def test_every_normalization_is_a_case():
    assert {each.get("normalization", "none") for each in CASES.values()} == set(normalizations)


@pytest.mark.parametrize("case", [name for name, given in CASES.items() if not given.keys() & {"dataset", "loss"}])
def test_its_loss_is_the_run_s_own(case):
    """What the run was tested with, whichever point and running statistics it reports."""
    run = trained(**CASES[case], dtype="float64")
    out, y = model(run).outputs(raw_test(run)), run.data.y_test
    logits = out - out.max(axis=1, keepdims=True)
    loss = np.mean(np.log(np.exp(logits).sum(axis=1)) - (logits * y).sum(axis=1))
    assert loss == pytest.approx(run.result().metrics["test_loss"], rel=1e-10)


@pytest.mark.parametrize("dataset", ["wine", "diabetes"])
def test_its_score_is_the_run_s_own(dataset):
    run = trained(dataset=dataset)
    predicted, score = model(run).predict(raw_test(run)), run.result().test_score
    from mlpjit.catalogue.datasets import load as load_data

    data = load_data(run.config.dataset)
    truth = data.y[run.data.rows_test]
    if data.classes:
        assert np.mean(predicted == np.array(data.classes)[truth]) == score
    else:
        rest = np.sum((predicted - truth[:, 0]) ** 2) / np.sum((truth[:, 0] - truth.mean()) ** 2)
        assert 1 - rest == pytest.approx(score, abs=1e-5)


@pytest.fixture
def houses(tmp_path):
    """A table with text, missing values, an ordinal column and the target in the middle."""
    rows = []
    for i in range(120):
        area, zone = "" if i % 9 == 4 else 30 + i % 50, "" if i % 17 == 2 else ("north", "south", "east")[i % 3]
        rows.append(f"{area},{1000 + 7 * (i % 50) + 40 * (i % 3)},{zone},{('gas', 'oil')[i % 2]},street {i % 18}")
    path = tmp_path / "houses.csv"
    path.write_text("\n".join(["area,price,zone,heating,street", *rows]) + "\n")
    return path


def test_a_table_is_encoded_as_it_was(houses, tmp_path):
    import pandas as pd

    run = trained(dataset={"name": str(houses), "target": "price"}, learning_rate=1e-3)
    taken = load(model(run).save(tmp_path / "best.npz"))
    assert_same(run, taken)
    rows = pd.read_csv(houses, dtype=str, keep_default_na=False).iloc[run.data.rows_test]
    np.testing.assert_array_equal(taken.outputs(rows), taken.outputs(raw_test(run)))
    np.testing.assert_array_equal(taken.outputs(rows.to_dict("list")), taken.outputs(raw_test(run)))
    with pytest.raises(ConfigError, match="the table has no column 'zone'"):
        taken.predict(rows.drop(columns="zone"))
    rows.loc[rows.index[0], "street"] = "elsewhere"
    with pytest.raises(ConfigError, match="not there in training: 'elsewhere'"):
        taken.predict(rows)


def predicted_by(script, rows) -> list[str]:
    done = subprocess.run([sys.executable, script, rows], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_the_script_beside_it_needs_numpy_alone(houses, tmp_path):
    run = trained(dataset={"name": str(houses), "target": "price"}, normalization="batch", learning_rate=1e-3)
    taken = model(run)
    path = taken.save(tmp_path / "best.npz")
    script = tmp_path / "best_predict.py"
    script.write_text(numpy_script(taken, path, script.name))
    assert "mlpjit" not in script.read_text()
    made = np.array(predicted_by(script, houses), float)
    from mlpjit.catalogue.datasets import load as load_data

    np.testing.assert_array_equal(made, taken.predict(load_data(run.config.dataset).x))


WRITTEN = {
    "semicolons, a byte order mark": lambda text: "\ufeff" + text.replace(",", ";"),
    "tabs": lambda text: text.replace(",", "\t"),
    "spaces, an empty line": lambda text: text.replace(",", ", ").replace("\n", "\n , , , , \n", 2),
    "no header": lambda text: text.partition("\n")[2],
}


@pytest.mark.parametrize("name", WRITTEN)
def test_the_script_reads_tables_as_training_does(houses, tmp_path, name):
    houses.write_text(WRITTEN[name](houses.read_text()), encoding="utf-8")
    run = trained(dataset={"name": str(houses), "target": 2}, learning_rate=1e-3)
    taken, script = model(run), tmp_path / "best_predict.py"
    script.write_text(numpy_script(taken, taken.save(tmp_path / "best.npz"), script.name))
    from mlpjit.catalogue.datasets import load as load_data

    made = np.array(predicted_by(script, houses), float)
    np.testing.assert_array_equal(made, taken.predict(load_data(run.config.dataset).x))


def test_the_script_tells_what_it_cannot_read_in_a_line(houses, tmp_path):
    taken, script = model(trained(dataset={"name": str(houses), "target": "price"})), tmp_path / "best_predict.py"
    script.write_text(numpy_script(taken, taken.save(tmp_path / "best.npz"), script.name))
    houses.write_text(houses.read_text().replace("zone", "district", 1))
    (tmp_path / "empty.csv").write_text("")
    told = {
        (): "usage: python best_predict.py rows.csv", (houses,): f"{houses}: no column 'zone'",
        (tmp_path / "empty.csv",): f"{tmp_path / 'empty.csv'}: cannot be read",
        (tmp_path / "none.csv",): f"{tmp_path / 'none.csv'}: cannot be read: [Errno 2] No such file",
    }  # fmt: skip
    for arguments, line in told.items():
        done = subprocess.run([sys.executable, script, *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert done.stderr.startswith(line)
        assert done.stderr.count("\n") == 1


def test_a_saved_model_is_the_same(tmp_path):
    taken = model(trained())
    again = load(taken.save(tmp_path / "a.npz"))
    assert all(np.array_equal(again.arrays[name], array, equal_nan=array.dtype.kind == "f")
               for name, array in taken.arrays.items())  # fmt: skip
    assert repr(again) == f"Model of run {taken.run_id}: 64-12-12-10, 10 classes"


def test_what_is_no_model_is_told(tmp_path):
    np.savez(tmp_path / "x.npz", x=np.zeros(3))
    (tmp_path / "y.npz").write_text("no")
    for name, said in (("x.npz", "no model of mlpjit"), ("y.npz", "not a readable model"), ("z.npz", "No such file")):
        with pytest.raises(MlpjitError, match=said):
            load(tmp_path / name)
    with pytest.raises(ConfigError, match=r"x: got shape \(3,\), need \(n, 64\)"):
        model(trained(epochs=0)).predict(np.zeros(3))
    with pytest.raises(ConfigError, match=r"ends in \.npz"):
        model(trained(epochs=0)).save(tmp_path / "x.bin")


@pytest.mark.peers
@pytest.mark.parametrize(
    ("name", "normalization"), [*((name, "none") for name in activations), *(("relu", each) for each in normalizations)]
)
def test_the_torch_module_agrees(tmp_path, name, normalization):
    torch = pytest.importorskip("torch")
    import runpy

    run = trained(activation=name, normalization=normalization, residual="post", dtype="float64")
    taken = model(run)
    path = taken.save(tmp_path / "best.npz")
    (tmp_path / "best.py").write_text(torch_script(taken, path))
    network = runpy.run_path(str(tmp_path / "best.py"))["Network"]()
    with torch.no_grad():
        made = network(torch.as_tensor(raw_test(run))).numpy()
    np.testing.assert_allclose(made, own_outputs(run), rtol=1e-10, atol=1e-10)


def test_the_torch_module_is_python():
    taken = model(trained(normalization="batch", residual="pre"))
    from pathlib import Path

    compile(torch_script(taken, Path("best.npz")), "best.py", "exec")

"""What people have in a notebook: objects that show themselves, predict, draw, and say how far they are."""

from __future__ import annotations

import inspect
import subprocess
import sys
import types
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

import mlpjit as mj
from mlpjit.catalogue.datasets import load as load_data
from mlpjit.display import varying_first
from mlpjit.notebook.progress import bar, text
from mlpjit.study.progress import Snapshot

TINY = """
name = "tiny"
title = "<b> & co"
dataset = "wine"
hidden = [4]
epochs = 2
[sweep]
optimizer = ["sgd", "adam"]
learning_rate = [0.003, 0.03]
seed = [0, 1]
[final]
seeds = [100, 101]
"""


@pytest.fixture(scope="module")
def result() -> mj.RunResult:
    return mj.train(mj.RunConfig(dataset="wine", hidden=[8, 8], normalization="batch", epochs=3))


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> mj.Study:
    path = tmp_path_factory.mktemp("study") / "tiny.toml"
    path.write_text(TINY)
    return mj.Study.load(path)


@pytest.fixture(scope="module")
def results(study, tmp_path_factory) -> mj.StudyResults:
    return study.run(tmp_path_factory.mktemp("out"), report=True)


class Texts(HTMLParser):
    """The texts of cells; an element that is not closed is an error."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.cells: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs) -> None:
        self.open.append(tag)

    def handle_endtag(self, tag) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data) -> None:
        self.cells.append(data)


def test_each_shows_itself(result, study, results):
    for shown, first in [
        (result, f"Run {result.config.run_id}: done"), (study, "Study tiny"),
        (results, f"Results in {results.directory}: 12 done"),
        (mj.optimizers["adam"], "adam(b1=0.9, b2=0.999, eps=0.0, eps_root=1e-16)"),
        (mj.Network([4, 8, 2]), "Network 4-8-2, float32"),
    ]:  # fmt: skip
        words = repr(shown).splitlines()
        assert words[0] == first
        assert 2 <= len(words) <= 8
        assert Texts(shown._repr_html_()).cells[0] == first


def test_what_is_shown_is_escaped(study):
    html = study._repr_html_()
    assert "<b> &" not in html
    assert "&lt;b&gt; &amp; co" in html
    assert "<b> & co" in Texts(html).cells


def test_a_result_predicts_and_is_saved(result, tmp_path):
    data = load_data("wine")
    predicted = result.predict(data.x)
    again = mj.load(result.save(tmp_path / "a.npz")).predict(data.x)
    assert predicted.tolist() == again.tolist()
    assert set(predicted.tolist()) <= set(data.classes)
    rows = mj.Dataset(data.x, data.y).split(0).rows_test
    assert np.mean(predicted[rows] == np.array(data.classes)[data.y[rows]]) == result.test_score


def test_a_network_takes_the_running_statistics(result):
    """Its kernels then predict what the model does; with the batch's own statistics they do not."""
    data = load_data("wine")
    scaled = (data.x - result.model.arrays["x_shift"]) / result.model.arrays["x_divisor"]
    net = mj.Network([13, 8, 8, 3], normalization="batch")
    own = net.predict(result.params, scaled, result.statistics)
    np.testing.assert_allclose(own, result.model.outputs(data.x), rtol=2e-5, atol=2e-5)
    assert not np.allclose(own, net.predict(result.params, scaled), atol=1e-3)
    with pytest.raises(mj.ConfigError, match=r"statistics: got shape \(3,\), need \(32,\)"):
        net.predict(result.params, scaled, np.zeros(3))


def test_a_network_for_data_in_memory():
    from mlpjit.catalogue.datasets import datasets

    rng = np.random.default_rng(0)
    data = mj.Dataset(rng.normal(size=(60, 5)), rng.normal(size=(60, 2)))
    net, parts = mj.Network.of(data, [7]), data.split(3)
    assert (net.sizes, net.loss.name) == ([5, 7, 2], "mse")
    value, _ = net.loss_and_grad(net.init(), parts.x_train, parts.y_train)
    assert np.isfinite(value)
    datasets.remove(data.name)


@pytest.mark.parametrize(("name", "curves"), [("gradient_norm", 3), ("validation_loss", 1)])
def test_a_record_is_drawn(result, name, curves):
    figure = result.plot(name, width=4)
    (axes,) = figure.axes
    assert len(axes.lines) == curves
    shown = result.history[name].reshape(4, -1)
    assert [line.get_ydata().tolist() for line in axes.lines] == shown.T.tolist()
    assert figure.get_figwidth() == 4
    assert figure._repr_png_().startswith(b"\x89PNG")
    with pytest.raises(mj.ConfigError, match="unknown record 'gradient_nrom': did you mean 'gradient_norm'"):
        result.plot("gradient_nrom")


def test_results_are_figures_and_frames(results):
    figure = results.figure("rate_curves", width=3.3)
    assert figure.get_figwidth() == pytest.approx(3.3)
    best = results.best()
    assert best["median_loss"].is_monotonic_increasing
    assert len(best) == 2
    assert best["runs"].tolist() == [2, 2]
    final = results.frame().query("stage == 'final'").groupby("optimizer")["test_score"].median()
    assert best["median_test_score"].tolist() == final[best["optimizer"]].tolist()
    assert set(results.compare()["level"]) == {"on problems"}
    differing = [name for name in ("optimizer", "learning_rate") if best[name].nunique() == 2]
    assert list(results.compare())[:3] == ["competitor", "control", "problem"]  # of one pair nothing differs
    wanted = [*differing, "runs", "median_loss", "median_test_score"]
    assert list(best)[: len(wanted)] == wanted
    assert best.iloc[:, -1].nunique() == 1
    assert results.model().run_id == best["run_id"][0]
    with pytest.raises(mj.ConfigError, match="unknown figure 'rate_curve'"):
        results.figure("rate_curve")


def test_what_differs_stands_first():
    frame = pd.DataFrame(
        {"unit": ["%"] * 3, "a": [1, 1, 2], "none": [None] * 3, "gap": [None, 1.0, 1.0], "b": [1, 2, 3]}
    )
    assert list(varying_first(frame)) == ["a", "gap", "b", "unit", "none"]
    assert list(varying_first(frame, ["none", "b"])) == ["none", "b", "a", "gap", "unit"]
    assert list(varying_first(frame.head(1))) == list(frame)
    assert varying_first(pd.DataFrame()).empty


def test_of_several_problems_one_is_named(tmp_path):
    path = tmp_path / "two.toml"
    path.write_text(TINY.replace('"wine"', '["wine", "iris"]').replace("dataset", "[sweep]\ndataset", 1).replace(
        "hidden = [4]\nepochs = 2\n[sweep]\n", ""))  # fmt: skip
    results = mj.Study.load(path).run(tmp_path / "out")
    with pytest.raises(mj.ConfigError, match=r"figure 'rate_curves': got problem ''.*iris"):
        results.figure("rate_curves")
    assert results.figure("rate_curves", problem="iris").axes
    assert set(results.best()["dataset"]) == {"wine", "iris"}
    with pytest.raises(mj.ConfigError, match=r"several problems \(.*\): name a run of one"):
        results.model()


def test_a_report_is_written_if_asked(results, study, tmp_path):
    assert (results.directory / "report.html").exists()
    study.run(tmp_path)
    assert not (tmp_path / "report.html").exists()


def test_results_of_an_earlier_session_are_opened_by_their_folder(results):
    assert mj.StudyResults(str(results.directory)).best()["run_id"].tolist() == results.best()["run_id"].tolist()


def test_a_notebook_is_shown_how_far_it_is(study, tmp_path, monkeypatch):
    shown: list[str] = []

    class Handle:
        def update(self, html: str) -> None:
            shown.append(html)

    kernel = types.ModuleType("IPython.display")
    kernel.HTML, kernel.display = str, lambda first, display_id: Handle()  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython.display", kernel)
    monkeypatch.setitem(sys.modules, "ipykernel", types.ModuleType("ipykernel"))
    study.run(tmp_path)
    assert any("tune: 8 of 8" in line for line in shown)
    assert any("final: 4 of 4" in line for line in shown)
    assert callable(bar())


def test_progress_is_escaped():
    line = text(Snapshot("tune", 4, 0, 2, 1, 0, 1.0, 2.0, 1.0, 0.51234, "<adam>"))
    assert line == '<progress max="4" value="2"></progress> tune: 2 of 4, best 0.5123 (&lt;adam&gt;), 1 diverged'


def test_help_explains_every_field_of_a_run():
    from mlpjit.config.explained import EXPLAINED

    assert str(inspect.signature(mj.RunConfig)).startswith("(*, dataset='digits', hidden=(64,), ")

    words = mj.RunConfig.__doc__
    assert set(EXPLAINED) == set(mj.RunConfig.model_fields)
    for name, field in mj.RunConfig.model_fields.items():
        of, meaning = EXPLAINED[name]
        assert f"    {name} ({of}; {field.default!r}): {meaning}." in words


@pytest.mark.parametrize("code", ["import mlpjit", "import mlpjit as mj; mj.RunConfig, mj.Study, mj.train, mj.Dataset"])
def test_what_a_notebook_imports_is_light(code):
    """No figure, table or compiler library before something needs it."""
    said = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules)"], capture_output=True, text=True, check=True
    )
    assert {"numba", "llvmlite", "matplotlib", "pandas", "scipy"} & set(said.stdout.split()) == set()

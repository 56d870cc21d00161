"""Data functions on a handful of runs, against numbers worked by hand."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest
from conftest import SyntheticStore, make_run, store_of

from mlpjit.config.fields import SETTING
from mlpjit.report.figures import (
    dead_units,
    depth_rate,
    figures,
    gradient_norm,
    init_activation,
    learning_curves,
    rate_curves,
    rescue,
    signal,
    step_time,
    time_shares,
)
from mlpjit.report.figures.results import Results
from mlpjit.statistics import selection

INF = math.inf


def run(loss: float | None, stage: str = "tune", **given: Any) -> dict[str, Any]:
    """One run with that final validation loss; None diverged."""
    state = "diverged" if loss is None else "done"
    return make_run(stage, **given) | {"final_validation_loss": math.nan if loss is None else loss, "state": state}


def results_of(*runs: dict[str, Any], **plan: Any) -> Results:
    return Results.read(store_of("tiny", runs, **plan))


def seeds(losses: list[float | None], **given: Any) -> list[dict[str, Any]]:
    return [run(loss, seed=seed, **given) for seed, loss in enumerate(losses)]


@pytest.fixture
def three_rates() -> Results:
    """Rate 0.1: 0.2, 0.4. Rate 1: 0.3, 0.34 (best with relu). Rate 10: one of two diverged. tanh: 0.25 at 0.1."""
    return results_of(
        *seeds([0.4, 0.2], learning_rate=0.1, optimizer="sgd"),
        *seeds([0.28, 0.22], learning_rate=1.0, optimizer="sgd"),
        *seeds([0.1, None], learning_rate=10.0, optimizer="sgd"),
        *seeds([0.27, 0.25], learning_rate=0.1, optimizer="sgd", activation="tanh"),
        *seeds([0.5, 0.5], learning_rate=0.1, optimizer="adam"),
    )


def test_rate_curve_by_hand(three_rates: Results) -> None:
    table = rate_curves.data(three_rates)
    sgd = table[table["label"] == "sgd"].set_index("learning_rate")
    assert sgd["median"].tolist() == pytest.approx([0.3, 0.25, INF])
    assert sgd["low"].tolist() == pytest.approx([0.25, 0.235, INF])
    assert sgd["lost"].tolist() == [0, 0, 1]
    assert sgd["diverged_share"].tolist() == [0.0, 0.0, 0.5]
    assert sgd["best"].tolist() == [False, True, False]
    assert sgd["good"].tolist() == [False, True, False]
    assert sgd["envelope"].tolist() == pytest.approx([0.26, 0.25, INF])  # tanh is better at 0.1


@pytest.mark.parametrize(
    ("good", "bands"),
    [([0, 0, 1, 0], [(1 / 1.15, 1.15)]), ([0, 1, 1, 0], [(0.1 / 1.15, 1.15)]),
     ([1, 0, 0, 1], [(0.01 / 1.15, 0.01 * 1.15), (10 / 1.15, 11.5)]), ([0, 0, 0, 0], [])],
)  # fmt: skip
def test_good_rates_are_shaded_and_nothing_else(good: list[int], bands: list[tuple[float, float]]) -> None:
    span = 1.15 ** (1 / rate_curves.MARGIN)
    found = rate_curves.good_bands([0.01, 0.1, 1.0, 10.0], [bool(each) for each in good], span)
    assert found == [pytest.approx(band) for band in bands]
    assert rate_curves.good_bands([1.0], [True], span) == [pytest.approx((1 / 1.15, 1.15))]
    near = rate_curves.good_bands([1.0, 1.1], [False, True], span)
    assert near == [pytest.approx((1.1 / 1.1**0.25, 1.1 * 1.1**0.25))]


def test_depth_rate_keeps_the_best_other_settings() -> None:
    results = results_of(
        *(run(loss, depth=d, learning_rate=r) for (d, r), loss in
          {(1, 0.1): 0.5, (1, 1.0): 0.2, (4, 0.1): 0.7, (4, 1.0): None}.items()),
        run(0.3, depth=4, learning_rate=1.0, activation="tanh"), final={"per": "optimizer", "seeds": [9]},
    )  # fmt: skip
    table = depth_rate.data(results)
    assert table[["depth", "learning_rate"]].to_numpy().tolist() == [[1, 0.1], [1, 1.0], [4, 0.1], [4, 1.0]]
    assert table["median"].tolist() == [0.5, 0.2, 0.7, INF]
    assert table["lost"].tolist() == [0, 0, 0, 1]


def test_each_initialization_and_activation_at_its_own_best_rate() -> None:
    losses = {("he", "relu", 0.1): 0.5, ("he", "relu", 1.0): 0.4, ("xavier", "relu", 0.1): 0.3,
              ("xavier", "relu", 1.0): 0.6, ("he", "tanh", 0.1): None, ("he", "tanh", 1.0): None}  # fmt: skip
    table = init_activation.data(
        results_of(*(run(loss, init=i, activation=a, learning_rate=r) for (i, a, r), loss in losses.items()))
    )
    found = {(row.init, row.activation): (row.learning_rate, row.median) for row in table.itertuples()}
    assert found == {("he", "relu"): (1.0, 0.4), ("xavier", "relu"): (0.1, 0.3), ("he", "tanh"): (0.1, INF)}


@pytest.mark.parametrize(
    ("varied", "figure", "chosen"),
    [({"normalization": ["none", "batch"], "clip": ["none", "value"]}, init_activation,
      ", each at its own best clipping and normalization"),
     ({"learning_rate": [0.1, 1.0], "optimizer": ["sgd", "adam"]}, init_activation,
      ", each at its own best learning rate"),
     ({"normalization": ["none", "batch"], "batch_size": ["8", "64"], "l2": [0.0, 0.1]}, rescue,
      ", each at its own best batch size and L2 penalty"),
     ({"depth": [1, 4]}, init_activation, "")],
)  # fmt: skip
def test_a_figure_names_what_was_chosen(varied: dict[str, list[Any]], figure: Any, chosen: str) -> None:
    grid = {"depth": [1, 2], "init": ["he", "xavier"], "activation": ["relu", "tanh"], **varied}
    runs = [run(0.5, **dict(zip(grid, values, strict=True))) for values in itertools.product(*grid.values())]
    results = results_of(*runs)
    subtitle = figure.draw(figure.data(results), results).texts[1].get_text()
    assert subtitle.split(" seeds")[-1].removeprefix("Median final validation loss") == chosen.replace(
        "l2", "L2 penalty"
    )


def test_rescue_by_hand() -> None:
    losses = {(2, "none", "none"): 0.5, (2, "batch", "none"): 0.4, (8, "none", "none"): None, (8, "batch", "none"): 0.3}
    runs = [run(loss, depth=d, normalization=n, clip=c) for (d, n, c), loss in losses.items()]
    table = rescue.data(results_of(*runs))
    found = {(row.depth, row.normalization): row.median for row in table.itertuples()}
    assert found == {(2, "none"): 0.5, (2, "batch"): 0.4, (8, "none"): INF, (8, "batch"): 0.3}


class Recorded(SyntheticStore):
    """A store whose curves and layers are given."""

    curve_rows: pd.DataFrame
    layer_rows: pd.DataFrame

    def curves(self, run_ids: Any) -> pd.DataFrame:
        return self.curve_rows[self.curve_rows["run_id"].isin(set(run_ids))]

    def layers(self, run_ids: Any, names: Any, epoch: int | None = None) -> pd.DataFrame:
        rows = self.layer_rows[self.layer_rows["run_id"].isin(set(run_ids))]
        return rows if epoch is None else rows[rows["epoch"] == epoch]


def recorded(*runs: dict[str, Any], **plan: Any) -> Recorded:
    made = store_of("tiny", runs, **plan)
    return Recorded(made.runs, made.plan)


def run_id(position: int) -> str:
    return f"{position:016x}"


def test_a_run_that_ended_early_counts_as_infinitely_bad() -> None:
    final = {"per": "optimizer", "seeds": [7, 8, 9]}
    store = recorded(run(0.5), *(run(0.5, "final", seed=s) for s in (7, 8)), run(None, "final", seed=9), final=final)
    rows = [(1, 0, 3.0), (1, 1, 1.0), (2, 0, 5.0), (2, 1, 2.0), (3, 0, 4.0)]  # the third run has no epoch 1
    store.curve_rows = pd.DataFrame(
        [{"run_id": run_id(k), "epoch": e, "train_loss": v, "validation_loss": v, "validation_score": 1 / v}
         for k, e, v in rows]
    )  # fmt: skip
    table = learning_curves.data(Results.read(store)).set_index(["quantity", "epoch"])
    assert table.loc[("validation_loss", 0), ["low", "median", "high"]].tolist() == [3.5, 4.0, 4.5]
    assert table.loc[("validation_loss", 1), ["low", "median", "high"]].tolist() == [1.5, 2.0, INF]
    assert table.loc[("validation_score", 1), ["low", "median"]].tolist() == [-INF, 0.5]
    assert ("train_loss", 0) not in table.index
    assert set(table["runs"]) == {3}


def test_gradient_norms_of_the_deepest_networks_one_run_a_seed() -> None:
    store = recorded(
        run(0.5, depth=2, seed=0),
        run(0.5, depth=2, seed=1),
        run(0.5, depth=2, seed=1, learning_rate=1.0),
        run(1, depth=1),
    )
    rows = [(0, 1, 1.0), (0, 2, 2.0), (0, 3, 4.0), (1, 1, 3.0), (1, 2, 0.0), (1, 3, 4.0), (2, 1, 99.0)]
    store.layer_rows = pd.DataFrame(
        [{"run_id": run_id(k), "epoch": 0, "layer": layer, "gradient_norm": g} for k, layer, g in rows]
    )
    table = gradient_norm.data(Results.read(store))
    assert table["layer"].tolist() == [1, 2, 3]
    assert table["median"].tolist() == [2.0, 1.0, 4.0]
    assert set(table["depth"]) == {2}
    assert set(table["runs"]) == {2}


def test_signal_needs_depth_and_takes_every_depth() -> None:
    store = recorded(run(0.5, depth=2), run(0.5, depth=signal.DEEP))
    rows = [(0, 1, 0.5), (1, 1, 0.25)]
    store.layer_rows = pd.DataFrame(
        [{"run_id": run_id(k), "epoch": 0, "layer": layer, "activation_std": g} for k, layer, g in rows]
    )
    table = signal.by_layer(Results.read(store), "activation_std")
    assert table[["depth", "median"]].to_numpy().tolist() == [[2, 0.5], [signal.DEEP, 0.25]]
    assert signal.by_layer(results_of(run(0.5, depth=2), run(0.5, depth=4)), "activation_std").empty


def test_what_the_axis_cannot_show_is_marked_at_its_edges() -> None:
    layers = [1, 2, 3, 4, 5]
    store = recorded(run(0.5, depth=2), run(0.5, depth=signal.DEEP))
    store.layer_rows = pd.DataFrame(
        [{"run_id": run_id(1), "epoch": 0, "layer": layer, "activation_std": value}
         for layer, value in zip(layers, [1.0, 1e-10, 1e-35, 0.0, INF], strict=True)]
    )  # fmt: skip
    results = Results.read(store)
    (panel,) = signal.panels(signal.by_layer(results, "activation_std"), "", "", "std").axes
    line, *marks = panel.get_lines()
    assert line.get_xdata().tolist() == [1, 2]
    low, high = panel.get_ylim()
    found = [(mark.get_xdata().tolist(), mark.get_ydata().tolist(), mark.get_marker()) for mark in marks]
    assert found == [([4], [low], "v"), ([3], [low], "v"), ([5], [high], "^")]
    assert [mark.get_markerfacecolor() == "none" for mark in marks] == [True, False, True]


def test_dead_units_first_and_last_epoch_of_hidden_layers() -> None:
    store = recorded(run(0.5, depth=2, activation="relu"), run(0.9, depth=2, activation="tanh"))
    rows = [
        (k, e, layer, 0.1 * (1 + k) + 0.2 * e + layer / 100) for k in (0, 1) for e in (0, 1, 2) for layer in (1, 2, 3)
    ]
    store.layer_rows = pd.DataFrame(
        [{"run_id": run_id(k), "epoch": e, "layer": n, "dead_fraction": v, "saturated_fraction": 0.0}
         for k, e, n, v in rows]
    )  # fmt: skip
    table = dead_units.data(Results.read(store))
    relu = table[table["activation"] == "relu"]
    assert relu[["moment", "layer"]].to_numpy().tolist() == [["end", 1], ["end", 2], ["start", 1], ["start", 2]]
    assert relu["dead_fraction"].tolist() == pytest.approx([0.51, 0.52, 0.11, 0.12])


def test_step_time_line_by_hand() -> None:
    store = store_of("tiny", [run(0.5)])
    store.times = pd.DataFrame(
        {"optimizer": ["adam"] * 3 + ["sgd"] * 2, "hidden": list("abcab"), "parameters": [100, 200, 300, 100, 200],
         "activation": "tanh", "batch_size": 64,
         "step_seconds": [3e-6, 5e-6, 7e-6, 1e-6, 2e-6], "low_seconds": 0.0, "high_seconds": 1.0}
    )  # fmt: skip
    table = step_time.data(Results.read(store)).set_index("optimizer")
    assert table.loc["adam", "slope_seconds"].tolist() == pytest.approx([2e-8] * 3)
    assert table.loc["adam", "intercept_seconds"].tolist() == pytest.approx([1e-6] * 3)
    assert table.loc["adam", "r_squared"].tolist() == pytest.approx([1.0] * 3)
    assert table.loc["sgd", "slope_seconds"].isna().all()  # two sizes make no line


@pytest.mark.parametrize(
    ("columns", "named"),
    [({}, "tanh, batch size 64"), ({"batch_size": [8, "full"] * 8, "activation": ["relu", "tanh"] * 8},
                                   "2 activations, 2 batch sizes")],
)  # fmt: skip
def test_step_time_names_activation_and_batch_size(quick_store: SyntheticStore, columns: Any, named: str) -> None:
    store = SyntheticStore(quick_store.runs, quick_store.plan, quick_store.times.assign(**columns))
    results = Results.read(store)
    subtitle = step_time.draw(step_time.data(results), results).texts[1].get_text()
    assert subtitle.endswith(f", {named}")


def test_time_shares_by_hand() -> None:
    spent = {"compile_seconds": 0.5, "train_seconds": 2.0, "evaluate_seconds": 1.0}
    runs = [run(0.5, optimizer=o) | spent for o in ("adam", "sgd", "sgd")]
    table = time_shares.data(results_of(*runs)).set_index("label")
    assert table.loc["sgd"].tolist() == [2, 1.0, 4.0, 2.0]
    assert table.loc["all"].tolist() == [3, 1.5 + 12.5, 6.0, 3.0]  # the session compiled for 12.5 s


def test_what_belongs_to_the_whole_study_shows_once() -> None:
    store = store_of("tiny", [run(0.5, dataset=name) for name in ("digits", "breast_cancer")])
    store.times = pd.DataFrame({name: [1.0] for name in step_time.COLUMNS})
    assert [step_time.data(part).empty for part in Results.read(store).sections()] == [False, True]
    assert [time_shares.data(part)["compile_seconds"].sum() for part in Results.read(store).sections()] == [12.5, 0.0]


def test_results_choose_what_selection_chooses(store: SyntheticStore) -> None:
    for results in Results.read(store).sections():
        chosen = selection.best_settings(results.tuning.to_dict("records"), results.label, SETTING)
        assert list(results.best) == list(chosen)
        assert all(setting.factors.items() <= chosen[label].items() for label, setting in results.best.items())


def test_a_study_of_one_run_leaves_out_what_it_cannot_show() -> None:
    drawn = [record.name for record in figures() if not record.data(results_of(run(0.5))).empty]
    assert drawn == ["learning_curves", "time_shares"]


@pytest.mark.parametrize(
    ("varied", "label"),
    [({"optimizer": ["sgd", "adam"], "activation": ["relu", "tanh"]}, "optimizer"), ({"init": ["a", "b"]}, "init"),
     ({"depth": [1, 2]}, "optimizer"), ({"activation": ["relu", "tanh"], "depth": [1, 2]}, "activation")],
)  # fmt: skip
def test_what_is_compared_is_the_first_name_that_varies(varied: dict[str, list[Any]], label: str) -> None:
    runs = [run(0.5, **{name: values[k] for name, values in varied.items()}) for k in range(2)]
    assert results_of(*runs).label == label
    assert results_of(*runs, final={"per": "depth", "seeds": [9]}).label == "depth"


@pytest.mark.parametrize(
    ("l2", "title"), [(0.0, "train loss (epoch mean)"), (0.1, "train loss (epoch mean, with penalty)")]
)
def test_a_train_loss_that_holds_a_penalty_says_so(quick_store: SyntheticStore, l2: float, title: str) -> None:
    results = Results.read(replace(quick_store, runs=quick_store.runs.assign(l2=l2)))
    figure = learning_curves.draw(learning_curves.data(results), results)
    assert title in [panel.get_title(loc="left") for panel in figure.axes]

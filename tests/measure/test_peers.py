"""Peers beside mlpjit: the same work on both sides, and what is said of it. Those with a mark need the peers."""

from __future__ import annotations

import json
import math
import runpy
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from bench.evidence import sweep_task
from mlpjit.cli import app
from mlpjit.cli.peers import tables
from mlpjit.errors import ConfigError
from mlpjit.measure.peers import cells, figure, side_by_side, task, worker
from mlpjit.measure.peers.side_by_side import Comparison, Timing, agree, compare
from mlpjit.report.style import RC
from mlpjit.study.study import Study
from mlpjit.training import shape
from mlpjit.training.run import Run

ROOT = Path(__file__).parents[2]
TINY = cells.Cell(2, 8, "tanh", "adam", 256)
PEERS = [side for side in worker.SIDES if side != "mlpjit"]


def timing(cell, side, ratio, agrees=True):
    return Timing(cell, side, "way", ratio * 1e-5, ratio * 9e-6, ratio * 1.1e-5, ratio * 1e-5, ratio, ratio * 0.9,
                  ratio * 1.1, 2.0, 1.0, agrees, 0.5, {"way": ratio * 1e-5})  # fmt: skip


def comparison():
    names = [cell.name for cell in cells.NINE[:2]] + [TINY.name]
    timings = [timing(name, "mlpjit", 1.0) for name in names]
    timings += [
        timing(name, "JAX jit(scan)", ratio, ratio > 1) for name, ratio in zip(names, (2.0, 8.0, 0.5), strict=True)
    ]
    return Comparison(timings, ["torch.compile: torch is not installed"], {"jax": "1.0"}, core=1)


def test_the_nine_cells_are_those_of_the_target():
    assert [cell.name for cell in cells.NINE] == [
        "4x16 tanh adam b64", "4x32 tanh adam b64", "4x64 relu adam b64", "4x64 gelu adam b64", "4x128 tanh adam b64",
        "4x256 tanh adam b64", "16x64 tanh adam b64", "2x32 tanh adam b1", "2x64 tanh adam b8",
    ]  # fmt: skip


def test_the_wider_grid_has_every_depth_with_every_width_and_each_other_value():
    assert {(cell.depth, cell.width) for cell in cells.WIDE} == set(product(cells.DEPTHS, cells.WIDTHS))
    assert {cell.activation for cell in cells.WIDE} == set(cells.ACTIVATIONS)
    assert {(cell.optimizer, cell.batch) for cell in cells.WIDE} == set(product(cells.OPTIMIZERS, cells.BATCHES))
    assert len(set(cells.full())) == 480
    assert set(cells.WIDE) <= set(cells.full())


def test_an_unknown_grid_is_told_with_the_nearest():
    with pytest.raises(ConfigError, match="unknown grid 'nin': did you mean 'nine'"):
        cells.chosen("nin")


def test_a_task_holds_what_mlpjit_begins_with(tmp_path):
    made = task.make(TINY, 2)
    made.save(tmp_path / "task.npz")
    held = task.load(tmp_path / "task.npz")
    assert (held.cell, held.epochs, held.steps) == (TINY, made.epochs, made.steps)
    for seed in (0, 1):
        run = Run(task.config(TINY, held.epochs, seed))
        for layer, tensors in enumerate(shape.views(run.layers, run.params)):
            assert np.array_equal(held.weights[layer][seed], tensors["W"])
            assert np.array_equal(held.biases[layer][seed], tensors["b"])
        run.advance(1)
        assert np.array_equal(held.order[seed, 0], run.order)
        assert run.steps == held.steps
    assert np.array_equal(held.x, run.data.x_train)


@pytest.mark.parametrize(
    ("losses", "same"),
    [([2.0, 1.0], True), ([2.001, 1.05], True), ([2.01, 1.0], False), ([2.0, 1.2], False), ([2.0, math.nan], False),
     ([2.0], False)],
)  # fmt: skip
def test_losses_agree_closely_at_first_and_roughly_at_last(losses, same):
    assert agree(losses, [2.0, 1.0]) is same


def test_scikit_learn_reaches_our_loss_and_says_what_it_lacks():
    gelu = cells.Cell(1, 8, "gelu", "sgd", 256)
    found = compare([TINY, gelu], ["mlpjit", "scikit-learn"], rounds=2, turn=0.0)
    assert found.left_out == [f"scikit-learn, {gelu.name}: it has no gelu"]
    assert [(t.cell, t.side, t.agrees) for t in found.timings] == [
        (TINY.name, "mlpjit", True), (TINY.name, "scikit-learn", True), (gelu.name, "mlpjit", True),
    ]  # fmt: skip
    assert all(t.seconds > 0 and t.ratio > 0 for t in found.timings)
    assert found.timings[0].ratio == 1.0


def test_peers_are_chosen_by_parts_of_their_names():
    assert side_by_side.named("jax,EAGER") == ["mlpjit", "JAX jit(scan)", "JAX vmap", "PyTorch eager"]
    assert side_by_side.named("") == list(worker.SIDES)


def test_what_is_not_installed_is_named(monkeypatch):
    monkeypatch.setitem(worker.SIDES, "JAX vmap", ("jax_peer", "together", ("no_such_package",)))
    here, missing = side_by_side.installed(["mlpjit", "JAX vmap"])
    assert here == ["mlpjit"]
    assert missing == ["JAX vmap: no_such_package is not installed"]


def test_a_side_that_cannot_start_is_left_out():
    with side_by_side.Worker("no such side", None) as started:
        assert started.answer() == {"error": "KeyError: 'no such side'"}


def test_summaries_keep_the_nine_apart():
    nine, others = comparison().summaries()
    assert (nine.group, nine.cells, nine.worst_cell, nine.worst_ratio) == ("the nine", 2, cells.NINE[0].name, 2.0)
    assert nine.geometric_mean == pytest.approx(4.0)
    assert (others.group, others.worst_ratio, others.other_loss) == ("others", 0.5, [TINY.name])


def test_tables_show_times_ratios_and_other_losses():
    head, times, note, summary = tables(comparison())
    assert "pinned to CPU 1; jax 1.0" in head
    assert "20.0 (2.00x)" in times
    assert "5.0 (0.50x)*" in times
    assert note.startswith("*")
    assert "4.00x" in summary


def test_the_figure_has_a_row_a_cell_and_a_mark_a_peer(tmp_path):
    import matplotlib as mpl

    with mpl.rc_context(RC):
        panel = figure.draw(comparison()).axes[0]
    marks = sorted((float(line.get_xdata()[0]), float(line.get_ydata()[0])) for line in panel.lines[1:])
    assert marks == [(0.5, 2.0), (2.0, 0.0), (8.0, 1.0)]
    hollow = [float(line.get_xdata()[0]) for line in panel.lines[1:] if line.get_markerfacecolor() == "white"]
    assert hollow == [0.5]  # the one whose loss is another
    assert {path.name for path in figure.save(comparison(), tmp_path)} == {"peers.svg", "peers.png"}


@pytest.mark.parametrize(("low", "high"), [(0.8, 2.5), (0.3, 430.0), (0.9, 9.0), (0.001, 1e6)])
def test_ticks_are_few_and_hold_1(low, high):
    found = figure.ticks(low, high)
    assert 1.0 in found
    assert 2 <= len(found) <= 10
    assert low <= found[0] < found[-1] <= high


def test_peers_make_the_runs_of_the_study():
    runs = Study.load(str(ROOT / "bench" / "evidence" / "reference_sweep.toml")).runs
    configs = [runs.config(i) for i in range(len(runs))]
    ours = {(c.optimizer["name"], c.activation, c.depth, c.init["name"], c.learning_rate, c.seed) for c in configs}
    parts = [sweep_task.programs(part, 2) for part in (0, 1)]
    theirs = {(p.optimizer, p.activation, p.depth, *lane) for part in parts for p in part for lane in sweep_task.LANES}
    assert len(configs) == len(ours) == 1152
    assert ours == theirs
    assert [len(part) for part in parts] == [24, 24]
    assert {(c.width, c.batch_size, c.epochs, c.split_seed) for c in configs} == {(64, 64, 10, 0)}


@pytest.mark.parametrize(("theirs", "share"), [([1.0, math.nan], 1.0), ([1.04, math.nan], 1.0), ([1.2, 0.5], 0.0)])
def test_the_sweep_compares_runs_one_by_one(theirs, share):
    compared = runpy.run_path(str(ROOT / "bench" / "evidence" / "reference_sweep.py"))["compared"]
    found = compared(
        {("a",): 1.0, ("b",): math.nan, ("c",): 1.0},
        dict(zip([("a",), ("b",), ("c",)], [*theirs, theirs[0]], strict=True)),
    )
    assert found["share_within_5_percent"] == pytest.approx(share)
    assert found["agree"] is (share == 1.0)


def test_the_command_compares_and_writes(tmp_path, monkeypatch):
    monkeypatch.setattr(side_by_side, "installed", lambda sides: (["mlpjit", "scikit-learn"], ["JAX vmap: no jax"]))
    monkeypatch.setattr(cells, "NINE", (TINY,))
    arguments = ["bench", "--peers", "--grid", "nine", "--rounds", "1", "--no-pin", "--json", "--out", str(tmp_path)]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert "left out: JAX vmap: no jax" in done.stderr
    found = json.loads(done.stdout)
    assert [each["side"] for each in found["timings"]] == ["mlpjit", "scikit-learn"]
    assert {path.name for path in tmp_path.iterdir()} == {"peers.json", "peers.svg", "peers.png"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["limits", "--peers"], "--peers cannot be had with sections"), (["--peers", "--grid", "big"], "unknown grid"),
     (["--peers", "--compare", "HEAD"], "--peers cannot be had with --compare"),
     (["--compare", "HEAD", "--rounds", "3"], "--compare cannot be had with --rounds"),
     (["--compare", "HEAD", "--dtype", "float32", "--dtype", "float64"], "--dtype twice"),
     (["--no-pin"], "--pin: works with --peers only"),
     (["--fail-on", "slower"], "--fail-on: works with --compare only"),
     (["--peers", "--only", "9x9"], "no cell has '9x9'"), (["--peers", "--beside", "keras"], "no peer has 'keras'")],
)  # fmt: skip
def test_the_command_refuses_what_does_not_go_together(arguments, message):
    done = CliRunner().invoke(app, ["bench", *arguments])
    assert done.exit_code == 2
    assert message in done.stderr


@pytest.mark.peers
@pytest.mark.parametrize("side", PEERS)
@pytest.mark.parametrize("cell", [TINY, cells.Cell(2, 16, "gelu", "sgd", 64), cells.Cell(1, 16, "relu", "adam", 500)])
def test_each_peer_reaches_our_loss(side, cell, monkeypatch):
    monkeypatch.setattr(side_by_side, "NINE_ONLY", set())
    found = compare([cell], ["mlpjit", side], rounds=1, turn=0.0)
    if side == "scikit-learn" and cell.activation == "gelu":
        assert found.left_out
    else:
        assert [t.side for t in found.timings if t.agrees] == ["mlpjit", side], found.left_out

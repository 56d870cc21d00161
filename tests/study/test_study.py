"""Studies: expansion, places in messages, built-ins, speed of a large plan."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlpjit.catalogue.registries import REGISTRIES
from mlpjit.config.fields import FACTORS, SETTING
from mlpjit.config.run_config import RunConfig
from mlpjit.errors import ConfigError
from mlpjit.statistics import selection
from mlpjit.study.choice import contenders, group_medians
from mlpjit.study.finals import final_runs
from mlpjit.study.plan import step_timings
from mlpjit.study.runs import Runs
from mlpjit.study.study import Study, built_in

FIVE_MISTAKES = """
optimiser = "adam"
learning_rate = "fast"
width = 8
[[sweep]]
depth = [1, 2]
optimizer = ["sgd", "adm"]
[[sweep]]
optimizer = ["sgd", {name = "adam", b11 = 0.9}]
normalization = ["none", "batch"]
batch_size = [64, 1]
[final]
seeds = [0]
"""


def mistakes(table: dict[str, Any]) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        Study.from_table(table)
    return raised.value.problems


def test_all_mistakes_of_a_file_come_in_one_message_with_their_places(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(FIVE_MISTAKES)
    with pytest.raises(ConfigError) as raised:
        Study.load(tmp_path / "mine.toml")
    assert raised.value.problems == [
        "mine.toml: unknown key 'optimiser': did you mean 'optimizer'?",
        "mine.toml, learning_rate: got 'fast', need a positive number",
        "mine.toml, [[sweep]] block 1, optimizer[1]: unknown optimizer 'adm': did you mean 'adam'?",
        "mine.toml, [[sweep]] block 2, optimizer[1]: unknown key 'b11' of 'adam': did you mean 'b1'?",
        "mine.toml, [[sweep]] block 2: normalization 'batch' with batch_size 1: need batch_size 2 or more, or 'full'",
        "mine.toml, [final], seeds[0]: 0 is a tuning seed; reporting needs fresh ones",
    ]


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"sweep": {"seed": []}}, "[sweep], seed: got an empty list, need at least one value"),
    ({"sweep": []}, "sweep: got [], need a [sweep] table or several [[sweep]] blocks"),
    ({"final": {"per": "depth"}}, "[final], seeds: not given, need a list of fresh seeds"),
    ({"clip": {"name": "value", "max_value": -1.0}}, "clip: max_value: got -1.0, need above 0"),
    ({"sweep": 3}, "sweep: got 3, need a [sweep] table or several [[sweep]] blocks"),
    ({"swep": {}}, "unknown key 'swep': did you mean 'sweep'?"),
    ({"drop": ["id"]}, "unknown key 'drop': it belongs to the dataset, as dataset = {name = ..., drop = ...}"),
    ({"name": "a/b"}, "name: got 'a/b', need letters"),
    ({"title": 3}, "title: got 3, need a text"),
    ({"final": {"seeds": [100], "per": "optimiser"}}, "[final], per: unknown column 'optimiser': did you mean"),
    (
        {"final": {"seeds": [100], "per": [["optimizer"]]}},
        "[final], per: got [['optimizer']], need a column, as 'optimizer', or a list of columns",
    ),
    ({"final": {"seeds": [100], "per": []}}, "[final], per: got [], need a column"),
    ({"final": {"seeds": [100], "per": ["optimizer", "dpth"]}}, "[final], per: unknown column 'dpth': did you mean 'd"),
    ({"final": {"seeds": [100], "per": ["depth", "depth"]}}, "[final], per[1]: 'depth' is given twice"),
    ({"final": {"sedes": [1]}}, "[final]: unknown key 'sedes': did you mean 'seeds'?"),
    ({"final": 1}, "final: got 1, need a [final] table"),
    ({"seed": 5, "final": {"seeds": [4, 5]}}, "[final], seeds[1]: 5 is a tuning seed; reporting needs fresh ones"),
    ({"final": {"seeds": [0]}}, "[final], seeds[0]: 0 is a tuning seed"),
    ({"sweep": {"split_seed": [7, 8]}, "final": {"seeds": [9, 8]}}, "[final], seeds[1]: 8 is a tuning split_seed"),
    ({"sweep": [{"seed": [1]}, {"init_seed": 7}], "final": {"seeds": [7]}}, "[final], seeds[0]: 7 is a tuning init_s"),
    ({"order_seed": 7, "final": {"seeds": [7]}}, "[final], seeds[0]: 7 is a tuning order_seed"),
    ({"final": {"seeds": [7, 8, 7]}}, "[final], seeds[2]: 7 is given twice"),
    ({"sweep": {"seed": [0, 1, 1]}}, "[sweep], seed[2]: 1 is given twice"),
    (
        {"split_seed": 1, "init_seed": 1, "order_seed": 1, "final": {"seeds": [7, 8]}},
        "[final], seeds: split_seed, init_seed, order_seed are all fixed, so a fresh seed changes nothing",
    ),
    ({"timing": {"repeats": 0}}, "[timing], repeats: got 0, need a whole number from 1 up"),
    ({"timing": {"width": [0]}}, "[timing], width[0]: got 0, need a whole number from 1 up"),
    ({"hidden": [4], "sweep": {"depth": [1]}}, "[sweep]: hidden: give either hidden or depth and width"),
    ({"sweep": {"hidden": [4]}}, "[sweep], hidden[0]: got 4, need a list of widths"),
    ({"dataset": "nowhere.csv"}, "dataset: cannot read dataset 'nowhere.csv'"),
]


@pytest.mark.parametrize(("table", "line"), WRONG, ids=lambda value: str(value)[:40])
def test_every_mistake_has_its_place(table: dict[str, Any], line: str) -> None:
    assert [found for found in mistakes(table) if found.startswith(line)], mistakes(table)


def test_what_is_no_study_is_said(tmp_path: Path) -> None:
    (tmp_path / "broken.toml").write_text("a = [")
    with pytest.raises(ConfigError, match=r"broken.toml: not valid TOML"):
        Study.load(tmp_path / "broken.toml")
    with pytest.raises(ConfigError, match="unknown study 'quik': did you mean 'quick'"):
        Study.load("quik")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match=r"binary.toml: not a study file: it is not text in UTF-8"):
        Study.load(tmp_path / "binary.toml")


def test_blocks_are_a_union_of_products_in_file_order() -> None:
    study = Study.from_table({"width": 4, "sweep": [
        {"optimizer": "sgd", "learning_rate": [0.1, 0.2], "seed": [0, 1]}, {"optimizer": "adam", "seed": [5]},
    ]})  # fmt: skip
    seen = [(c.optimizer.name, c.learning_rate, c.seed) for c in study.configs()]
    assert seen == [("sgd", 0.1, 0), ("sgd", 0.1, 1), ("sgd", 0.2, 0), ("sgd", 0.2, 1), ("adam", 0.01, 5)]


def test_nothing_is_a_value_of_an_axis() -> None:
    axes = {"wrapper": ["none", {"name": "sam", "rho": 0.1}], "clip": ["none", "value"], "schedule": ["none", "cosine"]}
    table = {"split_seed": "none", "sweep": axes}
    runs = Study.from_table({"width": 4, **table}).runs
    columns = [runs.column(name) for name in ("optimizer", "wrapper", "clip", "schedule")]
    assert list(zip(*columns, strict=True))[2::4] == [
        ("adam", "none", "value", "constant"), ("adam", "sam(rho=0.1)", "value", "constant"),
    ]  # fmt: skip


def test_final_seeds_that_tuning_never_used_are_accepted() -> None:
    table = {"split_seed": 3, "sweep": {"seed": [0, 1], "order_seed": [7, 8]}, "final": {"seeds": [2, 4]}}
    assert Study.from_table(table).final == {"per": "optimizer", "seeds": [2, 4]}


def test_the_same_run_in_two_blocks_counts_once() -> None:
    study = Study.from_table({"width": 4, "sweep": [{"seed": [0, 1]}, {"optimizer": "adam", "seed": [1, 2]}]})
    assert len(study.runs) == 3
    assert study.runs.duplicates == 1
    assert [config.seed for config in study.configs()] == [0, 1, 2]
    assert study.runs.column("seed") == [0, 1, 2]


@settings(max_examples=30, deadline=None)
@given(
    axes=st.fixed_dictionaries({}, optional={
        "depth": st.lists(st.integers(0, 3), min_size=1, max_size=3, unique=True),
        "activation": st.lists(st.sampled_from(["relu", "tanh"]), min_size=1, max_size=2, unique=True),
        "optimizer": st.lists(st.sampled_from(["sgd", "adam"]), min_size=1, max_size=2, unique=True),
        "seed": st.lists(st.integers(0, 9), min_size=1, max_size=3, unique=True),
        "order_seed": st.lists(st.integers(0, 9), min_size=1, max_size=2, unique=True),
        "batch_size": st.lists(st.sampled_from([8, "full"]), min_size=1, max_size=2, unique=True),
    })
)  # fmt: skip
def test_ids_factors_and_costs_by_table_equal_those_run_by_run(axes: dict[str, list[Any]]) -> None:
    runs = Study.from_table({"width": 5, "sweep": axes}).runs
    configs = [runs.config(index) for index in range(len(runs))]
    assert [RunConfig(**config.canonical()).run_id for config in configs] == runs.run_ids
    for name in FACTORS:
        assert runs.column(name) == [config.factors()[name] for config in configs]
    assert list(runs.numbers(lambda c: len(c.hidden))) == [len(config.hidden) for config in configs]


def test_final_seeds_replace_swept_seeds_and_leave_fixed_ones() -> None:
    swept = Study.from_table({"sweep": {"seed": [0, 1], "order_seed": [7, 8]}}).runs.with_seed(3, 100)
    fixed = Study.from_table({"split_seed": 3, "sweep": {"seed": [0, 1]}}).runs.with_seed(1, 100)
    assert (swept.seed, swept.split_seed, swept.order_seed) == (100, 100, 100)
    assert (fixed.seed, fixed.split_seed, fixed.init_seed) == (100, 3, 100)


def test_the_quick_choice_of_final_settings_is_that_of_selection() -> None:
    runs = Study.from_table({"width": 4, "sweep": {
        "optimizer": ["sgd", "adam"], "depth": [1, 2], "learning_rate": [0.1, 0.2, 0.3], "seed": [0, 1, 2],
    }}).runs  # fmt: skip
    random = np.random.default_rng(0)
    for _ in range(20):
        losses = random.integers(1, 4, len(runs)).astype(float)
        state = np.where(random.random(len(runs)) < 0.2, "diverged", "done")
        known = {r: (str(s), None, float(x)) for r, s, x in zip(runs.run_ids, state, losses, strict=True)}
        rows = [
            {**runs.config(i).factors(), "state": str(s), "final_validation_loss": float(x)}
            for i, (s, x) in enumerate(zip(state, losses, strict=True))
        ]
        best = selection.best_settings(rows, "optimizer", SETTING)
        final = final_runs(runs, known, "optimizer", [100])
        found = [final.config(index).factors() for index in range(len(final))]
        assert len(found) == 2
        assert [f["learning_rate"] for f in found] == [best[f["optimizer"]]["learning_rate"] for f in found]
        assert [f["depth"] for f in found] == [best[f["optimizer"]]["depth"] for f in found]


def tuned(runs: Runs, loss: Any) -> dict[str, tuple[str, float | None, float | None]]:
    """Runs that are done, with a loss that is a function of their factors."""
    found = [runs.config(index).factors() for index in range(len(runs))]
    return {run_id: ("done", None, loss(row)) for run_id, row in zip(runs.run_ids, found, strict=True)}


PROBLEMS = {"width": 4, "sweep": {
    "dataset": ["digits", "wine", "diabetes"], "optimizer": ["sgd", "adam"], "depth": [1, 2], "seed": [0, 1],
    "learning_rate": [0.1, 0.2],
}}  # fmt: skip
BEST = {"digits": 0.1, "wine": 0.2, "diabetes": 0.1}


def loss_of(row: dict[str, Any]) -> float:
    """Losses of diabetes are the highest, those of wine the lowest."""
    off = float(row["learning_rate"] != BEST[row["dataset"]])
    return {"digits": 1.0, "wine": 0.1, "diabetes": 3000.0}[row["dataset"]] * (1 + off + 0.1 * row["depth"])


def test_every_problem_has_its_own_best_settings_and_final_runs() -> None:
    runs = Study.from_table(PROBLEMS).runs
    final = final_runs(runs, tuned(runs, loss_of), "optimizer", [100, 101])
    rows = [final.config(index).factors() for index in range(len(final))]
    assert [(row["dataset"], row["optimizer"], row["seed"]) for row in rows] == [
        (dataset, optimizer, seed)
        for dataset in ("diabetes", "digits", "wine") for optimizer in ("adam", "sgd") for seed in (100, 101)
    ]  # fmt: skip
    assert all(row["learning_rate"] == BEST[row["dataset"]] and row["depth"] == 1 for row in rows)


def test_final_runs_of_several_columns_are_those_of_their_combinations() -> None:
    runs = Study.from_table(PROBLEMS | {"dataset": "wine", "sweep": {**PROBLEMS["sweep"], "dataset": ["wine"]}}).runs
    final = final_runs(runs, tuned(runs, loss_of), ["optimizer", "depth"], [100])
    rows = [final.config(index).factors() for index in range(len(final))]
    assert [(row["optimizer"], row["depth"]) for row in rows] == [("adam", 1), ("adam", 2), ("sgd", 1), ("sgd", 2)]


def test_the_plan_counts_the_final_runs_that_there_will_be(tmp_path: Path) -> None:
    from mlpjit.study.estimate import estimate

    study = Study.from_table({**PROBLEMS, "final": {"per": ["optimizer", "depth"], "seeds": [100, 101]}})
    assert estimate(study, tmp_path, 1).final_runs == 3 * 2 * 2 * 2


def test_medians_by_group() -> None:
    groups, values = np.array([0, 1, 0, 1, 0, 2]), np.array([3.0, 1.0, 1.0, np.inf, 2.0, np.inf])
    assert group_medians(groups, values).tolist() == [2.0, np.inf, np.inf]
    assert contenders({"a": [0, 0, 1, 1]}, np.array([2.0, 2.0, 1.0, 4.0]), ["a"]) == [0, 1, 2, 3]


def test_step_times_are_planned_once_per_shape_and_optimizer() -> None:
    runs = Study.from_table({"width": 4, "sweep": {"depth": [1, 2], "optimizer": ["sgd", "adam"], "seed": [0, 1]}}).runs
    timings = step_timings(runs, 2, [4, 8])
    assert len(timings) == len({timing.key for timing in timings}) == 2 * 2 * 2


@pytest.mark.parametrize("name", built_in())
def test_built_in_studies_are_valid_and_ask_a_question(name: str) -> None:
    study = Study.load(name)
    assert study.name == name
    assert study.question.endswith("?")
    assert study.runs.duplicates == 0


def test_quick_is_as_large_as_it_says() -> None:
    from mlpjit.training.shape import total_steps

    runs = Study.load("quick").runs
    assert len(runs) == 1920
    assert runs.numbers(total_steps).sum() >= 350_000
    rates = {(o, r) for o, r in zip(runs.column("optimizer"), runs.column("learning_rate"), strict=True)}
    assert len(rates) == 4 * 5


def test_pathologies_cross_every_remedy() -> None:
    runs = Study.load("pathologies").runs
    assert set(runs.column("normalization")) == {"none", "batch"}
    assert set(runs.column("clip")) == {"none", "global_norm"}
    assert max(runs.column("depth")) == 32


def test_a_study_of_a_hundred_thousand_runs_plans_quickly() -> None:
    """Measured: 1.5 s on one core (15 us a run); the bound leaves room for a slow machine under load."""
    table = {"width": 64, "sweep": {
        "optimizer": list(REGISTRIES["optimizers"])[:5], "activation": ["sigmoid", "tanh", "relu", "elu", "gelu"],
        "init": ["xavier_normal", "he_normal", "lecun_normal", "orthogonal"], "depth": [1, 2, 4, 8, 16],
        "learning_rate": [10 ** (-4 + 0.2 * i) for i in range(20)], "seed": list(range(10)),
    }}  # fmt: skip
    began = time.process_time()
    runs: Runs = Study.from_table(table).runs
    runs.numbers(lambda config: len(config.hidden))
    assert len(runs) == 100_000
    assert time.process_time() - began < 10

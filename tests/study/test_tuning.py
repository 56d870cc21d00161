"""Tuning: lists and ranges inside a competitor, spaces, repetitions, and the untuned default beside it."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes import Fake

from mlpjit.comparison.stored import compare_stored
from mlpjit.config.run_config import RunConfig
from mlpjit.errors import ConfigError
from mlpjit.report.machines import toml
from mlpjit.statistics import paired, signflip
from mlpjit.store import Store
from mlpjit.study.estimate import competing, estimate
from mlpjit.study.finals import final_runs
from mlpjit.study.plan import work
from mlpjit.study.study import Study
from mlpjit.tuning.spaces import default_rate

BETAS: dict[str, Any] = {"name": "adam", "b1": [0.8, 0.9, 0.95]}
DRAWN: dict[str, Any] = {"name": "adam", "b1": {"one_minus_log": [0.5, 0.99]}}
FINAL = {"per": "optimizer", "seeds": [100, 101]}


def study_of(sweep: Any, **tables: Any) -> Study:
    return Study.from_table({"width": 4, "epochs": 2, "final": FINAL, "sweep": sweep, **tables})


def settings(study: Study) -> dict[str, int]:
    (found,) = competing(study).values()
    return found


def tuned(study: Study, loss: Any) -> dict[str, tuple[str, None, float]]:
    return {config.run_id: ("done", None, loss(config)) for config in study.configs()}


def chosen(study: Study, loss: Any) -> list[tuple[str, float, int]]:
    final = final_runs(
        study.runs, tuned(study, loss), study.final["per"], study.final["seeds"], study.called, study.repetitions
    )
    configs = [final.config(index) for index in range(len(final))]
    return [(config.factors()["optimizer"], config.learning_rate, config.seed) for config in configs]


def test_a_list_in_a_spec_is_an_axis_of_one_competitor() -> None:
    study = study_of({"optimizer": ["sgd", BETAS], "learning_rate": [0.01, 0.1]})
    assert [run.optimizer.get("b1") for run in study.configs()] == [None, None, 0.8, 0.8, 0.9, 0.9, 0.95, 0.95]
    assert settings(study) == {"adam": 6, "sgd": 2}
    assert chosen(study, lambda run: abs(run.optimizer.get("b1", 1) - 0.95)) == [
        ("adam(b1=0.95)", 0.01, 100), ("adam(b1=0.95)", 0.01, 101), ("sgd", 0.01, 100), ("sgd", 0.01, 101),
    ]  # fmt: skip


def test_several_lists_cross_and_what_is_not_tuned_names_the_competitor() -> None:
    study = study_of({"optimizer": {**BETAS, "b2": [0.99, 0.999], "eps": 1e-8}})
    assert settings(study) == {"adam(eps=1e-08)": 6}
    assert study.called["optimizer"]["adam(b1=0.8, b2=0.99, eps=1e-08)"] == "adam(eps=1e-08)"


FIELDS = [
    ("wrapper", {"name": "lookahead", "k": [5, 10]}, "lookahead"),
    ("schedule", {"name": "cosine", "final": [0.0, 0.1]}, "cosine"),
    ("schedule", {"name": "multistep", "milestones": [[10, 20], [5]]}, "multistep"),
    ("clip", {"name": "global_norm", "max_norm": [0.5, 1.0]}, "global_norm"),
    ("init", {"name": "normal", "std": [0.01, 0.1]}, "normal"),
    ("activation", {"name": "celu", "alpha": [1.0, 2.0]}, "celu"),
]


@pytest.mark.parametrize(("name", "spec", "competitor"), FIELDS, ids=str)
def test_every_field_with_parameters_can_be_tuned(name: str, spec: dict[str, Any], competitor: str) -> None:
    study = study_of({name: ["none", spec] if name in ("wrapper", "clip") else spec}, final={**FINAL, "per": name})
    assert set(study.runs.column(name)) - {"none"} == {*study.called[name]}
    assert [count for rival, count in settings(study).items() if competitor in rival] == [2]


def test_a_list_of_a_parameter_that_is_one_is_a_value() -> None:
    study = study_of({"schedule": {"name": "multistep", "milestones": [10, 20]}})
    assert (len(study.runs), study.called) == (1, {})


def test_a_tuned_spec_may_stand_on_top() -> None:
    assert settings(Study.from_table({"optimizer": BETAS, "width": 4, "final": FINAL})) == {"adam": 3}


def test_draws_are_joint_and_multiply_with_the_grid() -> None:
    sweep = {"optimizer": DRAWN, "learning_rate": {"log": [1e-4, 1e-1]}, "depth": [1, 2], "seed": [0, 1]}
    study = study_of({**sweep, "draws": 5})
    pairs = {(run.optimizer["b1"], run.learning_rate) for run in study.configs()}
    assert (len(study.runs), len(pairs)) == (5 * 2 * 2, 5)
    assert all(0.5 <= b1 <= 0.99 and 1e-4 <= rate <= 1e-1 for b1, rate in pairs)
    assert len({b1 for b1, _ in pairs}) == 5
    assert settings(study) == {"adam": 10}
    more = study_of({**sweep, "draws": 7})
    assert {*study.runs.run_ids} < {*more.runs.run_ids}


def test_the_draws_of_one_competitor_depend_on_no_other() -> None:
    alone = study_of({"optimizer": DRAWN, "learning_rate": {"log": [1e-4, 1e-1]}, "draws": 5})
    others = ["sgd", {"name": "momentum", "momentum": {"uniform": [0.5, 0.99]}}, DRAWN]
    beside = study_of({"optimizer": others, "learning_rate": {"log": [1e-4, 1e-1]}, "draws": 5})
    assert {*alone.runs.run_ids} < {*beside.runs.run_ids}
    assert settings(beside) == {"adam": 5, "momentum": 5, "sgd": 5}


def test_whole_numbers_are_drawn_whole() -> None:
    study = study_of({"wrapper": {"name": "lookahead", "k": {"log": [2, 50]}}, "width": {"log": [4, 64]}, "draws": 6})
    assert all(type(run.wrapper["k"]) is type(run.width) is int for run in study.configs() if run.wrapper)


def test_a_space_brings_its_rates() -> None:
    optimizer = ["sgd", {"name": "adam", "space": "wide"}, {"name": "lion", "space": "default", "b1": 0.95}]
    study = study_of({"optimizer": optimizer, "learning_rate": [0.01, 0.1], "draws": 4})
    assert settings(study) == {"adam": 4, "lion(b1=0.95)": 5, "sgd": 2}


WRONG = [
    ({"learning_rate": {"log": [1, 2]}}, "[sweep], draws: not given, need how many settings"),
    ({"learning_rate": [0.1], "draws": 3}, "[sweep], draws: got 3, but there is no range to draw from"),
    ({"learning_rate": {"log": [1, 2]}, "draws": 0}, "[sweep], draws: got 0, need a whole number from 1"),
    ({"learning_rate": {"lgo": [1, 2]}, "draws": 2}, "[sweep], learning_rate: unknown scale 'lgo'"),
    ({"dropout": {"uniform": [0, 2]}, "draws": 2}, "[sweep], dropout: got 2, need a number from 0 up and below 1"),
    ({"optimizer": [{"name": "adam", "b1": [0.9, 2]}]}, "[sweep], optimizer[0]: b1: got 2.0, need 0 or more and"),
    ({"optimizer": {"name": "adam", "b1": []}}, "[sweep], optimizer: b1: got an empty list"),
    ({"optimizer": {"name": "adam", "b1": {"log": [2, 3]}}, "draws": 2}, "[sweep], optimizer: b1: got 2"),
    ({"optimizer": {"name": "adam", "space": "wdie"}}, "[sweep], optimizer: unknown space 'wdie' of 'adam': did you"),
    ({"optimizer": [BETAS, {"name": "adam", "b1": 0.95}]}, "optimizer: {'name': 'adam', 'b1': 0.95"),
    ([{"optimizer": BETAS}, {"optimizer": {"name": "adam", "b1": 0.95}}], "optimizer: 'adam(b1=0.95)' is a setting of"),
    ({"optimizer": {"name": "adam", "b1": [0.9] * 400, "b2": [0.9] * 400}}, "[sweep], optimizer: b1, b2: 160,000 sett"),
    ({"seed": {"log": [1, 2]}}, "[sweep], seed: got {'log': [1, 2]}, need a whole number"),
]  # fmt: skip


@pytest.mark.parametrize(("sweep", "line"), WRONG, ids=lambda value: str(value)[:50])
def test_what_cannot_be_tuned_is_told(sweep: dict[str, Any], line: str) -> None:
    with pytest.raises(ConfigError) as raised:
        study_of(sweep)
    assert [found for found in raised.value.problems if found.startswith(line)], raised.value.problems


TABLES: list[dict[str, Any]] = [
    {"sweep": {"optimizer": ["sgd", BETAS], "seed": [0, 1]}},
    {"sweep": {"optimizer": ["sgd", {**DRAWN, "b2": [0.9, 0.99]}], "draws": 3, "learning_rate": {"log": [0.01, 1]}}},
    {"sweep": {"optimizer": {"name": "lion", "space": "wide"}, "draws": 3, "seed": [0, 1]}, "tuning": {"repeats": 2}},
    {"sweep": {"optimizer": {"name": "adam", "b1": [0.8]}}, "tuning": {"default": True}},
]


@pytest.mark.parametrize("tables", TABLES, ids=str)
def test_the_study_on_the_page_is_the_study(tables: dict[str, Any]) -> None:
    study = study_of(**tables)
    again = Study.from_table(tomllib.loads(toml(study.canonical())))
    assert {*again.runs.run_ids} == {*study.runs.run_ids}
    assert (again.called, again.tuning, competing(again)) == (study.called, study.tuning, competing(study))


REPEATED = {"sweep": {"optimizer": ["sgd", "adam"], "learning_rate": [0.01, 0.1], "seed": [0, 1, 2, 3]},
            "tuning": {"repeats": 2}}  # fmt: skip


def test_each_repetition_chooses_by_its_own_seeds_and_reports_on_its_own() -> None:
    def loss(run: RunConfig) -> float:
        return run.learning_rate if run.seed < 2 else -run.learning_rate

    assert chosen(study_of(**REPEATED), loss) == [
        ("adam", 0.01, 100), ("sgd", 0.01, 100), ("adam", 0.1, 101), ("sgd", 0.1, 101),
    ]  # fmt: skip


def test_each_repetition_has_draws_of_its_own() -> None:
    study = study_of({"learning_rate": {"log": [1e-3, 1]}, "draws": 4, "seed": [0, 1, 2, 3]}, tuning={"repeats": 2})
    rates = [{run.learning_rate for run in study.configs() if run.seed in share} for share in study.repetitions]
    assert [len(some) for some in rates] == [4, 4]
    assert not rates[0] & rates[1]
    assert settings(study) == {"adam": 4}


WRONG_REPEATS = [
    ({"seed": [0, 1, 2]}, {}, "3 values of seed cannot be divided among 2 repetitions evenly"),
    ({"seed": [0, 1]}, {"final": {"seeds": [5, 6, 7]}}, "3 values of [final], seeds cannot be divided among 2"),
    ([{"seed": [0, 1]}, {"seed": [2, 3]}], {}, "every block needs the same list of seeds"),
    ({"seed": [0, 1], "init_seed": [7, 8]}, {}, "split_seed, init_seed, order_seed cannot be axes"),
]


@pytest.mark.parametrize(("sweep", "tables", "told"), WRONG_REPEATS, ids=str)
def test_what_cannot_be_repeated_is_told(sweep: Any, tables: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match="tuning") as raised:
        study_of(sweep, tuning={"repeats": 2}, **tables)
    assert any(told in line for line in raised.value.problems), raised.value.problems


def test_tuning_needs_a_stage_that_reports_it() -> None:
    with pytest.raises(ConfigError, match=r"\[tuning\]: needs a \[final\] stage"):
        Study.from_table({"tuning": {"repeats": 2}})


def test_the_default_is_what_nobody_tuned() -> None:
    """A tuned parameter, the rate and other axes at their defaults, else at their first value; fixed stays fixed."""
    sweep = {"optimizer": ["sgd", {**BETAS, "eps": 1e-6}], "learning_rate": [0.1, 0.3], "activation": ["tanh", "relu"],
             "width": [4, 8], "seed": [0, 1]}  # fmt: skip
    study = Study.from_table({"epochs": 2, "sweep": sweep, "tuning": {"default": True}, "final": FINAL})
    assert study.defaults
    found = [study.defaults.config(index) for index in range(len(study.defaults))]
    assert [(run.factors()["optimizer"], run.learning_rate, run.seed, run.width, run.activation) for run in found] == [
        ("sgd", 0.01, 100, 4, "relu"), ("sgd", 0.01, 101, 4, "relu"),
        ("adam(eps=1e-06)", 0.001, 100, 4, "relu"), ("adam(eps=1e-06)", 0.001, 101, 4, "relu"),
    ]  # fmt: skip


def test_a_rate_that_is_fixed_is_not_tuned() -> None:
    study = study_of({"optimizer": BETAS}, learning_rate=0.5, tuning={"default": True})
    assert study.defaults
    assert study.defaults.config(0).learning_rate == 0.5


def test_defaults_are_run_beside_the_tuned_ones_and_stored_as_such(tmp_path: Path) -> None:
    study = study_of({"optimizer": ["sgd", BETAS], "learning_rate": [0.001, 0.1]}, tuning={"default": True})
    fake = Fake()
    summary = study.run(tmp_path, 1, runner=fake.runner()).summary
    assert summary
    assert (summary.ran, summary.total) == (len(fake.made), 8 + 2 * 2 + 2 * 2)
    with Store.open(tmp_path, readonly=True) as store:
        rows = list(store.rows(("stage", "optimizer", "learning_rate", "seed")))
    assert [row for row in rows if row[0] == "default"] == [
        ("default", "sgd", 0.01, 100), ("default", "sgd", 0.01, 101),
        ("default", "adam", 0.001, 100), ("default", "adam", 0.001, 101),
    ]  # fmt: skip
    assert study.run(tmp_path, 1, runner=fake.runner()).summary.ran == 0  # type: ignore[union-attr]
    assert estimate(study, tmp_path, 1).new == 0


def test_a_default_that_is_the_best_is_run_once(tmp_path: Path) -> None:
    rate = default_rate("adam")
    study = study_of({"optimizer": "adam", "learning_rate": [rate, 100.0]}, tuning={"default": True})
    fake = Fake()
    summary = study.run(tmp_path, 1, runner=fake.runner()).summary
    assert summary
    assert (summary.ran, summary.total, len(fake.made)) == (4, 4, 4)
    with Store.open(tmp_path, readonly=True) as store:
        assert [row[0] for row in store.rows(("stage",))] == ["tune"] * 2 + ["final"] * 2 + ["default"] * 2
        assert work(study, store.known(), set()).nothing_to_do


def test_competitors_are_compared_by_name_whatever_they_are_tuned_to(tmp_path: Path) -> None:
    study = study_of({"optimizer": ["sgd", BETAS], "learning_rate": [0.01, 0.1]})
    study.run(tmp_path, 1, runner=Fake().runner())
    found = compare_stored(tmp_path)
    assert [(each.competitor, each.control) for each in found.on_problems] == [("adam", "sgd")]


def test_repetitions_are_the_sample(tmp_path: Path) -> None:
    final = {"per": "optimizer", "seeds": list(range(100, 108))}
    study = study_of(REPEATED["sweep"], tuning={"repeats": 4}, final=final)
    study.run(tmp_path, 1, runner=Fake().runner())
    found = compare_stored(tmp_path, metric="train_seconds")
    (pair,) = found.on_problems
    assert (pair.verdict.pairs, pair.sample, found.reported.units) == (4, "repetitions", "repetitions")
    with Store.open(tmp_path, readonly=True) as store:
        rows = [row for row in store.rows(("stage", "optimizer", "seed", "train_seconds")) if row[0] == "final"]
    means = {
        name: [np.mean([r[3] for r in rows if r[1] == name and r[2] // 2 == half]) for half in range(50, 54)]
        for name in ("adam", "sgd")
    }
    (scores,) = found.reported.scores.values()
    assert {name: list(some.values()) for name, some in scores.items()} == {
        n: pytest.approx(m) for n, m in means.items()
    }
    expected = paired.differences(means["adam"], means["sgd"], higher_is_better=False)
    assert pair.verdict.estimate == pytest.approx(expected.mean())
    assert pair.verdict.p == pytest.approx(signflip.SignFlip(expected).p())

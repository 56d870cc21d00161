"""Suites of problems, and the built-in studies that run on them."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from pathlib import Path

import pytest
from fakes import Fake

from mlpjit.catalogue.datasets import datasets, describe
from mlpjit.config.run_config import RunConfig
from mlpjit.errors import ConfigError
from mlpjit.registry import suggestion
from mlpjit.report.export import export_compact, read_table
from mlpjit.study.study import Study, built_in
from mlpjit.study.suite import problems_of, suites
from mlpjit.training.shape import total_steps
from mlpjit.verify.kept import ExportedRuns

DOCS = Path(__file__).parents[2] / "docs" / "studies.md"
ON_SUITES = ("activations", "initialization", "optimizers", "schedules")


def name_of(problem: dict) -> str:
    spec = problem["dataset"]
    return spec if isinstance(spec, str) else spec["name"]


def table(**given) -> dict:
    return {"name": "small", **given}


@pytest.mark.parametrize("suite", suites())
def test_problems_are_runs_of_a_few_thousand_steps(suite: str) -> None:
    for problem in problems_of(suite):
        config = RunConfig(**problem)
        assert 300 <= total_steps(config) <= 4000
        assert 5 <= config.epochs / config.evaluate_every <= 10
        assert config.epochs % config.evaluate_every == 0


def test_the_standard_suite_is_wide_enough_for_tests_over_problems() -> None:
    problems = problems_of("standard")
    names = [name_of(problem) for problem in problems]
    sources = {datasets[name].citation.split(";")[0] for name in names}
    real = {datasets[name].citation.split(";")[0] for name in names if datasets[name].shape is None}
    assert len(problems) == len(set(names)) == 17
    assert len(sources) >= 16
    assert len(real) >= 12
    assert {describe(problem["dataset"]).task for problem in problems} == {"classification", "regression"}


def test_the_documentation_has_every_problem_with_its_test_set() -> None:
    told = re.findall(
        r"^\| `(\w+)` \| `(\w+)`(?:, [^|]*)? \| (.*?) \| ([\d,]+) \| ([\d,]+) \| (\d+) \|$", DOCS.read_text(), re.M
    )
    expected = []
    for suite in ("standard", "images"):
        for problem in problems_of(suite):
            info = describe(problem["dataset"])
            expected.append(
                (suite, name_of(problem), f"{info.test_samples:,}", f"{total_steps(RunConfig(**problem)):,}")
            )
    assert [(suite, name, test, steps) for suite, name, _, test, steps, _ in told] == expected
    assert all(int(width) == RunConfig(**problem).width for (*_, width), problem in zip(told, [
        p for suite in ("standard", "images") for p in problems_of(suite)], strict=True))  # fmt: skip


def test_every_block_runs_on_every_problem() -> None:
    study = Study.from_table(table(suite="standard", sweep=[{"optimizer": "sgd"}, {"optimizer": ["adam", "lion"]}]))
    counts = Counter(config.dataset["name"] for config in study.configs())
    assert counts == dict.fromkeys(map(name_of, problems_of("standard")), 3)


def test_a_study_replaces_what_a_suite_says() -> None:
    study = Study.from_table(table(suite="standard", epochs=2, sweep=[{"batch_size": 9}, {"width": [3, 4]}]))
    configs = study.configs()
    assert {config.epochs for config in configs} == {2}
    assert {config.batch_size for config in configs[:17]} == {9}
    assert {config.width for config in configs[17:]} == {3, 4}
    assert {config.batch_size for config in configs[17:]} == {8, 16, 32, 64}


def test_hidden_replaces_depth_and_width() -> None:
    for given in ({"hidden": [5, 6]}, {"sweep": {"hidden": [[5, 6]]}}):
        assert {tuple(c.hidden) for c in Study.from_table(table(suite="standard", **given)).configs()} == {(5, 6)}


def test_suites_add_up() -> None:
    both = Study.from_table(table(suite=["standard", "images", "standard"]))
    assert len(both.configs()) == 18


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"suite": "standrd"}, f"suite: unknown suite 'standrd'{suggestion('standrd', suites())}"),
        ({"suite": []}, "suite: got [], need the name of a suite, or a list of names"),
        ({"suite": 3}, "suite: got 3, need"),
        ({"suite": "standard", "dataset": "wine"}, "dataset: the suite names the data sets"),
        ({"suite": "standard", "sweep": {"dataset": ["wine"]}}, "[sweep], dataset: the suite names the data sets"),
        ({"suite": "standard", "sweep": {"epochs": -1}}, "[sweep], epochs: "),
    ],
)
def test_mistakes_are_told_once(given: dict, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Study.from_table(table(**given))
    assert [line for line in caught.value.problems if told in line] == caught.value.problems
    assert len(caught.value.problems) == 1


def small(name: str) -> Study:
    """A built-in study on ninety points of one data set: an epoch, one rate, one seed of each kind."""
    given = tomllib.loads(built_in()[name].read_text(encoding="utf-8"))
    given |= {"dataset": {"name": "two_moons", "samples": 90}, "epochs": 1, "batch_size": 32, "width": 4}
    sweep = given["sweep"] if isinstance(given["sweep"], list) else [given["sweep"]]
    for block in sweep:
        block |= {"learning_rate": block["learning_rate"][:1], "seed": [0]}
    given["final"]["seeds"] = [100]
    return Study.from_table({key: value for key, value in given.items() if key != "suite"})


@pytest.mark.parametrize(
    ("name", "reporting"), [("initialization", 24), ("activations", 24), ("schedules", 34), ("optimizers", 47 + 47)]
)
def test_a_small_form_of_a_built_in_study_runs_and_is_exported(name: str, reporting: int, tmp_path: Path) -> None:
    """Optimizers without their kernels, whose compilation takes minutes."""
    study = small(name)
    summary = study.run(tmp_path, threads=2, runner=Fake().runner() if name == "optimizers" else None).summary
    assert (summary.failed, summary.total) == (0, len(study.runs) + reporting)
    assert len(read_table(export_compact(tmp_path))) == summary.total


def test_a_compact_table_of_a_study_on_a_suite_is_of_its_plan(tmp_path: Path) -> None:
    folder = tmp_path / "initialization"
    Study.load("initialization").run(folder, threads=2, runner=Fake().runner())
    table = export_compact(folder)
    assert table.stat().st_size < 1e6
    for path in folder.glob("store.sqlite*"):
        path.unlink()
    kept = ExportedRuns(folder)
    assert kept.run_ids == [config.run_id for config in kept.configs]
    assert kept.kept(kept.run_ids[-1]).problem == ""


@pytest.mark.parametrize("name", ON_SUITES)
def test_a_built_in_study_asks_one_question_of_seventeen_problems(name: str) -> None:
    study = Study.load(name)
    assert study.question.endswith("?")
    assert study.final is not None
    assert len(study.final["seeds"]) >= 20
    assert len({config.dataset["name"] for config in study.configs()}) == 17


def test_the_optimizers_are_all_but_those_for_full_batches() -> None:
    from mlpjit.catalogue.registries import optimizers

    found = {config.optimizer["name"] for config in Study.load("optimizers").configs()}
    assert found == set(optimizers) - {"rprop", "lbfgs"}


def test_every_competitor_has_equally_many_settings() -> None:
    for name in ON_SUITES:
        study = Study.load(name)
        per = study.final["per"]
        columns = [study.runs.column(column) for column in ("dataset", *([per] if isinstance(per, str) else per))]
        assert len(set(Counter(zip(*columns, strict=True)).values())) == 1

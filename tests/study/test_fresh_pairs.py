"""Pairs of runs on fresh seeds: whom they decide about, after how many, and that nothing else decides."""

from __future__ import annotations

import itertools
import json
import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes import Fake, FakeResult, fake_result
from typer.testing import CliRunner

from mlpjit.catalogue import registries
from mlpjit.cli import app
from mlpjit.cli.verdicts import verdict_tables
from mlpjit.comparison.tries import forget, tries
from mlpjit.config.run_config import RunConfig
from mlpjit.errors import ConfigError
from mlpjit.extending import files
from mlpjit.statistics import looks, paired
from mlpjit.store import Store
from mlpjit.study.pairs import fresh_seeds
from mlpjit.study.signals import Interrupted
from mlpjit.study.study import Study
from mlpjit.study.sweep import sweep
from mlpjit.study.trial import Trial, trial
from mlpjit.training.result import Control

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "soft_sign.py"
TABLE: dict[str, Any] = {
    "name": "pairs", "width": 8, "depth": 1, "epochs": 1,
    "sweep": {"optimizer": ["sgd", "adam", "momentum"], "learning_rate": [0.1, 1.0], "seed": [0, 1]},
    "final": {"per": "optimizer", "seeds": [100, 101]},
}  # fmt: skip
QUALITY = {"soft_sign": 0.05, "sgd": 0.0, "adam": 0.1, "momentum": 0.05}


@pytest.fixture(scope="module", autouse=True)
def example() -> Iterator[files.OwnFile]:
    loaded = files.load(EXAMPLE)
    yield loaded
    registries.optimizers.remove("soft_sign")


@dataclass
class Scores(Fake):
    """Test scores of a quality, of the seed's luck that both sides share, and of each run's own."""

    quality: dict[str, float] = field(default_factory=lambda: QUALITY)
    luck: float = 0.02
    lost: tuple[int, ...] = ()  # seeds on which soft_sign diverges
    interrupt_after: int = 10**9
    turn: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def execute(self, config: RunConfig, control: Control) -> FakeResult:
        name = str(config.optimizer["name"])
        self.made.append(config)
        if next(self.turn) == self.interrupt_after:
            return self.interrupt(config, control)
        result = fake_result(config)
        if name == "soft_sign" and config.seed in self.lost:
            result.status, result.metrics["test_score"] = "diverged", None
        else:
            result.metrics["test_score"] = self.score(name, config.dataset["name"], config.seed)
        return result

    def score(self, name: str, dataset: str, seed: int) -> float:
        own, shared = (np.random.default_rng([zlib.crc32(f"{who} {dataset}".encode()), seed]) for who in (name, ""))
        return 0.5 + self.quality[name] + 0.1 * shared.standard_normal() + self.luck * own.standard_normal()


def tried(example: files.OwnFile, table: dict[str, Any] = TABLE, **options: Any) -> Trial:
    return trial(Study.from_table(table), example, **options)


def swept(**axes: Any) -> dict[str, Any]:
    return TABLE | {"sweep": TABLE["sweep"] | axes}


def made(study: Trial, directory: Path, runner: Scores | None = None, threads: int = 2) -> list[dict[str, Any]]:
    sweep(study, directory, threads, runner=(runner or Scores()).runner())
    return [judged.record() for judged in study.verdicts(directory)]


def test_pairs_are_added_until_each_verdict_is_certain(example, tmp_path):
    scores = Scores()
    found = {record["control"]: record for record in made(tried(example, margin=2.0), tmp_path, scores)}
    assert {name: record["answer"] for name, record in found.items()} == {
        "sgd": "better", "adam": "worse", "momentum": "equal",
    }  # fmt: skip
    assert found["sgd"]["pairs"] < 20 < found["momentum"]["pairs"] <= 100
    assert found["sgd"]["verdict"], found["momentum"]["verdict"] == ("better", "equal within 2 points")
    assert found["sgd"]["low"] > 0 > found["adam"]["high"]
    assert found["sgd"]["unit"] == "points"
    seeds = sorted({config.seed for config in scores.made if config.optimizer["name"] == "sgd"} - {0, 1})
    assert len(seeds) < 30  # a rival that is decided runs no more


def test_the_verdicts_are_those_of_the_differences_looked_at_in_order(example, tmp_path):
    scores, records = Scores(), made(tried(example), tmp_path)
    samples = {}
    for record in records:
        pairs = [(scores.score("soft_sign", "digits", s), scores.score(record["control"], "digits", s)) for s in
                 [100, 101, *range(102, 200)]]  # fmt: skip
        samples[record["control"]] = 100 * paired.differences(*zip(*pairs, strict=True), True)
    wanted = looks.judge(samples, "", "")
    for record in records:
        one = wanted[record["control"]]
        assert (record["answer"], record["pairs"]) == (one.answer, one.pairs)
        assert record["corrected_p"] == pytest.approx(one.corrected_p, rel=1e-9)
        assert record["seeds"] == list(range(100, 100 + one.pairs))
        assert record["differences"] == pytest.approx(samples[record["control"]][: one.pairs], abs=1e-9)


@pytest.mark.parametrize("threads", [1, 5])
def test_threads_and_batches_change_nothing(example, tmp_path, threads):
    few = made(tried(example), tmp_path / "few", threads=2)
    assert made(tried(example), tmp_path / "many", threads=threads) == few


def test_interrupted_and_resumed_is_the_same(example, tmp_path):
    whole = made(tried(example), tmp_path / "whole")
    with pytest.raises(Interrupted):
        made(tried(example), tmp_path / "parts", Scores(interrupt_after=60))
    with Store.open(tmp_path / "parts", readonly=True) as store:
        assert len(store.known()) < 80
    assert made(tried(example), tmp_path / "parts") == whole


def test_the_same_again_makes_nothing_and_looks_at_nothing(example, tmp_path):
    first, again = made(tried(example), tmp_path), Scores()
    with Store.open(tmp_path, readonly=True) as store:
        version = store.content_version()
    assert made(tried(example), tmp_path, again) == first
    with Store.open(tmp_path, readonly=True) as store:
        assert (again.made, store.content_version()) == ([], version)


def test_a_higher_cap_goes_on(example, tmp_path):
    records = made(tried(example, cap=5), tmp_path)
    assert {(record["answer"], record["pairs"]) for record in records} == {("undecided", 5)}
    assert all(record["verdict"].startswith("not enough") for record in records)
    assert made(tried(example), tmp_path) == made(tried(example), tmp_path / "at once")


def test_stored_runs_of_rivals_are_used_again(example, tmp_path):
    scores = Scores()
    made(tried(example), tmp_path, scores)
    assert len({config.run_id for config in scores.made}) == len(scores.made)
    other = Scores(quality=QUALITY | {"soft_sign": 0.2})
    made(tried(example, rates=[0.2]), tmp_path, other)
    assert {config.optimizer["name"] for config in other.made} == {"soft_sign"}


def test_a_lost_run_ranks_worst_and_is_a_pair(example, tmp_path):
    lost = tuple(range(100, 200, 2))
    records = made(tried(example), tmp_path, Scores(lost=lost))
    (sgd,) = (record for record in records if record["control"] == "sgd")
    assert sgd["answer"] != "better"
    assert sgd["differences"][0] == -math.inf < sgd["differences"][1]
    assert len(sgd["differences"]) == sgd["pairs"]


def test_each_problem_has_its_verdicts_in_one_family(example, tmp_path):
    records = made(tried(example, swept(dataset=["digits", "wine"]), cap=30), tmp_path)
    assert [(r["control"], r["problem"], r["family"][:13]) for r in records] == [
        (name, problem, "6 comparisons") for problem in ("digits", "wine") for name in ("adam", "momentum", "sgd")
    ]


def test_what_else_competes_is_paired_alike(example, tmp_path):
    table = swept(activation=["relu", "tanh"]) | {"final": {"per": ["optimizer", "activation"], "seeds": [100]}}
    records = made(tried(example, table, cap=9), tmp_path)
    assert len(records) == 6
    assert {(r["competitor"].split(", ")[1], r["control"].split(", ")[1]) for r in records} == {
        ("relu", "relu"), ("tanh", "tanh"),
    }  # fmt: skip


def test_a_study_without_a_final_stage_has_verdicts_too(example, tmp_path):
    study = tried(example, {name: value for name, value in TABLE.items() if name != "final"}, cap=40)
    records = made(study, tmp_path)
    assert {record["control"]: record["answer"] for record in records}["sgd"] == "better"
    assert records[0]["seeds"][0] == 2  # the tuning seeds are 0 and 1


def test_fresh_seeds_took_no_part_in_tuning(example):
    runs = Study.from_table(swept(seed=[102, 7], split_seed=[104, 5])).runs
    assert fresh_seeds(runs, [100, 101], 5) == [(seed, 0) for seed in (100, 101, 103, 105, 106)]
    assert fresh_seeds(runs, [], 2) == [(105, 0), (106, 0)]


def test_repetitions_of_the_tuning_take_turns(example):
    runs = Study.from_table(TABLE).runs
    assert fresh_seeds(runs, [100, 101, 102, 103], 6, 2) == [
        (100, 0), (102, 1), (101, 0), (103, 1), (104, 0), (105, 1),
    ]  # fmt: skip


def test_where_a_seed_changes_nothing_there_is_no_pair(example, tmp_path):
    seeds = dict.fromkeys(("split_seed", "init_seed", "order_seed"), 1)
    table = {name: value for name, value in TABLE.items() if name != "final"} | seeds
    assert made(tried(example, table), tmp_path) == []


@pytest.mark.parametrize(("options", "problem"), [
    ({"cap": 0}, "cap: got 0, need at least one seed"), ({"margin": 0.0}, "margin: got 0, need above 0"),
])  # fmt: skip
def test_options_that_cannot_be_are_told(example, options, problem):
    with pytest.raises(ConfigError, match=problem):
        tried(example, **options)


def test_a_margin_needs_one_unit(example, tmp_path):
    with pytest.raises(ConfigError, match="margin: scores of these problems are in R² and points, so none fits all"):
        made(tried(example, swept(dataset=["digits", "diabetes"]), margin=1.0), tmp_path)


def test_tries_are_kept_until_they_are_forgotten(example, tmp_path):
    study = tried(example, rates=[0.1], margin=2.0)
    made(study, tmp_path)
    (kept,) = study.keep(tmp_path)
    assert (kept.name, kept.best, kept.settings) == (
        "soft_sign", {"digits": {"learning_rate": 0.1}}, {"adam": 2, "momentum": 2, "sgd": 2, "soft_sign": 1},
    )  # fmt: skip
    assert kept.uneven == {"adam": 2, "momentum": 2, "sgd": 2}
    other = tried(example)
    made(other, tmp_path)
    other.keep(tmp_path)
    sweep(Study.from_table(TABLE), tmp_path, 2, runner=Scores().runner())  # the study alone again
    with Store.open(tmp_path) as store:
        assert [len(one.settings) for one in tries(store)] == [4, 4]
        with pytest.raises(ConfigError, match=r"no try of 'soft_sing' is kept .* did you mean 'soft_sign'"):
            forget(store, "soft_sing")
        assert (forget(store, "soft_sign"), tries(store)) == (2, [])


def test_a_try_that_is_made_again_is_kept_once(example, tmp_path):
    study = tried(example)
    made(study, tmp_path)
    assert study.keep(tmp_path)[0].says_the_same(study.keep(tmp_path)[0])
    with Store.open(tmp_path, readonly=True) as store:
        assert len(tries(store)) == 1


def test_the_tables_fit_a_terminal(example, tmp_path):
    study = tried(example, rates=[0.1], margin=2.0)
    made(study, tmp_path)
    table, notes = verdict_tables(study.keep(tmp_path))
    lines = table.splitlines()
    assert lines[0] == "soft_sign on digits: test accuracy in points; best setting: learning rate 0.1"
    assert lines[1].split() == ["against", "effect", "95", "%", "interval", "seeds", "Holm", "settings", "verdict"]
    assert lines[3].startswith("adam ")
    assert lines[3].endswith("2*  worse")
    assert lines[4].endswith("equal within 2 points")
    assert max(map(len, (*lines, *notes.splitlines()))) <= 80
    assert "Holm at every look over 3 comparisons: soft_sign against 3 on 1 problem" in " ".join(notes.split())


def test_the_command_forgets(example, tmp_path):
    study = tried(example)
    made(study, tmp_path)
    study.keep(tmp_path)
    (tmp_path / "pairs.toml").write_text('name = "pairs"\n')
    arguments = ["try", "--forget", "soft_sign", str(tmp_path / "pairs.toml"), "--out", str(tmp_path)]
    result = CliRunner().invoke(app, arguments)
    assert (result.exit_code, result.stderr) == (0, "1 try of soft_sign forgotten; the runs stay stored\n")
    result = CliRunner().invoke(app, arguments)
    assert (result.exit_code, "no try of 'soft_sign' is kept" in result.stderr) == (2, True)


def test_records_are_plain_data(example, tmp_path):
    records = made(tried(example), tmp_path)
    assert json.loads(json.dumps(records)) == records
    assert list(tried(example).frame(tmp_path)["control"]) == ["adam", "momentum", "sgd"]


def test_parameters_can_be_tuned(example, tmp_path):
    study = tried(example, rates=[0.1, 1.0], tune={"momentum": [0.8, 0.95, 0.99]}, cap=9)
    own = {(c.optimizer["momentum"], c.learning_rate) for c in study.configs() if c.optimizer["name"] == "soft_sign"}
    assert own == {(momentum, rate) for momentum in (0.8, 0.95, 0.99) for rate in (0.1, 1.0)}
    records = made(study, tmp_path)
    assert {record["competitor"] for record in records} == {"soft_sign"}
    (kept,) = study.keep(tmp_path)
    assert (kept.settings["soft_sign"], kept.settings["sgd"]) == (6, 2)
    assert kept.best["digits"]["optimizer"].startswith("soft_sign")
    assert "--tune momentum=0.8,0.95,0.99" in study.command(tmp_path)


def test_a_file_may_have_a_space(tmp_path):
    text = EXAMPLE.read_text().replace("soft_sign", "spaced")
    space = "{'momentum': {'one_minus_log': [0.5, 0.99]}, 'learning_rate': {'log': [0.01, 1.0]}, 'draws': 6}"
    (tmp_path / "spaced.py").write_text(f"{text}\n\nSPACES = {{'spaced': {space}}}\n")
    loaded = files.load(tmp_path / "spaced.py")
    try:
        own = [c for c in tried(loaded).configs() if c.optimizer["name"] == "spaced"]
        assert len({(c.optimizer["momentum"], c.learning_rate) for c in own}) == 6
        assert {c.seed for c in own} == {0, 1}
        assert {c.learning_rate for c in tried(loaded, rates=[0.5]).configs()} == {0.1, 1.0, 0.5}
    finally:
        registries.optimizers.remove("spaced")


@pytest.mark.parametrize(("space", "problem"), [
    ("3", "SPACES is 3, need a table for each name"),
    ("{'other': {}}", "SPACES has 'other', which is not declared in this file"),
])  # fmt: skip
def test_a_space_that_cannot_be_is_told(tmp_path, space, problem):
    text = EXAMPLE.read_text().replace("soft_sign", "wrongly_spaced")
    (tmp_path / "mine.py").write_text(f"{text}\n\nSPACES = {space}\n")
    with pytest.raises(ConfigError, match=problem):
        files.load(tmp_path / "mine.py")
    registries.optimizers.remove("wrongly_spaced")


@pytest.mark.parametrize(("tune", "problem"), [
    ({"momentun": [0.8]}, "soft_sign: .*momentun"), ({"momentum": []}, "soft_sign: .*momentum: got an empty list"),
])  # fmt: skip
def test_what_cannot_be_tuned_is_told(example, tune, problem):
    with pytest.raises(ConfigError, match=problem):
        tried(example, tune=tune)


@pytest.mark.parametrize("text", ["b1", "=0.9", "b1="])
def test_a_tuned_parameter_needs_values(tmp_path, text):
    result = CliRunner().invoke(app, ["try", str(EXAMPLE), "quick", "--tune", text, "--out", str(tmp_path)])
    assert result.exit_code == 2
    assert (
        result.stderr.splitlines()[-1]
        == f"error: --tune: got {text!r}, need a parameter with its values, as b1=0.8,0.9"
    )


def test_repeated_tuning_takes_turns(example, tmp_path):
    table = swept(seed=[0, 1, 2, 3]) | {"tuning": {"repeats": 2}}
    records = made(tried(example, table, cap=8), tmp_path)
    assert records[0]["seeds"] == list(range(100, 108))

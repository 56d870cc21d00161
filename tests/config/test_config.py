"""RunConfig: identity, canonical form, and one clear line for every mistake."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlpjit.catalogue.registries import REGISTRIES
from mlpjit.config.run_config import RunConfig, problems
from mlpjit.errors import ConfigError

MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"optimiser": "adam"}, "unknown key 'optimiser': did you mean 'optimizer'?"),
    ({"target": "price"}, "unknown key 'target': it belongs to the dataset, as dataset={'name': ..., 'target': ...}"),
    ({"learning_rate": "fast"}, "learning_rate: got 'fast', need a positive number"),
    ({"learning_rate": 0}, "learning_rate: got 0, need a positive number"),
    ({"learning_rate": float("nan")}, "learning_rate: got nan, need a positive number"),
    ({"optimizer": "adm"}, "optimizer: unknown optimizer 'adm': did you mean 'adam'?"),
    ({"optimizer": {"name": "adam", "b11": 0.9}}, "optimizer: unknown key 'b11' of 'adam': did you mean 'b1'?"),
    ({"optimizer": {"name": "adam", "b1": "x"}}, "optimizer: b1: got 'x', need a finite number"),
    ({"optimizer": {"name": "sgd", "b1": 1.0}}, "optimizer: unknown key 'b1' of 'sgd' (it has no parameters)"),
    ({"optimizer": 3}, "optimizer: got 3, need a name"),
    ({"hidden": [64, 0]}, "hidden: got [64, 0], need a list of widths"),
    ({"hidden": [8], "depth": 2}, "hidden: give either hidden or depth and width, not both"),
    ({"depth": -1}, "depth: got -1, need a whole number from 0 up"),
    ({"activation": ["relu", "tan"], "depth": 2}, "activation: unknown activation 'tan': did you mean 'tanh'?"),
    ({"activation": ["relu"], "depth": 2}, "activation: got 1 names for 2 hidden layers"),
    ({"dtype": "float16"}, "dtype: got 'float16', need 'float32' or 'float64'"),
    ({"seed": 1.5}, "seed: got 1.5, need a whole number from 0"),
    ({"shuffle": 1}, "shuffle: got 1, need true or false"),
    ({"batch_size": 10**19}, "batch_size: got 10000000000000000000, need a whole number from 1 up to 2^63 - 1"),
    ({"epochs": 2**63}, "epochs: got 9223372036854775808, need a whole number from 0 up to 2^63 - 1"),
    ({"batch_size": "all"}, "batch_size: got 'all', need a whole number from 1 up to 2^63 - 1, or 'full'"),
    ({"batch_size": 1, "normalization": "batch"}, "normalization 'batch' with batch_size 1"),
    ({"loss": "cross_entropy", "dataset": "diabetes"}, "loss 'cross_entropy' on 'diabetes', a regression dataset"),
    ({"loss": "hinge", "dataset": "diabetes"}, "loss 'hinge' on 'diabetes', a regression dataset: need one of 'mse'"),
    ({"output_activation": "softmax"}, "output_activation 'softmax' with loss 'cross_entropy'"),
    ({"optimizer": "kfac", "normalization": "weight"}, "optimizer 'kfac' with normalization 'weight': its factors"),
    ({"optimizer": "kfac", "loss": "hinge"}, "optimizer 'kfac' with loss 'hinge': no labels can be drawn from it"),
    (
        {"optimizer": "dog", "weight_decay": 0.1},
        "weight_decay 0.1 with optimizer 'dog': it remembers where it was; need 0",
    ),
    (
        {"optimizer": "prodigy", "weight_decay": 0.1},
        "weight_decay 0.1 with optimizer 'prodigy': it remembers where it was; need 0, or weight_decay of",
    ),
    (
        {"clip": "skip_non_finite", "wrapper": "asam"},
        "clip 'skip_non_finite' with wrapper 'asam': its second gradient could not be skipped",
    ),
    (
        {"optimizer": "lbfgs", "clip": "value", "wrapper": "sam"},
        "optimizer 'lbfgs' with clip, wrapper 'sam': its line search needs the loss's own gradient",
    ),
    (
        {"loss": "binary_cross_entropy", "output_activation": "sigmoid"},
        "output_activation 'sigmoid' with loss 'binary_cross_entropy': it works on logits; need 'identity'",
    ),
    ({"activation": {"name": "celu", "alpha": 0}}, "activation: alpha: got 0.0, need above 0"),
    ({"activation": {"name": "relu", "alpha": 1.0}}, "activation: unknown key 'alpha' of 'relu'"),
    ({"activation": "celu(alpha=2)"}, "activation: unknown activation 'celu(alpha=2)': give parameters in a table"),
    ({"loss": {"name": "huber", "delta": 0}}, "loss: delta: got 0.0, need above 0"),
    ({"loss": {"name": "cross_entropy", "label_smoothing": 2}}, "loss: label_smoothing: got 2.0, need 0 or more"),
    ({"dataset": "digit"}, "dataset: unknown dataset 'digit': did you mean 'digits'?"),
    ({"optimizer": {"name": "adam", "b1": 1.0}}, "optimizer: b1: got 1.0, need 0 or more and below 1"),
    ({"optimizer": {"name": "adam", "b2": 1}}, "optimizer: b2: got 1.0, need 0 or more and below 1"),
    ({"optimizer": {"name": "rmsprop", "rho": -0.1}}, "optimizer: rho: got -0.1, need 0 or more and below 1"),
    ({"optimizer": {"name": "momentum", "momentum": 1.5}}, "optimizer: momentum: got 1.5, need 0 or more and below 1"),
    ({"optimizer": {"name": "adam", "eps": -1e-8}}, "optimizer: eps: got -1e-08, need 0 or more"),
    ({"optimizer": {"name": "adam", "eps_root": -1.0}}, "optimizer: eps_root: got -1.0, need 0 or more"),
    ({"clip": {"name": "global_norm", "max_norm": -1}}, "clip: max_norm: got -1.0, need above 0"),
    ({"clip": {"name": "value", "max_value": 0}}, "clip: max_value: got 0.0, need above 0"),
    ({"schedule": {"name": "step", "every": 0}}, "schedule: every: got 0, need 1 or more"),
    ({"schedule": {"name": "cosine", "warmup": -1}}, "schedule: warmup: got -1, need 0 or more"),
    ({"init": {"name": "normal", "std": -1.0}}, "init: std: got -1.0, need 0 or more"),
    ({"init": {"name": "xavier_normal", "gain": 0.0}}, "init: gain: got 0.0, need above 0"),
    ({"timeout": 0}, "timeout: got 0, need a positive number of seconds"),
    ({"clip": "global"}, "clip: unknown clipping 'global': did you mean 'global_norm'?"),
]


@pytest.mark.parametrize(("values", "line"), MISTAKES, ids=lambda value: str(value)[:40])
def test_every_mistake_has_its_line(values: dict[str, Any], line: str) -> None:
    with pytest.raises(ConfigError) as raised:
        RunConfig(**values)
    assert [found for found in raised.value.problems if found.startswith(line)], raised.value.problems
    assert problems(values) == raised.value.problems


def test_all_mistakes_are_reported_at_once() -> None:
    found = problems({"optimiser": 1, "learning_rate": "fast", "batch_size": 1, "normalization": "batch", "seed": -1})
    assert len(found) == 4


def test_defaults_run() -> None:
    assert problems({}) == []
    assert RunConfig().hidden == (64,)


def test_depth_and_width_are_short_for_hidden() -> None:
    assert RunConfig(depth=3, width=8).run_id == RunConfig(hidden=[8, 8, 8]).run_id
    assert RunConfig(depth=0).hidden == ()
    assert RunConfig(hidden=[8, 4]).width is None


OPTIONAL = (
    "clip", "wrapper", "loss", "schedule", "momentum_schedule", "weight_decay_schedule", "normalization", "residual",
    "timeout", "split_seed", "init_seed", "order_seed",
)  # fmt: skip
SEEDS = {"split_seed": 5, "init_seed": 6, "order_seed": 7}
SAME = [
    ({"activation": "relu", "depth": 2}, {"activation": ["relu", "relu"], "depth": 2}),
    ({"optimizer": "adam"}, {"optimizer": {"name": "adam", "b1": 0.9}}),
    ({"learning_rate": 1}, {"learning_rate": 1.0}),
    ({"seed": 3}, {"seed": 3, "split_seed": 3, "init_seed": 3, "order_seed": 3}),
    ({}, {"loss": "cross_entropy"}),
    ({"loss": "huber"}, {"loss": {"name": "huber", "delta": 1}}),
    ({"activation": "celu"}, {"activation": {"name": "celu", "alpha": 1}}),
    ({"activation": "celu(alpha=2.0)"}, {"activation": {"name": "celu", "alpha": 2}}),
    ({}, {"timeout": 5.0}),
    *(({}, {name: "none"}) for name in OPTIONAL),
    ({"seed": 1, **SEEDS}, {"seed": 2, **SEEDS}),
    ({"depth": 0, "activation": "relu"}, {"depth": 0, "activation": "tanh"}),
    ({"depth": 0}, {"hidden": [], "activation": []}),
    ({"shuffle": False, "order_seed": 1}, {"shuffle": False, "order_seed": 2}),
    ({"batch_size": "full"}, {"batch_size": 1_000_000}),
    ({"epochs": 3, "evaluate_every": 3}, {"epochs": 3, "evaluate_every": 5}),
    ({"seed": 2, "learning_rate": 0.1}, {"seed": np.int64(2), "learning_rate": np.float64(0.1)}),
    ({"hidden": [4, 5]}, {"hidden": np.array([4, 5])}),
]


@pytest.mark.parametrize(("one", "other"), SAME, ids=str)
def test_ways_to_say_the_same_run_share_its_id(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert RunConfig(**one).run_id == RunConfig(**other).run_id


def test_the_path_of_a_file_is_no_part_of_the_id(tmp_path: Path) -> None:
    rows = "\n".join(["a,b,y", *(f"{i},{i * i % 7},{i % 2}" for i in range(60))])
    paths = [tmp_path / "one.csv", tmp_path / "two.csv"]
    for path in paths:
        path.write_text(rows)
    one, two = (RunConfig(dataset=str(path)).run_id for path in paths)
    assert one == two == RunConfig(dataset={"name": str(paths[1]), "target": "y"}).run_id
    assert RunConfig(dataset={"name": str(paths[0]), "scaling": "none"}).run_id != one
    assert RunConfig(dataset={"name": str(paths[0]), "label_noise": 0.1}).run_id != one
    paths[1].write_text(rows.replace("59,", "58,"))
    assert RunConfig(dataset=str(paths[1])).run_id != one


OTHER: list[dict[str, Any]] = [
    {"dataset": "two_moons"}, {"hidden": [8]}, {"activation": "tanh"}, {"init": "xavier_normal"}, {"loss": "mse"},
    {"normalization": "batch"}, {"dropout": 0.5}, {"hidden": [8, 8], "residual": "pre"},
    {"optimizer": "sgd"}, {"learning_rate": 0.5}, {"schedule": "cosine"},
    {"clip": "value"}, {"wrapper": "lookahead"}, {"l1": 0.1}, {"l2": 0.1}, {"weight_decay": 0.1},
    {"batch_size": "full"}, {"epochs": 3}, {"evaluate_every": 2}, {"shuffle": False}, {"dtype": "float64"},
    {"seed": 1}, {"split_seed": 1}, {"init_seed": 1}, {"order_seed": 1}, {"weight_decay_schedule": "linear"},
    {"optimizer": "momentum", "momentum_schedule": "linear"}, {"loss": "mse", "output_activation": "softmax"},
    {"loss": {"name": "cross_entropy", "label_smoothing": 0.1}}, {"activation": {"name": "leaky_relu", "slope": 0.1}},
]  # fmt: skip


@pytest.mark.parametrize("values", OTHER, ids=str)
def test_every_field_is_part_of_the_identity(values: dict[str, Any]) -> None:
    assert RunConfig(**values).run_id != RunConfig().run_id


def test_every_field_but_timeout_is_covered_above() -> None:
    covered = {name for values in OTHER for name in values}
    assert covered == set(RunConfig.model_fields) - {"timeout"}


STAGES = [*REGISTRIES["optimizers"].records(), *REGISTRIES["clippings"].records(), *REGISTRIES["wrappers"].records()]
NUMBERS = [(s, key) for s in STAGES for key, default in s.defaults.items() if not isinstance(default, bool | str)]


@pytest.mark.parametrize(("record", "key"), NUMBERS, ids=lambda value: getattr(value, "name", value))
def test_every_hyperparameter_has_limits_that_hold_its_default(record: Any, key: str) -> None:
    assert record.limits[key].holds(record.defaults[key])
    assert key == "lowest" or not record.limits[key].holds(-1.0)  # a loss may be bounded below by any number


@pytest.mark.parametrize("name", REGISTRIES["optimizers"])
def test_every_optimizer_gets_its_defaults(name: str) -> None:
    config = RunConfig(optimizer=name)
    assert config.optimizer.params == dict(REGISTRIES["optimizers"][name].defaults)
    assert config.factors()["optimizer"] == name


def test_parameters_of_activations_show_in_their_column() -> None:
    names = ["relu", {"name": "leaky_relu", "slope": 0.2}]
    assert RunConfig(activation=names, depth=2).factors()["activation"] == "relu-leaky_relu(slope=0.2)"
    assert RunConfig(activation={"name": "sine", "frequency": 30}).factors()["activation"] == "sine(frequency=30.0)"


def test_a_loss_is_a_column_of_its_own() -> None:
    assert RunConfig().factors()["loss"] == "cross_entropy"
    assert RunConfig(loss={"name": "huber", "delta": 0.5}).factors()["loss"] == "huber(delta=0.5)"


def test_parameters_that_are_not_defaults_show_in_the_label() -> None:
    assert RunConfig(optimizer={"name": "adam", "b1": 0.95}).factors()["optimizer"] == "adam(b1=0.95)"


def test_canonical_form_is_json_and_makes_the_same_run() -> None:
    config = RunConfig(depth=2, activation=["relu", "tanh"], clip="value", seed=4)
    again = RunConfig(**json.loads(json.dumps(config.canonical())))
    assert again.run_id == config.run_id
    assert again.canonical() == config.canonical()


COPIES: list[dict[str, Any]] = [
    {"learning_rate": 0.5}, {"optimizer": {"name": "adam", "b1": 0.5}}, {"seed": 9}, {"depth": 3}, {"width": 4},
    {"hidden": [3, 2]}, {"depth": 2, "width": 5}, {"timeout": 3.0}, {"dataset": "two_moons"},
]  # fmt: skip


@pytest.mark.parametrize("update", COPIES, ids=str)
def test_a_copy_is_a_config_made_anew(update: dict[str, Any]) -> None:
    given = {"optimizer": "momentum", "init_seed": 4, "seed": 2, "depth": 1, "width": 8}
    config = RunConfig(**given)
    assert config.run_id
    kept = {name: value for name, value in given.items() if "hidden" not in update or name not in ("depth", "width")}
    expected = RunConfig(**{**kept, **update})
    copied = config.model_copy(update=update)
    assert copied == expected
    assert copied.run_id == expected.run_id
    assert (copied.run_id == config.run_id) == (update == {"timeout": 3.0})
    trusted = RunConfig.trusted(config.__dict__).model_copy(update={"timeout": 3.0})
    assert trusted.run_id == config.run_id


@pytest.mark.parametrize("update", [{"learning_rate": -1}, {"optimiser": "adam"}, {"dataset": "digit"}], ids=str)
def test_a_copy_is_checked(update: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        RunConfig().model_copy(update=update)


def test_a_config_is_frozen_and_hashable() -> None:
    config = RunConfig()
    with pytest.raises(Exception, match="frozen"):
        config.seed = 3
    assert {config, RunConfig()} == {config}


@pytest.mark.parametrize(
    "given",
    [
        {"optimizer": {"name": "adam", "eps": 10**400}},
        {"init": {"name": "he_normal", "gain": -(10**400)}},
        {"activation": {"name": "celu", "alpha": 10**400}},
        {"dataset": {"name": "xor", "noise": 10**400}},
        {"dataset": {"name": "xor", "imbalance": 10**400}},
    ],
    ids=lambda given: next(iter(given)),
)
def test_whole_numbers_beyond_float64_are_not_finite(given: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="finite number"):
        RunConfig(**given)

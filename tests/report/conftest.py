"""A stand-in for the store: synthetic studies with the shapes that real ones have, seeded."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

import numpy as np
import pandas as pd
import pytest

from mlpjit.store.arrays import LAYER_CURVES

RATES = {
    "sgd": [0.01, 0.0316, 0.1, 0.316, 1.0],
    "momentum": [0.001, 0.00316, 0.01, 0.0316, 0.1],
    "rmsprop": [1e-4, 3.16e-4, 1e-3, 3.16e-3, 1e-2],
    "adam": [1e-4, 3.16e-4, 1e-3, 3.16e-3, 1e-2],
}
ACTIVATIONS = ["sigmoid", "tanh", "relu", "leaky_relu", "elu", "gelu"]


@dataclass
class SyntheticStore:
    """The store's read interface over frames that are made up."""

    runs: pd.DataFrame
    plan: dict[str, Any]
    times: pd.DataFrame = field(default_factory=pd.DataFrame)
    notes: dict[str, Any] = field(default_factory=dict)

    def note(self, key: str) -> Any:
        return self.notes.get(key)

    def columns(self, names: Sequence[str]) -> dict[str, np.ndarray]:
        return {name: self.runs[name].to_numpy() for name in names if name in self.runs}

    def study(self) -> dict[str, Any]:
        return self.plan

    def timing(self) -> pd.DataFrame:
        return self.times

    def sessions(self) -> list[dict[str, Any]]:
        host = {
            "host_cpu": "Imaginary CPU 3000",
            "host_vector_bits": 512,
            "host_threads": 2,
            "host_system": "Linux",
            "host_versions": "mlpjit 0.1.0, numba 0.68.1",
            "host_commit": "abc1234",
        }
        return [{**host, "started_at": "2026-01-01T00:00:00Z", "compile_seconds": 12.5, "wall_seconds": 48.0,
                 "provenance": {"python": "3.11.7"}}]  # fmt: skip

    def content_version(self) -> str:
        return f"{self.plan['name']}-{len(self.runs)}"

    def curves(self, run_ids: Sequence[str]) -> pd.DataFrame:
        return pd.concat([_curve(row) for row in self._rows(run_ids)], ignore_index=True)

    def layers(self, run_ids: Sequence[str], names: Sequence[str], epoch: int | None = None) -> pd.DataFrame:
        parts = [_layers(row, epoch) for row in self._rows(run_ids)]
        return pd.concat(parts, ignore_index=True)[["run_id", "epoch", "layer", *names]]

    def _rows(self, run_ids: Sequence[str]) -> Iterator[dict[str, Any]]:
        wanted = self.runs[self.runs["run_id"].isin(set(run_ids))]
        return iter(wanted.to_dict("records"))


def _curve(row: dict[str, Any]) -> pd.DataFrame:
    epochs = np.arange(row["epochs"] + 1 if row["state"] == "done" else 4)
    noise = np.random.default_rng(row["seed"]).normal(0, 0.02, epochs.size)
    end = row["final_validation_loss"] if row["state"] == "done" else 50.0
    loss = (end + (2.4 - end) * np.exp(-epochs / 2.0)) * np.exp(noise)
    train = np.where(epochs == 0, np.nan, loss * 0.8)
    score = np.clip(1 - 0.35 * loss, 0.1, 1)
    columns = {"run_id": row["run_id"], "epoch": epochs, "step": epochs * 20, "train_loss": train,
               "validation_loss": loss, "validation_score": score}  # fmt: skip
    return pd.DataFrame(columns)


def _layers(row: dict[str, Any], epoch: int | None) -> pd.DataFrame:
    count = row["depth"] + 1
    epochs = [epoch] if epoch is not None else [0, row["epochs"]]
    layer = np.tile(np.arange(1, count + 1), len(epochs))
    decay = {"sigmoid": 0.3, "tanh": 0.9, "relu": 1.0}.get(row["activation"], 1.02)
    decay = (decay * {"xavier_normal": 0.9, "normal(std=0.05)": 0.4}.get(row["init"], 1.0)) ** (
        0.1 if row["normalization"] == "batch" else 1.0
    )
    columns: dict[str, Any] = {"run_id": row["run_id"], "epoch": np.repeat(epochs, count), "layer": layer}
    for name in LAYER_CURVES:
        columns[name] = 0.5 * decay ** (layer if name == "activation_std" else count - layer)
    if row["activation"] == "sigmoid" and row["init"] == "normal(std=0.05)":
        columns["gradient_norm"] = np.where(layer < 3, 0.0, columns["gradient_norm"])
    return pd.DataFrame(columns)


def _quality(run: dict[str, Any]) -> tuple[str, float]:
    """Return state and loss: a U over the rate, worse with depth, sigmoid lost when deep, divergence."""
    grid = RATES.get(run["optimizer"], [])
    grid = grid if run["learning_rate"] in grid else [run["learning_rate"]]
    best = {"sgd": 3.0, "momentum": 2.6, "rmsprop": 2.0, "adam": 2.2}.get(run["optimizer"], 2.0)
    off = grid.index(run["learning_rate"]) - best + 0.2 * np.log2(max(run["depth"], 1))
    names = crc32(f"{run['activation']}{run['init']}{run['optimizer']}".encode())
    rng = np.random.default_rng([run["seed"], round(run["learning_rate"] * 1e6), run["depth"], names])
    deep = 1.0 + 0.06 * run["depth"]
    if run["activation"] == "sigmoid" and run["normalization"] == "none":
        deep *= 1 + 0.8 * run["depth"]
    loss = min(0.09 * deep * (1 + 0.55 * off**2), 2.303) * np.exp(rng.normal(0, 0.1))
    wild = off > 1.4 and run["activation"] not in ("sigmoid", "tanh") and run["clip"] == "none"
    return ("diverged", np.nan) if wild and rng.random() < 0.75 else ("done", float(loss))


def make_run(stage: str, **given: Any) -> dict[str, Any]:
    """Return one row of the store's frame, its metrics made up from its factors."""
    run: dict[str, Any] = {
        "stage": stage, "dataset": "digits", "depth": 1, "width": 64, "activation": "relu",
        "init": "he_normal", "optimizer": "sgd", "learning_rate": 0.1, "schedule": "constant", "clip": "none",
        "loss": "cross_entropy",
        "normalization": "none", "batch_size": "64", "epochs": 10, "dtype": "float32", "l2": 0.0,
        "weight_decay": 0.0, "output_activation": "identity", "seed": 0, **given,
    }  # fmt: skip
    state, loss = _quality(run)
    score = float(np.clip(1 - 0.32 * loss, 0.1, 1))
    parameters = 65 * 64 + (run["depth"] - 1) * 65 * 64 + 650
    finished = state == "done"
    return run | {
        "hidden": "-".join(["64"] * run["depth"]), "split_seed": run["seed"], "init_seed": run["seed"],
        "order_seed": run["seed"], "state": state, "final_validation_loss": loss,
        "final_train_loss": loss * 0.8,
        "final_validation_score": score, "test_loss": loss * 1.1, "test_score": score - 0.004,
        "best_test_score": score - 0.003, "parameters": parameters, "steps": 200 if finished else 61,
        "gradients": 200 if finished else 61,
        "diverged_step": np.nan if finished else 61, "compile_seconds": 0.0,
        "train_seconds": 2e-7 * parameters * 10, "evaluate_seconds": 3e-8 * parameters * 10,
        "started_at": "2026-01-01T00:00:00Z", "finished_at": "2026-01-01T00:00:01Z",
        "host_cpu": "Imaginary CPU 3000", "host_vector_bits": 512, "host_threads": 2, "error": None,
    }  # fmt: skip


def store_of(name: str, runs: Sequence[dict[str, Any]], **plan: Any) -> SyntheticStore:
    """Wrap rows into a store; run ids are their positions."""
    frame = pd.DataFrame(list(runs))
    frame.insert(0, "run_id", [f"{position:016x}" for position in range(len(frame))])
    block = {"fixed": {"dataset": "digits", "width": 64, "epochs": 10}, "axes": {}}
    study = {"name": name, "title": name, "question": "", "blocks": [block], "final": None, **plan}
    return SyntheticStore(frame, study)


def quick() -> SyntheticStore:
    axes = itertools.product(RATES, range(5), ["xavier_normal", "he_normal"], ACTIVATIONS, [1, 2, 4, 8], range(2))
    runs = [
        make_run("tune", optimizer=o, learning_rate=RATES[o][r], init=i, activation=a, depth=d, seed=s)
        for o, r, i, a, d, s in axes
    ]
    for optimizer, rate in {"sgd": 0.316, "momentum": 0.0316, "rmsprop": 1e-3, "adam": 1e-3}.items():
        runs += [make_run("final", optimizer=optimizer, learning_rate=rate, seed=s) for s in range(100, 110)]
    blocks = [
        {"fixed": {"dataset": "digits", "width": 64, "optimizer": o, "clip": None},
         "axes": {"learning_rate": rates, "depth": [1, 2, 4, 8], "activation": ACTIVATIONS, "seed": [0, 1]}}
        for o, rates in RATES.items()
    ]  # fmt: skip
    store = store_of("quick", runs, final={"per": "optimizer", "seeds": list(range(100, 110))}, blocks=blocks,
                     question="Which optimizer trains a small network on digits best?")  # fmt: skip
    store.times = timing(list(RATES))
    return store


def timing(optimizers: Sequence[str]) -> pd.DataFrame:
    rows = []
    for slope, optimizer in enumerate(optimizers, 3):
        for depth in (1, 2, 4, 8):
            parameters = depth * 65 * 64 + 650
            seconds = 4e-6 + slope * 4e-10 * parameters * (1 + 0.02 * (depth % 3))
            spread = {"low_seconds": seconds * 0.97, "high_seconds": seconds * 1.05}
            row = {"hidden": "-".join(["64"] * depth), "depth": depth, "width": 64, "optimizer": optimizer,
                   "activation": "tanh", "batch_size": 64}  # fmt: skip
            rows.append(row | {"parameters": parameters, "step_seconds": seconds, **spread})
    return pd.DataFrame(rows)


def pathologies() -> SyntheticStore:
    inits, depths = ["xavier_normal", "he_normal", "normal(std=0.05)"], [2, 4, 8, 16, 32]
    clips = ["none", "global_norm"]
    axes = itertools.product([*ACTIVATIONS[:3], "gelu"], inits, depths, ["none", "batch"], clips, range(2))
    runs = [
        make_run("tune", activation=a, init=i, depth=d, normalization=n, clip=c, seed=s) for a, i, d, n, c, s in axes
    ]
    return store_of("pathologies", runs)


def lone() -> SyntheticStore:
    return store_of("lone", [make_run("tune")])


def two_optimizers() -> SyntheticStore:
    return store_of("two", [make_run("tune", optimizer=o, learning_rate=0.01) for o in ("sgd", "adam")])


def regression() -> SyntheticStore:
    runs = [
        make_run("tune", dataset="diabetes", loss="mse", activation=a, learning_rate=r, seed=s)
        for a, r, s in itertools.product(["relu", "tanh", "mine"], RATES["sgd"], range(3))
    ]
    return store_of("regression", runs)


def crowd() -> SyntheticStore:
    """Twelve optimizers, most unknown, parameters in their labels."""
    names = [
        "sgd",
        "adam",
        *(f"adam(b1={b})" for b in (0.8, 0.85, 0.95, 0.99)),
        *(f"mine_{k}" for k in range(6)),
    ]
    grid = [1e-3, 1e-2, 0.1]
    runs = [
        make_run("tune", optimizer=o, learning_rate=r, depth=d, seed=s)
        for o, r, d, s in itertools.product(names[2:], grid, [1, 3], range(2))
    ]
    runs += [make_run("tune", optimizer=o, learning_rate=RATES[o][3], depth=1, seed=0) for o in names[:2]]
    return store_of("crowd", runs)


def hopeless() -> SyntheticStore:
    runs = [make_run("tune", learning_rate=r, seed=s) for r in RATES["sgd"] for s in range(2)]
    lost = {"final_validation_loss": np.nan, "test_score": np.nan, "test_loss": np.nan}
    runs = [{**run, "state": "diverged", **lost} for run in runs]
    runs[0] |= {"state": "failed", "error": "ZeroDivisionError: <b>float</b> division by zero"}
    return store_of("hopeless", runs)


def two_datasets() -> SyntheticStore:
    runs = [
        make_run("tune", dataset=d, optimizer=o, learning_rate=RATES[o][r], seed=s)
        for d, o, r, s in itertools.product(["digits", "breast_cancer"], ["sgd", "adam"], range(5), range(2))
    ]
    return store_of("two_datasets", runs)


PROBLEMS = ["digits", "wine", "iris", "breast_cancer", "two_moons", "circles"]
GAINS = {"sgd": 0.05, "adam": -0.02}  # of tuning


def tuned_store(problems: Sequence[str]) -> SyntheticStore:
    """Two optimizers at three rates, untuned beside tuned: adam's tuning harms; of its rates the last is best."""
    rng = np.random.default_rng(3)
    runs = []
    for problem in problems:
        for name in GAINS:
            for seed in (0, 1, 2):
                for at, rate in enumerate((0.01, 0.1, 1.0)):
                    score = 0.5 + 0.1 * at + 0.001 * rng.normal()
                    runs.append(_tuned_run("tune", problem, name, rate, seed, score))
            for seed in range(100, 110):
                score = 0.8 + 0.005 * rng.normal()
                runs.append(_tuned_run("final", problem, name, 1.0, seed, score))
                runs.append(
                    _tuned_run("default", problem, name, 0.01, seed, score - GAINS[name] + 0.002 * rng.normal())
                )
    plan = {"final": {"per": "optimizer", "seeds": list(range(100, 110))}, "tuning": {"default": True}}
    return store_of("topics", runs, **plan)


def _tuned_run(stage: str, problem: str, name: str, rate: float, seed: int, score: float) -> dict[str, Any]:
    made = make_run(stage, dataset=problem, optimizer=name, learning_rate=rate, seed=seed)
    return made | {"state": "done", "test_score": score, "final_validation_score": score,
                   "final_validation_loss": 1 - score}  # fmt: skip


def suite() -> SyntheticStore:
    return tuned_store(PROBLEMS)


STUDIES: dict[str, Callable[[], SyntheticStore]] = {
    study.__name__: study
    for study in (quick, pathologies, lone, two_optimizers, regression, crowd, hopeless, two_datasets)
}
PAGES = STUDIES | {"suite": suite}  # of many problems there are no figures


@pytest.fixture(scope="session", params=STUDIES)
def store(request: pytest.FixtureRequest) -> SyntheticStore:
    """Every synthetic study in turn."""
    return STUDIES[request.param]()


@pytest.fixture(scope="session")
def quick_store() -> SyntheticStore:
    return quick()


@pytest.fixture(scope="session")
def studies() -> dict[str, Callable[[], SyntheticStore]]:
    return STUDIES

"""Sweeps of many small runs: their studies, what their peers are given, and how each run ended.

Data, first weights and orders come from mlpjit, so that each run of a peer is a run of mlpjit; a peer is spared making
them.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

BATCH, EPOCHS, WIDTH = 64, 2, 8
PARTS = ("x_train", "y_train", "x_validation", "y_validation", "x_test", "y_test")
# Epsilon as the peers have it: outside the root.
SPECS = {
    "sgd": '"sgd"', "momentum": '"momentum"', "adagrad": '"adagrad"',
    "rmsprop": '{name = "rmsprop", eps = 1e-8, eps_root = 0.0}',
    "adam": '{name = "adam", eps = 1e-8, eps_root = 0.0}',
}  # fmt: skip
HEAD = f"""
question = "What does a small run cost?"
dataset = "two_moons"
width = {WIDTH}
batch_size = {BATCH}
epochs = {EPOCHS}

[sweep]
"""


@dataclass(frozen=True)
class Case:
    """Two epochs on two moons for every combination; each seed has a split, first weights and an order of its own."""

    name: str
    optimizers: tuple[str, ...]
    activations: tuple[str, ...]
    depths: tuple[int, ...]
    inits: tuple[str, ...]
    rates: tuple[float, ...]
    seeds: int

    @property
    def runs(self) -> int:
        return len(self.programs) * len(self.inits) * len(self.rates) * self.seeds

    @property
    def programs(self) -> list[tuple[str, str, int]]:
        """What a peer compiles for itself: (optimizer, activation, depth), the deepest first."""
        depths = sorted(self.depths, reverse=True)
        return [(o, a, d) for d, o, a in product(depths, self.optimizers, self.activations)]

    def share(self, part: int, parts: int) -> tuple[list[tuple[str, str, int]], list[int]]:
        """Return the programs and the seeds of one of `parts` processes: of a single program each makes some seeds."""
        if len(self.programs) > 1:
            return self.programs[part::parts], list(range(self.seeds))
        return self.programs, list(range(part, self.seeds, parts))

    def study(self) -> str:
        """Return the study as TOML."""
        axes = {
            "optimizer": "[" + ", ".join(SPECS[name] for name in self.optimizers) + "]",
            "activation": json.dumps(self.activations), "depth": list(self.depths), "init": json.dumps(self.inits),
            "learning_rate": list(self.rates), "seed": list(range(self.seeds)),
        }  # fmt: skip
        lines = "".join(f"{name} = {values}\n" for name, values in axes.items())
        return f'name = "{self.name}"\ntitle = "{self.name}"' + HEAD + lines


def one_shape(seeds: int) -> Case:
    """Return 40 rates of each seed, all of one shape."""
    rates = tuple(10.0 ** (-4.0 + 3.5 * place / 39.0) for place in range(40))
    return Case(f"one_shape_{40 * seeds}", ("adam",), ("tanh",), (2,), ("xavier_normal",), rates, seeds)


def mixed(seeds: int) -> Case:
    """Return 40 runs for each seed and two of 80 shapes: the rates of all optimizers are the same."""
    activations, rates = ("relu", "tanh", "gelu", "sigmoid"), (0.001, 0.003, 0.01, 0.03, 0.1)
    inits = ("lecun_normal", "he_normal")
    return Case(f"mixed_{800 * seeds}", tuple(SPECS), activations, (1, 2, 3, 4), inits, rates, seeds)


CASES = {case.name: case for case in (one_shape(1), one_shape(80), one_shape(800), mixed(4))}


def write_inputs(case: Case, path: Path) -> None:
    """Write the case, and of each seed its data, orders (seed, epoch, sample) and first weights, as NPZ."""
    from mlpjit.catalogue.datasets import split
    from mlpjit.kernels.arithmetic.random import permutation
    from mlpjit.training import shape
    from mlpjit.training.first_parameters import initial_params

    seeds = range(case.seeds)
    data = [split({"name": "two_moons"}, seed, "float32") for seed in seeds]
    arrays: dict[str, Any] = {name: np.array([getattr(each, name) for each in data]) for name in PARTS}
    rows = arrays["x_train"].shape[1]
    arrays["order"] = np.array([[permutation(s, "order", rows, e) for e in range(EPOCHS)] for s in seeds], np.int32)
    for depth in case.depths:
        layers = shape.layers_of([2, *[WIDTH] * depth, 2])
        names = ["tanh"] * depth + ["identity"]
        made = [[shape.views(layers, initial_params(layers, {"name": init}, seed, "float32", names))
                 for init in case.inits] for seed in seeds]  # fmt: skip
        for layer in range(len(layers)):
            arrays[f"w{depth}_{layer}"] = np.array([[run[layer]["W"] for run in of_seed] for of_seed in made])
    np.savez(path, case=json.dumps(asdict(case)), **arrays)


def read_case(inputs: Any) -> Case:
    """Return the case that inputs were written for."""
    given = json.loads(str(inputs["case"]))
    return Case(**{name: tuple(value) if isinstance(value, list) else value for name, value in given.items()})


Losses = dict[tuple[Any, ...], float]


def losses_of_store(store: Path) -> Losses:
    """Return the final validation loss of every run, NaN where it diverged."""
    from mlpjit.store import Store

    columns = ("optimizer", "activation", "depth", "init", "learning_rate", "seed", "final_validation_loss")
    with Store.open(store, readonly=True) as opened:
        rows = list(opened.rows(columns))
    return {(row[0].split("(")[0].split(" ")[0], *row[1:-1]): math.nan if row[-1] is None else row[-1] for row in rows}


def losses_of_peer(case: Case, paths: list[Path]) -> Losses:
    """Return the same from what the processes of a peer wrote."""
    found: Losses = {}
    for part, path in enumerate(paths):
        programs, seeds = case.share(part, len(paths))
        with np.load(path) as held:
            for optimizer, activation, depth in programs:
                curves = held[f"{optimizer}-{activation}-{depth}-validation_loss"]
                lanes = product(seeds, case.inits, case.rates)
                for (seed, init, rate), loss in zip(lanes, curves.reshape(-1, EPOCHS)[:, -1], strict=True):
                    found[optimizer, activation, depth, init, rate, seed] = float(loss)
    return found


def compared(ours: Losses, theirs: Losses) -> dict[str, float]:
    """Return how far the final losses of the same runs are apart, relatively, and how many were lost on either side."""
    if ours.keys() != theirs.keys():
        raise SystemExit(f"not the same runs: {sorted(ours.keys() ^ theirs.keys(), key=str)[:3]} ...")
    pairs = np.array([(ours[key], theirs[key]) for key in ours])
    lost = ~np.isfinite(pairs)
    both = pairs[~lost.any(axis=1)]
    apart = np.abs(both[:, 0] - both[:, 1]) / np.abs(both).max(axis=1)
    return {
        "runs": len(pairs), "lost_ours": int(lost[:, 0].sum()), "lost_theirs": int(lost[:, 1].sum()),
        "largest_relative_difference": float(apart.max()), "median_relative_difference": float(np.median(apart)),
        "share_within_1_percent": float((apart < 0.01).mean()),
    }  # fmt: skip

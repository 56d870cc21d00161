"""Drives other people's optimizers along the same gradients: parameters after the steps that a golden case keeps.

Gradients are random, their scale changes from step to step and entry to entry, some are zero; the parameters are a
vector, a square and a non-square matrix, packed one behind the other, (fan_in, fan_out) row-major.
"""

from __future__ import annotations

import importlib
import sys
import types
from collections.abc import Callable, Sequence
from importlib.metadata import files
from typing import Any

import numpy as np
from goldens import ours, problems
from goldens.records import Arrays, Golden, golden

from mlpjit.kernels.arithmetic.random import signs

Shapes = Sequence[Sequence[int]]
SHAPES: Shapes = ((5,), (4, 4), (3, 5))
RATE = 0.03


def inputs() -> Arrays:
    """Return theta (n,) and gradients (50, n), float64; the same ones on every call."""
    rng = np.random.default_rng(2026)
    count, steps = sum(int(np.prod(shape)) for shape in SHAPES), max(ours.STEPS)
    scale = 10.0 ** (rng.uniform(-3, 1, (steps, 1)) + rng.uniform(-2, 1, (1, count)))
    drawn = rng.normal(size=(steps, count)) * scale
    drawn[rng.random((steps, count)) < 0.15] = 0.0
    theta, losses = rng.normal(size=count), 10.0 ** rng.uniform(-3, 1, steps)
    # The signs that an optimizer of seed 0 draws, step by step.
    draws = np.stack([signs(0, "optimizer", count, step + 1) for step in range(steps)])
    stored = {"theta": theta, "gradients": drawn, "losses": losses, "draws": draws, "shapes": np.array(repr(SHAPES))}
    return stored | problems.drawn_inputs(count, steps)


INPUTS = inputs()


def split(packed: np.ndarray, shapes: Shapes = SHAPES) -> list[np.ndarray]:
    """Return the tensors of a packed vector."""
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])[:-1]
    return [part.reshape(shape) for part, shape in zip(np.split(packed, ends), shapes, strict=True)]


def packed(tensors: Any) -> np.ndarray:
    """Return tensors one behind the other."""
    return np.concatenate([np.ravel(np.asarray(tensor)) for tensor in tensors])


def torch_path(
    make: Callable[..., Any], gradients: np.ndarray, rates: list[float], shapes: Shapes = SHAPES
) -> np.ndarray:
    """Return theta after the kept steps of a torch optimizer; make(parameters, lr)."""
    import torch

    torch.set_default_dtype(torch.float64)  # for those that keep step counts as tensors
    tensors = [torch.nn.Parameter(torch.tensor(part)) for part in split(INPUTS["theta"], shapes)]
    made, path = make(tensors, rates[0]), []
    for g, rate in zip(gradients, rates, strict=True):
        for tensor, part in zip(tensors, split(g, shapes), strict=True):
            tensor.grad = torch.tensor(part)
        for group in made.param_groups:
            group["lr"] = rate
        made.step()
        path.append(packed(tensor.detach().numpy() for tensor in tensors))
    return np.stack([path[step - 1] for step in ours.STEPS])


class Adjusted:
    """An optimizer of torch's kind; adjust(group, t) changes its settings before step t, counted from 1."""

    def __init__(self, made: Any, adjust: Callable[[dict[str, Any], int], None]) -> None:
        self.made, self.adjust, self.count = made, adjust, 0
        self.param_groups = made.param_groups

    def step(self) -> None:
        """Take a step."""
        self.count += 1
        for group in self.param_groups:
            self.adjust(group, self.count)
        self.made.step()


def optax_path(
    make: Callable[..., Any], gradients: np.ndarray, rates: list[float], shapes: Shapes = SHAPES
) -> np.ndarray:
    """Return theta after the kept steps of an optax transformation; make(schedule)."""
    import jax
    import jax.numpy as jnp
    import optax

    with jax.enable_x64(True):
        table = jnp.array([*rates, rates[-1]])
        chosen = make((lambda count: table[count]) if len(set(rates)) > 1 else rates[0])
        made = optax.with_extra_args_support(chosen)
        tensors = [jnp.array(part) for part in split(INPUTS["theta"], shapes)]
        state, path = made.init(tensors), []
        for g, loss in zip(gradients, INPUTS["losses"], strict=True):
            updates, state = made.update([jnp.array(part) for part in split(g, shapes)], state, tensors, value=loss)
            tensors = optax.apply_updates(tensors, updates)
            path.append(packed(tensors))
    return np.stack([path[step - 1] for step in ours.STEPS])


def found(name: str) -> Any:
    """Return what a dotted name stands for, its module imported."""
    module, _, attribute = name.rpartition(".")
    return getattr(importlib.import_module(module), attribute)


def found_alone(name: str) -> Any:
    """Return what a dotted name stands for, its module loaded without its packages' own imports (torchvision)."""
    *packages, attribute = name.split(".")
    root = next(path.locate() for path in files(packages[0]) or [] if path.name == "__init__.py").parent
    while root.name != packages[0]:
        root = root.parent
    for depth in range(1, len(packages)):
        bare = types.ModuleType(".".join(packages[:depth]))
        bare.__path__ = [str(root.joinpath(*packages[1:depth]))]
        sys.modules.setdefault(bare.__name__, bare)
    return getattr(importlib.import_module(".".join(packages)), attribute)


def shown(name: str, settings: dict[str, Any]) -> str:
    """Return a call as text."""
    return f"{name}({', '.join(f'{key}={value}' for key, value in settings.items())})"


def case(
    entry: str, settings: dict[str, Any], oracle: str, theirs: dict[str, Any], make: Any = None, note: str = "",
    tolerance: float = 1e-10, **given: Any,
) -> Golden:  # fmt: skip
    """Return a case: ours at `settings` against the oracle at `theirs`.

    make: the oracle where its name alone does not find it, called as make(rate, **theirs) for optax and
    make(parameters, lr=rate, **theirs) for torch. given: learning_rate, decay (of the rate), scale and
    power (of the gradients), shapes (of the tensors), seed (of draws).
    """
    make, given = make or found(oracle), {"learning_rate": RATE} | given
    shapes = given.get("shapes", SHAPES)
    blank = Golden(entry, settings, oracle, "", "", {}, given)
    gradients = ours.gradients(blank, INPUTS)
    if oracle.startswith("optax."):
        path = optax_path(lambda rate: make(rate, **theirs), gradients, ours.rates(blank), shapes)
    else:
        path = torch_path(lambda tensors, lr: make(tensors, lr=lr, **theirs), gradients, ours.rates(blank), shapes)
    called = shown(oracle, theirs)
    return golden(entry, settings, called, {"path": path}, given=given, note=note, tolerance=tolerance)

"""Golden trajectories of optimizers, from torch, optax and, where only they have it, other public codes.

Run in an environment that has them: `PYTHONPATH=tests:. python -m goldens.make_optimizers`. Gradients are random, their
scale changes from step to step and entry to entry, some are zero; the parameters are a vector, a square and a
non-square matrix, packed one behind the other, (fan_in, fan_out) row-major.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from goldens import ours
from goldens.records import Arrays, Golden, golden, save

SHAPES = ((5,), (4, 4), (3, 5))
RATE = 0.03


def inputs() -> Arrays:
    """Return theta (n,) and gradients (50, n), float64; the same ones on every call."""
    rng = np.random.default_rng(2026)
    count, steps = sum(int(np.prod(shape)) for shape in SHAPES), max(ours.STEPS)
    scale = 10.0 ** (rng.uniform(-3, 1, (steps, 1)) + rng.uniform(-2, 1, (1, count)))
    drawn = rng.normal(size=(steps, count)) * scale
    drawn[rng.random((steps, count)) < 0.15] = 0.0
    return {"theta": rng.normal(size=count), "gradients": drawn, "shapes": np.array(repr(SHAPES))}


INPUTS = inputs()


def split(packed: np.ndarray) -> list[np.ndarray]:
    """Return the tensors of a packed vector."""
    ends = np.cumsum([int(np.prod(shape)) for shape in SHAPES])[:-1]
    return [part.reshape(shape) for part, shape in zip(np.split(packed, ends), SHAPES, strict=True)]


def packed(tensors: Any) -> np.ndarray:
    """Return tensors one behind the other."""
    return np.concatenate([np.ravel(np.asarray(tensor)) for tensor in tensors])


def torch_path(make: Callable[..., Any], rates: list[float]) -> np.ndarray:
    """Return theta after the kept steps of a torch optimizer; make(parameters, lr)."""
    import torch

    tensors = [torch.nn.Parameter(torch.tensor(part)) for part in split(INPUTS["theta"])]
    made, path = make(tensors, rates[0]), []
    for g, rate in zip(INPUTS["gradients"], rates, strict=True):
        for tensor, part in zip(tensors, split(g), strict=True):
            tensor.grad = torch.tensor(part)
        for group in made.param_groups:
            group["lr"] = rate
        made.step()
        path.append(packed(tensor.detach().numpy() for tensor in tensors))
    return np.stack([path[step - 1] for step in ours.STEPS])


def optax_path(make: Callable[..., Any], rates: list[float]) -> np.ndarray:
    """Return theta after the kept steps of an optax transformation; make(schedule)."""
    import jax
    import jax.numpy as jnp
    import optax

    with jax.enable_x64(True):
        table = jnp.array([*rates, rates[-1]])
        made = make((lambda count: table[count]) if len(set(rates)) > 1 else rates[0])
        tensors = [jnp.array(part) for part in split(INPUTS["theta"])]
        state, path = made.init(tensors), []
        for g in INPUTS["gradients"]:
            updates, state = made.update([jnp.array(part) for part in split(g)], state, tensors)
            tensors = optax.apply_updates(tensors, updates)
            path.append(packed(tensors))
    return np.stack([path[step - 1] for step in ours.STEPS])


def found(name: str) -> Any:
    """Return what a dotted name stands for, the module imported."""
    module, _, attribute = name.rpartition(".")
    return getattr(importlib.import_module(module), attribute)


def case(entry: str, settings: dict[str, Any], oracle: str, theirs: dict[str, Any], **given: Any) -> Golden:
    """Return a case: ours at `settings` against the oracle at `theirs`; given: learning_rate, decay."""
    make = found(oracle)
    given = {"learning_rate": RATE} | given
    blank = Golden(entry, settings, oracle, "", "", {}, given)
    if oracle.startswith("optax."):
        path = optax_path(lambda rate: make(rate, **theirs), ours.rates(blank))
    else:
        path = torch_path(lambda tensors, lr: make(tensors, lr=lr, **theirs), ours.rates(blank))
    shown = ", ".join(f"{name}={value}" for name, value in theirs.items())
    return golden(entry, settings, f"{oracle}({shown})", {"path": path}, given=given)


def basic() -> Iterator[Golden]:
    """The rules of source.txt: sgd, momentum, nesterov, rmsprop, adam."""
    yield case("sgd", {}, "torch.optim.SGD", {})
    yield case("sgd", {}, "optax.sgd", {}, decay=0.1)
    for b in ({"momentum": 0.9}, {"momentum": 0.5}):
        yield case("momentum", b, "torch.optim.SGD", b)
        yield case("momentum", b, "optax.sgd", b, decay=0.1)
        yield case("nesterov", b, "torch.optim.SGD", {**b, "nesterov": True})
        yield case("nesterov", b, "optax.sgd", {**b, "nesterov": True}, decay=0.1)
    for rho, eps in ((0.9, 1e-8), (0.99, 1e-3)):
        yield case("rmsprop", {"rho": rho, **outside(eps)}, "torch.optim.RMSprop", {"alpha": rho, "eps": eps})
        yield case("rmsprop", {"rho": rho, **inside(eps)}, "optax.rmsprop", {"decay": rho, "eps": eps}, decay=0.1)
    for b, eps in BETAS:
        yield case("adam", {**b, **outside(eps)}, "torch.optim.Adam", {"betas": tuple(b.values()), "eps": eps})
        both = {**b, "eps": eps, "eps_root": eps}
        yield case("adam", both, "optax.adam", both, decay=0.1)


def outside(eps: float) -> dict[str, float]:
    """Return epsilon outside the root."""
    return {"eps": eps, "eps_root": 0.0}


def inside(eps: float) -> dict[str, float]:
    """Return epsilon inside the root."""
    return {"eps": 0.0, "eps_root": eps}


BETAS = [({"b1": 0.9, "b2": 0.999}, 1e-8), ({"b1": 0.5, "b2": 0.9}, 1e-3), ({"b1": 0.0, "b2": 0.99}, 1e-8)]


def make() -> Iterator[Golden]:
    """Compute every case afresh."""
    yield from basic()


if __name__ == "__main__":
    save("optimizers", make(), INPUTS)

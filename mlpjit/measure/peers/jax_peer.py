"""JAX: a run as one `jit` of `scan` over steps, data on the device, buffers donated; and its `vmap` over runs.

The last, smaller batch of an epoch has a step of its own behind the scan. Targets are one-hot: the gradient of picking
labels would be a scatter, which XLA runs slowly on a CPU.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from mlpjit.measure.peers.stopwatch import Once, Spent, clocked
from mlpjit.measure.peers.task import Task

ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "relu": jax.nn.relu, "tanh": jnp.tanh, "gelu": partial(jax.nn.gelu, approximate=False), "sigmoid": jax.nn.sigmoid,
}  # fmt: skip
tree = jax.tree_util


def logits(params: Any, x: Any, activation: str) -> Any:
    """Return the outputs (rows, classes) of [(w, b), ...]."""
    for w, b in params[:-1]:
        x = ACTIVATIONS[activation](x @ w + b)
    return x @ params[-1][0] + params[-1][1]


def cross_entropy(outputs: Any, y: Any) -> Any:
    """Mean over rows of -sum y log softmax."""
    return -(y * jax.nn.log_softmax(outputs)).sum(axis=1).mean()


def update(optimizer: str, rate: Any, params: Any, grads: Any, state: Any) -> tuple[Any, Any]:
    """Return parameters and state after one step. state: (count, slot, ...), each slot like the parameters."""
    count, slots = state[0] + 1, state[1:]
    if optimizer == "adam":
        mu = tree.tree_map(lambda m, g: 0.9 * m + 0.1 * g, slots[0], grads)
        nu = tree.tree_map(lambda v, g: 0.999 * v + 0.001 * g * g, slots[1], grads)
        first, second = 1 - 0.9**count, 1 - 0.999**count
        params = tree.tree_map(lambda p, m, v: p - rate * (m / first) / (jnp.sqrt(v / second) + 1e-8), params, mu, nu)
        return params, (count, mu, nu)
    if optimizer == "rmsprop":
        nu = tree.tree_map(lambda v, g: 0.9 * v + 0.1 * g * g, slots[0], grads)
        return tree.tree_map(lambda p, v, g: p - rate * g / (jnp.sqrt(v) + 1e-8), params, nu, grads), (count, nu)
    if optimizer == "adagrad":
        total = tree.tree_map(lambda s, g: s + g * g, slots[0], grads)
        return tree.tree_map(lambda p, s, g: p - rate * g / (jnp.sqrt(s) + 1e-10), params, total, grads), (count, total)
    if optimizer == "momentum":
        kept = tree.tree_map(lambda u, g: 0.9 * u + g, slots[0], grads)
        return tree.tree_map(lambda p, u: p - rate * u, params, kept), (count, kept)
    return tree.tree_map(lambda p, g: p - rate * g, params, grads), (count,)


SLOTS = {"sgd": 0, "momentum": 1, "adagrad": 1, "rmsprop": 1, "adam": 2}


def first_state(optimizer: str, params: Any) -> Any:
    """Return the state before step 1."""
    return (jnp.zeros((), jnp.float32), *(tree.tree_map(jnp.zeros_like, params) for _ in range(SLOTS[optimizer])))


def epoch_of(activation: str, optimizer: str, batch: int, inside: bool = True, unroll: int = 1) -> Any:
    """Return epoch(rate, x, y, params, state, order) -> params, state, mean loss.

    inside: batches are gathered within the scan, not all at once before it. unroll: steps in one turn of the loop.
    """

    def step(rate: Any, params: Any, state: Any, x: Any, y: Any) -> tuple[Any, Any, Any]:
        def loss(p: Any) -> Any:
            return cross_entropy(logits(p, x, activation), y)

        value, grads = jax.value_and_grad(loss)(params)
        return *update(optimizer, rate, params, grads, state), value

    def epoch(rate: Any, x: Any, y: Any, params: Any, state: Any, order: Any) -> tuple[Any, Any, Any]:
        whole = len(order) // batch * batch
        total = jnp.zeros((), jnp.float32)
        if whole:
            rows = order[:whole].reshape(-1, batch)

            def body(carry: Any, given: Any) -> tuple[Any, None]:
                params, state, total = carry
                one = (x[given], y[given]) if inside else given
                params, state, value = step(rate, params, state, *one)
                return (params, state, total + value * batch), None

            given = rows if inside else (x[rows], y[rows])
            (params, state, total), _ = lax.scan(body, (params, state, total), given, unroll=unroll)
        if whole < len(order):
            rows = order[whole:]
            params, state, value = step(rate, params, state, x[rows], y[rows])
            total = total + value * len(rows)
        return params, state, total / len(order)

    return epoch


# Tried and left out: parameters as one vector (5 to 300 % slower), labels instead of one-hot targets.
WAYS = {
    "gathered in the scan": (True, 1), "gathered before the scan": (False, 1), "unrolled 4 times": (True, 4),
}  # fmt: skip


def alone(task: Task) -> dict[str, Callable[[], Once]]:
    """Return the ways of running the first run of a task: name -> a function that compiles it."""
    return {name: partial(_alone, task, *way) for name, way in WAYS.items()}


def together(task: Task) -> dict[str, Callable[[], Once]]:
    """Return the ways of running all runs of a task under `vmap`."""
    return {name: partial(_together, task, *way) for name, way in WAYS.items() if way[1] == 1}


def _program(task: Task, inside: bool, unroll: int) -> Any:
    """Return run(x, y, params, state, order) -> params, state, losses (epochs,)."""
    cell = task.cell
    epoch = epoch_of(cell.activation, cell.optimizer, cell.batch, inside, unroll)

    def run(x: Any, y: Any, params: Any, state: Any, order: Any) -> tuple[Any, Any, Any]:
        def body(carry: Any, rows: Any) -> tuple[Any, Any]:
            params, state, loss = epoch(task.learning_rate, x, y, *carry, rows)
            return (params, state), loss

        (params, state), losses = lax.scan(body, (params, state), order)
        return params, state, losses

    return run


def _alone(task: Task, inside: bool, unroll: int) -> Once:
    first = [(w[0], b[0]) for w, b in zip(task.weights, task.biases, strict=True)]

    def begin() -> Any:
        params = tree.tree_map(jnp.array, first)
        return params, first_state(task.cell.optimizer, params)

    return _compiled(task, _program(task, inside, unroll), begin, task.order[0])


def _together(task: Task, inside: bool, unroll: int) -> Once:
    runs = len(task.order)

    def begin() -> Any:
        params = [(jnp.array(w), jnp.array(b)) for w, b in zip(task.weights, task.biases, strict=True)]
        _, *slots = first_state(task.cell.optimizer, params)
        return params, (jnp.zeros(runs, jnp.float32), *slots)

    run = jax.vmap(_program(task, inside, unroll), in_axes=(None, None, 0, 0, 0))
    return _compiled(task, run, begin, task.order)


def _compiled(task: Task, run: Any, begin: Callable[[], Any], order: np.ndarray) -> Once:
    given = jnp.asarray(task.x), jnp.asarray(task.y)
    visits = jnp.asarray(order)
    call = jax.jit(run, donate_argnums=(2, 3)).lower(*given, *begin(), visits).compile()

    def once() -> tuple[Spent, list[float]]:
        state = jax.block_until_ready(begin())
        spent, (*_, losses) = clocked(lambda: jax.block_until_ready(call(*given, *state, visits)))
        return spent, [float(v) for v in np.atleast_2d(np.asarray(losses, np.float64))[0]]

    return once

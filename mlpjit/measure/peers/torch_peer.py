"""PyTorch: eager, `torch.compile` of the whole step, and many runs at once as batched products."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch.nn import functional

from mlpjit.measure.peers.stopwatch import Once, Spent, clocked
from mlpjit.measure.peers.task import Task

torch.set_num_threads(1)
torch.set_flush_denormal(True)  # as XLA does; subnormal numbers are slow
ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "relu": torch.relu, "tanh": torch.tanh, "gelu": functional.gelu, "sigmoid": torch.sigmoid,
}  # fmt: skip
# Name -> arguments of PyTorch's optimizer, and whether all parameters are views of one buffer, one tensor to it.
EAGER: dict[str, tuple[dict[str, bool], bool]] = {
    "fused": ({"fused": True}, False), "one buffer, fused": ({"fused": True}, True),
    "foreach": ({"foreach": True}, False),
}  # fmt: skip


def optimizer(name: str, params: list[Any], rate: float, **how: bool) -> torch.optim.Optimizer:
    """Return PyTorch's own optimizer; how: fused or foreach."""
    if name == "adam":
        return torch.optim.Adam(params, lr=rate, eps=1e-8, **how)
    if name == "rmsprop":
        return torch.optim.RMSprop(params, lr=rate, alpha=0.9, eps=1e-8, **how)
    return torch.optim.SGD(params, lr=rate, momentum=0.9 if name == "momentum" else 0.0, **how)


def logits(params: list[Any], x: Any, activation: str) -> Any:
    """Return the outputs (rows, classes); params: w (fan_out, fan_in), b, w, b, ..."""
    f = ACTIVATIONS[activation]
    for i in range(0, len(params) - 2, 2):
        x = f(functional.linear(x, params[i], params[i + 1]))
    return functional.linear(x, params[-2], params[-1])


def one_buffer(tensors: list[Any]) -> tuple[list[Any], list[Any]]:
    """Return views of one buffer with gradients that are views of another, and the buffer for the optimizer."""
    whole = torch.cat([t.reshape(-1) for t in tensors])
    whole.grad = torch.zeros_like(whole)
    views, at = [], 0
    for tensor in tensors:
        view = whole[at : at + tensor.numel()].view(tensor.shape).requires_grad_()
        view.grad = whole.grad[at : at + tensor.numel()].view(tensor.shape)
        views.append(view)
        at += tensor.numel()
    return views, [whole]


def eager(task: Task) -> dict[str, Callable[[], Once]]:
    """Return the ways of running the first run of a task eagerly."""
    return {name: partial(_eager, task, *way) for name, way in EAGER.items()}


def compiled(task: Task) -> dict[str, Callable[[], Once]]:
    """Return the way of running the first run with the whole step in `torch.compile`, which needs a C++ compiler.

    Tried and left out: a compiled step that holds a torch.optim optimizer compiles anew and is ten times slower.
    """
    return {"functional step": partial(_functional, task)}


def ensemble(task: Task) -> dict[str, Callable[[], Once]]:
    """Return the way of running all of a task's runs at once: parameters (runs, ...), products with baddbmm."""
    return {"baddbmm, fused": partial(_ensemble, task)}


def _eager(task: Task, how: dict[str, bool], flat: bool) -> Once:
    x, labels, orders = _data(task)
    activation = task.cell.activation

    def begin() -> tuple[list[Any], Any]:
        first = _first(task)
        params, updated = one_buffer(first) if flat else (first, [p.requires_grad_() for p in first])
        return params, optimizer(task.cell.optimizer, updated, task.learning_rate, **how)

    def step(state: Any, rows: Any, at: int) -> Any:
        params, stepper = state
        outputs = logits(params, x.index_select(0, rows), activation)
        value = functional.cross_entropy(outputs, labels.index_select(0, rows))
        value.backward()
        stepper.step()
        stepper.zero_grad(set_to_none=not flat)
        return value.detach() * len(rows)

    return _timed(begin, step, orders[0], task.cell.batch)


def _functional(task: Task) -> Once:
    """Gradients by torch.func, the update written out on tensors that are changed in place: one graph."""
    torch.compiler.reset()  # else graphs of cells before this one count against the limit of recompilations
    x, labels, orders = _data(task)
    cell, scalars = task.cell, _scalars(task)

    def loss(params: list[Any], x: Any, labels: Any) -> Any:
        return functional.cross_entropy(logits(params, x, cell.activation), labels)

    @torch.compile(fullgraph=True, dynamic=False)
    @torch.no_grad()
    def step(params: list[Any], mu: list[Any], nu: list[Any], scalars: Any, x: Any, labels: Any, rows: Any) -> Any:
        grads, value = torch.func.grad_and_value(loss)(params, x.index_select(0, rows), labels.index_select(0, rows))
        for i, (p, g) in enumerate(zip(params, grads, strict=True)):
            if cell.optimizer == "adam":
                mu[i].lerp_(g, 0.1)
                nu[i].mul_(0.999).addcmul_(g, g, value=0.001)
                p.sub_(scalars[0] * mu[i] / ((nu[i] * scalars[1]).sqrt() + 1e-8))
            else:
                p.sub_(scalars[0] * g)
        return value * len(rows)

    def begin() -> tuple[list[Any], list[Any], list[Any]]:
        params = _first(task)
        return params, [torch.zeros_like(p) for p in params], [torch.zeros_like(p) for p in params]

    return _timed(begin, lambda state, rows, at: step(*state, scalars[at], x, labels, rows), orders[0], cell.batch)


def _scalars(task: Task) -> tuple[Any, ...]:
    """Return the rate over the first, and one over the second bias correction of each step."""
    rate, adam = task.learning_rate, task.cell.optimizer == "adam"
    numbers = [[rate / (1 - 0.9**t), 1 / (1 - 0.999**t)] if adam else [rate, 0.0] for t in range(1, task.steps + 1)]
    return torch.tensor(numbers).unbind()


def _ensemble(task: Task) -> Once:
    x, labels, orders = _data(task)
    runs, f = len(orders), ACTIVATIONS[task.cell.activation]

    def begin() -> tuple[list[Any], Any]:
        pairs = zip(task.weights, task.biases, strict=True)
        params = [torch.from_numpy(t.copy()).requires_grad_() for w, b in pairs for t in (w, b[:, None, :])]
        return params, optimizer(task.cell.optimizer, params, task.learning_rate, fused=True)

    def step(state: Any, rows: Any, at: int) -> Any:
        params, stepper = state
        chosen = rows.reshape(-1)
        a = x.index_select(0, chosen).view(runs, -1, x.shape[1])
        for i in range(0, len(params) - 2, 2):
            a = f(torch.baddbmm(params[i + 1], a, params[i]))
        outputs = torch.baddbmm(params[-1], a, params[-2]).flatten(0, 1)
        each = functional.cross_entropy(outputs, labels.index_select(0, chosen), reduction="none").view(runs, -1)
        each.mean(dim=1).sum().backward()
        stepper.step()
        stepper.zero_grad(set_to_none=True)
        return each.detach()[0].sum()

    return _timed(begin, step, orders.transpose(0, 1), task.cell.batch)


def _data(task: Task) -> tuple[Any, Any, Any]:
    """Return inputs, labels and the orders of all runs."""
    return torch.from_numpy(task.x.copy()), torch.from_numpy(task.y.argmax(axis=1)), torch.from_numpy(task.order)


def _first(task: Task) -> list[Any]:
    """Return w and b of each layer of the first run as torch keeps them: (fan_out, fan_in)."""
    pairs = zip(task.weights, task.biases, strict=True)
    return [torch.from_numpy(tensor) for w, b in pairs for tensor in (w[0].T.copy(), b[0].copy())]


def _timed(begin: Callable[[], Any], step: Callable[[Any, Any, int], Any], order: Any, batch: int) -> Once:
    """Return a run of all epochs; step(state, rows, step's number from 0) returns the batch's summed loss."""
    samples = order.shape[-1]

    def once() -> tuple[Spent, list[float]]:
        state = begin()

        def train() -> list[Any]:
            losses, at = [], 0
            for epoch in order:
                total = torch.zeros(())
                for rows in epoch.split(batch, dim=-1):
                    total += step(state, rows, at)
                    at += 1
                losses.append(total)
            return losses

        spent, losses = clocked(train)
        return spent, [float(v) / samples for v in losses]

    return once

"""A part of the reference sweep in PyTorch, eager: `python -m bench.evidence.torch_sweep IN OUT PART PARTS`."""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from bench.evidence import sweep_task
from bench.evidence.sweep_task import BATCH, LANES, MEASURES, Program
from mlpjit.measure.peers.torch_peer import logits, one_buffer, optimizer

# The update of all parameters as one tensor; the fastest of its own forms for each optimizer.
FASTEST: dict[str, dict[str, bool]] = {
    "sgd": {"fused": True}, "momentum": {"fused": True}, "rmsprop": {"foreach": True}, "adam": {"fused": True},
}  # fmt: skip


def train(program: Program, data: list[Any], rate: float, weights: list[np.ndarray], order: Any) -> list[Any]:
    """Return the MEASURES of one run; it ends at the first epoch whose loss is not finite."""
    x, labels, x_validation, validation, x_test, test = data
    activation = program.activation
    tensors = [t for w in weights for t in (torch.from_numpy(w.T.copy()), torch.zeros(w.shape[1]))]
    params, updated = one_buffer(tensors)
    stepper = optimizer(program.optimizer, updated, rate, **FASTEST[program.optimizer])
    curves = []
    for rows in order:
        total = torch.zeros(())
        for batch in rows.split(BATCH):
            outputs = logits(params, x.index_select(0, batch), activation)
            value = functional.cross_entropy(outputs, labels.index_select(0, batch))
            value.backward()
            stepper.step()
            stepper.zero_grad(set_to_none=False)
            total += value.detach() * len(batch)
        curves.append((float(total) / len(x), *_score(params, x_validation, validation, activation)))
        if not math.isfinite(curves[-1][0]):
            break
    lost = [(math.nan,) * 3] * (len(order) - len(curves))
    return [*np.array(curves + lost).T, *_score(params, x_test, test, activation)]


@torch.no_grad()
def _score(params: list[Any], x: Any, labels: Any, activation: str) -> tuple[float, float]:
    outputs = logits(params, x, activation)
    right = (outputs.argmax(dim=1) == labels).float().mean()
    return float(functional.cross_entropy(outputs, labels)), float(right)


def main(inputs_path: str, out: str, part: str, parts: str) -> None:
    """Train every run of this part, one behind the other, and write its measures as NPZ."""
    inputs = np.load(inputs_path)
    given = {name: inputs[name] for name in sweep_task.PARTS}
    data = [torch.from_numpy(a if name.startswith("x") else a.argmax(axis=1)) for name, a in given.items()]
    order = torch.from_numpy(inputs["order"])
    found = {}
    for program in sweep_task.programs(int(part), int(parts)):
        weights = sweep_task.first_weights(inputs, program.depth)
        runs = []
        for init, rate, seed in LANES:
            first = [w[sweep_task.INITS.index(init), sweep_task.SEEDS.index(seed)] for w in weights]
            runs.append(train(program, data, rate, first, order[sweep_task.SEEDS.index(seed)]))
        for name, *values in zip(MEASURES, *runs, strict=True):
            found[f"{program.key}-{name}"] = np.array(values)
    np.savez(out, **found)  # type: ignore[arg-type]


if __name__ == "__main__":
    main(*sys.argv[1:5])

"""Golden residual connections, dropout and learned activations: whole networks in torch.

Run in an environment that has it: `PYTHONPATH=tests:. python -m goldens.make_residuals`. The masks of dropout are ours,
stored with the cases; what they do is torch's.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from goldens.make_normalizations import module
from goldens.records import Golden, golden, save
from goldens.torch_networks import INPUTS, ROWS, SHAPES, After, Layer, Reader, plain, values

import mlpjit as mj

SIZES, RATE, SEED, STEP = SHAPES[1], 0.3, 5, 7
MASKS = mj.Network(SIZES, dropout=RATE, dtype="float64").masks(ROWS, SEED, STEP)
SHARED = INPUTS | {f"mask_{layer}": mask for layer, mask in enumerate(MASKS)}


def hidden(residual: str, activation: str, dropout: float) -> After:
    """Return sigma(z) as torch.tanh or torch.nn.PReLU, with dropout and a skip where the widths agree."""
    import torch

    def sigma(z: Any, rest: Reader, layer: int) -> Any:
        if activation == "tanh":
            found = torch.tanh(z)
        else:
            made = torch.nn.PReLU(z.shape[1], dtype=torch.float64)
            found = torch.func.functional_call(made, {"weight": rest.take(z.shape[1])}, (z,))
        return found * torch.tensor(SHARED[f"mask_{layer}"]) if dropout else found

    def after(z: Any, below: Any, rest: Reader, layer: int) -> Any:
        if residual == "none" or layer == 0 or z.shape != below.shape:
            return sigma(z, rest, layer)
        return sigma(z + below, rest, layer) if residual == "post" else below + sigma(z, rest, layer)

    return after


def make() -> Iterator[Golden]:
    """Compute every case afresh."""
    import torch.nn as nn

    layers: dict[str, Layer] = {"none": plain, "batch": module(nn.BatchNorm1d), "layer": module(nn.LayerNorm)}
    for residual in ("none", "post", "pre"):
        for activation, name in (("tanh", "torch.tanh"), ("prelu", "torch.nn.PReLU")):
            for normalization, layer in layers.items():
                for dropout in (0.0, RATE):
                    options = {"activation": activation, "normalization": normalization, "dropout": dropout}
                    arrays = values(SIZES, layer, hidden(residual, activation, dropout))
                    if dropout:
                        del arrays["outputs"]  # evaluation has none
                    given = {"sizes": SIZES, "seed": SEED, "step": STEP, "options": options}
                    note = "with batch or layer normalization or none, with and without dropout"
                    yield golden(residual, {}, f"{name}, torch.nn.Linear", arrays, given=given, note=note)


if __name__ == "__main__":
    save("residuals", make(), SHARED)

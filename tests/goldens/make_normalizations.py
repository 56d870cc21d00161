"""Golden normalizations: outputs, loss, all gradients and a Hessian-vector product of whole networks, from torch.

Run in an environment that has it: `PYTHONPATH=tests:. python -m goldens.make_normalizations`. Two hidden tanh networks;
the second has three layers of equal width and one of a single unit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from goldens.records import Golden, golden, save
from goldens.torch_networks import INPUTS, SHAPES, Layer, Reader, plain, values

EPS = 1e-5


def module(make: Callable[[int], Any], shift: bool = False) -> Layer:
    """Return a layer normalized by a torch module, whose own weight and bias are read from the packed array."""
    import torch

    def layer(w: Any, b: Any, rest: Reader, a: Any) -> Any:
        width = len(b)
        made, own = make(width).double(), {"weight": rest.take(width), "bias": rest.take(width)}
        beta = own.pop("bias") if shift else 0.0
        return torch.func.functional_call(made, own, (plain(w, b, rest, a),)) + beta

    return layer


def normalized_weights(w: Any, b: Any, rest: Reader, a: Any) -> Any:
    """torch.nn.utils.parametrizations.weight_norm of torch.nn.Linear."""
    import torch

    made = torch.nn.utils.parametrizations.weight_norm(torch.nn.Linear(*w.shape, dtype=torch.float64), dim=0)
    own = {
        "parametrizations.weight.original0": rest.take(len(b), 1), "parametrizations.weight.original1": w.T, "bias": b
    }  # fmt: skip
    return torch.func.functional_call(made, own, (a,))


def unfused_weights(w: Any, b: Any, rest: Reader, a: Any) -> Any:
    """The same by torch's own steps; of the fused one its second derivative is wrong, by up to 2.5 here."""
    import torch

    made = torch._weight_norm(w[:, :, None], rest.take(1, len(b), 1), 1)
    return plain(made[:, :, 0], b, rest, a)


def make() -> Iterator[Golden]:
    """Compute every case afresh."""
    import torch.nn as nn

    fused = "the product by its unfused form: the fused one's second derivative is wrong"
    cases: dict[str, tuple[str, Layer, str]] = {
        "none": ("torch.nn.Linear", plain, ""),
        "batch": ("torch.nn.BatchNorm1d", module(nn.BatchNorm1d), "in training"),
        "layer": ("torch.nn.LayerNorm", module(nn.LayerNorm), ""),
        "rms": ("torch.nn.RMSNorm", module(lambda n: nn.RMSNorm(n, eps=EPS), True), "with beta added behind it"),
        "weight": ("torch.nn.utils.parametrizations.weight_norm", normalized_weights, fused),
    }  # fmt: skip
    for entry, (oracle, layer, note) in cases.items():
        twice = unfused_weights if entry == "weight" else None
        for sizes in SHAPES:
            yield golden(entry, {}, oracle, values(sizes, layer, twice=twice), given={"sizes": sizes}, note=note)


if __name__ == "__main__":
    save("normalizations", make(), INPUTS)

"""Golden activations: f, f' and f'' from torch, jax.nn and, where only they have it, other public codes.

Run in an environment that has them: `PYTHONPATH=tests:. python -m goldens.make_activations`. Derivatives are their own,
or made by their automatic differentiation. Where f has a kink the slope chosen there is a convention: ours is torch's,
so the points with a kink are compared with torch, and with torch alone.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from goldens.records import Arrays, Golden, golden, save

KINKS = np.array([-3.0, -1.0, 0.0, 1.0, 3.0, 6.0])
INPUTS = {"z": np.concatenate([np.linspace(-9.95, 9.95, 60), [-60.0, -25.0, 25.0, 60.0]]), "kinks": KINKS}
Function = Callable[[Any], Any]


def torch_values(f: Function) -> Arrays:
    """Return f, f', f'' on z, and f, f' at the kinks, by torch's own backward functions."""
    import torch

    def at(points: np.ndarray) -> list[np.ndarray]:
        z = torch.tensor(points, requires_grad=True)
        value = f(z)
        (slope,) = torch.autograd.grad(value.sum(), z, create_graph=True)
        bend = _torch_bend(slope, z)
        return [value.detach().numpy(), slope.detach().numpy(), bend]

    value, slope, bend = at(INPUTS["z"])
    return {"f": value, "df": slope, "d2f": bend, "kinks": np.stack(at(KINKS)[:2])}


def _torch_bend(slope: Any, z: Any) -> np.ndarray:
    """Return f''; zeros where the slope does not depend on z, NaN where torch cannot differentiate twice."""
    import torch

    try:
        (bend,) = torch.autograd.grad(slope.sum(), z, allow_unused=True)
    except RuntimeError:
        return np.zeros(z.shape) if not slope.requires_grad else np.full(z.shape, np.nan)
    return np.zeros(z.shape) if bend is None else bend.numpy()


def jax_values(f: Function) -> Arrays:
    """Return f, f', f'' on z, in float64."""
    import jax

    with jax.enable_x64(True):
        z = jax.numpy.array(INPUTS["z"])
        found = [jax.vmap(each)(z) for each in (f, jax.grad(f), jax.grad(jax.grad(f)))]
        return dict(zip(("f", "df", "d2f"), map(np.asarray, found), strict=True))


def case(entry: str, oracle: str, arrays: Arrays, settings: dict[str, float] | None = None, **rest: Any) -> Golden:
    """Return a case; what an oracle cannot compute (NaN) is left out."""
    known = {name: values for name, values in arrays.items() if not np.isnan(values).any()}
    return golden(entry, settings or {}, oracle, known, **rest)


# torch replaces softplus by z beyond a threshold, 20 unless one is given.
TORCH: dict[str, tuple[str, dict[str, Any]]] = {
    "identity": ("nn.Identity", {}), "sigmoid": ("sigmoid", {}), "tanh": ("tanh", {}),
    "relu": ("nn.functional.relu", {}), "leaky_relu": ("nn.functional.leaky_relu", {"negative_slope": 0.01}),
    "elu": ("nn.functional.elu", {}), "gelu": ("nn.functional.gelu", {}),
    "gelu_tanh": ("nn.functional.gelu", {"approximate": "tanh"}), "selu": ("nn.functional.selu", {}),
    "celu": ("nn.functional.celu", {}), "silu": ("nn.functional.silu", {}), "mish": ("nn.functional.mish", {}),
    "softplus": ("nn.functional.softplus", {"threshold": 700.0}), "softsign": ("nn.functional.softsign", {}),
    "hard_sigmoid": ("nn.functional.hardsigmoid", {}), "hard_tanh": ("nn.functional.hardtanh", {}),
    "hard_swish": ("nn.functional.hardswish", {}), "relu6": ("nn.functional.relu6", {}), "sine": ("sin", {}),
    "erf": ("erf", {}),
}  # fmt: skip
JAX: dict[str, tuple[str, dict[str, Any]]] = {
    "identity": ("nn.identity", {}), "sigmoid": ("nn.sigmoid", {}), "tanh": ("nn.tanh", {}), "relu": ("nn.relu", {}),
    "leaky_relu": ("nn.leaky_relu", {}), "elu": ("nn.elu", {}), "gelu": ("nn.gelu", {"approximate": False}),
    "gelu_tanh": ("nn.gelu", {"approximate": True}), "selu": ("nn.selu", {}), "celu": ("nn.celu", {}),
    "silu": ("nn.silu", {}), "mish": ("nn.mish", {}), "softplus": ("nn.softplus", {}),
    "softsign": ("nn.soft_sign", {}), "hard_sigmoid": ("nn.hard_sigmoid", {}), "hard_tanh": ("nn.hard_tanh", {}),
    "hard_swish": ("nn.hard_swish", {}), "relu6": ("nn.relu6", {}), "sine": ("numpy.sin", {}),
    "erf": ("scipy.special.erf", {}),
}  # fmt: skip
# Entry, parameter, value, what they call it.
VARIED = (
    ("leaky_relu", "slope", 0.3, "negative_slope"), ("elu", "alpha", 0.7, "alpha"), ("celu", "alpha", 2.0, "alpha"),
)  # fmt: skip
LOOSE = {
    "hard_sigmoid": {"tolerance": 1e-8, "note": "torch holds its slope of 1/6 in single precision"},
}


def found(root: Any, path: str) -> Any:
    """Return root.a.b for the path a.b."""
    for name in path.split("."):
        root = getattr(root, name)
    return root


def shown(path: str, given: dict[str, Any]) -> str:
    """Return the name of a call, with what it was given."""
    return f"{path}({', '.join(f'{name}={value}' for name, value in given.items())})"


def others() -> Iterator[Golden]:
    """What torch and jax lack, from packages built on torch."""
    import torch
    from snake.activations import Snake

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # one of its modules draws plots
        from torch_activation.classical.relu import SquaredReLU
        from torch_activation.classical.sigmoid import STanh
    for a in (1.0, 0.5):
        torch.set_default_dtype(torch.float64)
        wave = Snake(1, a=a, trainable=False)
        torch.set_default_dtype(torch.float32)
        values = torch_values(lambda z, wave=wave: wave(z[:, None])[:, 0])
        settings = {} if a == 1.0 else {"frequency": a}
        yield case("snake", f"snake.activations.Snake(a={a})", values, settings, package="torch-snake")
    torch.set_default_dtype(torch.float64)  # in which it keeps its two numbers
    scaled = STanh(a=1.7159, b=2 / 3)
    torch.set_default_dtype(torch.float32)
    for entry, function, name in (
        ("relu_squared", SquaredReLU(), "relu.SquaredReLU()"),
        ("lecun_tanh", scaled, "sigmoid.STanh(a=1.7159, b=2/3)"),
    ):
        values = torch_values(function)
        yield case(entry, f"torch_activation.classical.{name}", values, package="torch-activation")


def prelu(alpha: float) -> Function:
    """Return torch.nn.functional.prelu with one slope."""
    import torch

    return lambda z: torch.nn.functional.prelu(z, torch.tensor([alpha], dtype=torch.float64))


def make() -> Iterator[Golden]:
    """Compute every case afresh."""
    import jax
    import jax.scipy.special
    import torch

    for entry, (path, given) in TORCH.items():
        function = torch.nn.Identity() if path == "nn.Identity" else partial(found(torch, path), **given)
        yield case(entry, shown(f"torch.{path}", given), torch_values(function), **LOOSE.get(entry, {}))
    for entry, (path, given) in JAX.items():
        yield case(entry, shown(f"jax.{path}", given), jax_values(partial(found(jax, path), **given)))
    for entry, parameter, value, theirs in VARIED:
        for root, values_of, path in ((torch, torch_values, TORCH[entry][0]), (jax, jax_values, JAX[entry][0])):
            values = values_of(partial(found(root, path), **{theirs: value}))
            full = shown(f"{root.__name__}.{path}", {theirs: value})
            yield case(entry, full, values, {parameter: value})
    for alpha in (0.25, 0.7):
        settings = {} if alpha == 0.25 else {"alpha": alpha}
        note = "its learning is proven with whole networks (residuals)"
        values = torch_values(prelu(alpha))
        yield case("prelu", f"torch.nn.functional.prelu({alpha})", values, settings, note=note)
    yield from others()


if __name__ == "__main__":
    save("activations", make(), INPUTS)

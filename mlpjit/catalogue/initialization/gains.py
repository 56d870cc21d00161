"""How large the weights of a layer are to be, by its size and by the activation that it reads."""

from __future__ import annotations

from mlpjit.catalogue.initialization.draws import Draw
from mlpjit.catalogue.initialization.mean_field import moments
from mlpjit.errors import ConfigError

# Squared gains of torch.nn.init.calculate_gain (PyTorch 2.13).
TORCH_GAINS = {
    "identity": 1.0, "sigmoid": 1.0, "tanh": 25.0 / 9.0, "relu": 2.0, "leaky_relu": 2.0 / (1.0 + 0.01**2),
    "selu": 0.5625,
}  # fmt: skip


def fan(draw: Draw, mode: str) -> float:
    """Return fan_in, fan_out, or their mean for "average"."""
    return {"fan_in": draw.fan_in, "fan_out": draw.fan_out}.get(mode, 0.5 * (draw.fan_in + draw.fan_out))


def squared_gain(draw: Draw, gain: float | str) -> float:
    """Return the square of a gain, a number or a name, for the activation f that the layer reads.

    "relu": 2, whatever f is. "activation": 1 / E f(z)^2, z ~ N(0, 1), with which pre-activations of variance 1 keep it
    (mode fan_in). "slope": 1 / E f'(z)^2, with which gradients keep theirs (fan_out). "torch": PyTorch's table.
    The first layer reads data: f is the identity, and all but "relu" give 1.
    """
    if gain == "relu":
        return 2.0
    if isinstance(gain, str) and draw.reads == "identity":
        return 1.0
    if gain == "torch":
        if draw.reads not in TORCH_GAINS:
            known = ", ".join(TORCH_GAINS)
            raise ConfigError(f"init: PyTorch has no gain for activation {draw.reads!r} (known: {known})")
        return TORCH_GAINS[draw.reads]
    if isinstance(gain, str):
        found = moments(draw.response)
        return 1.0 / (found.second if gain == "activation" else found.slope)
    return gain * gain

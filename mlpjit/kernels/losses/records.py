"""What a loss is, its C signatures, the registry, and the loops of losses that treat each output alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mlpjit.kernels.rules import (
    Float64,
    Float64s,
    Function,
    Int,
    Kernel,
    Primitive,
    Real,
    Reals,
    Rule,
    device,
    float64,
    kernel,
    load,
    offset,
    pointer,
    store,
)
from mlpjit.limits import Limits
from mlpjit.registry import Registry

unpack = Primitive("unpack")
rounded = Primitive("rounded")


@dataclass(frozen=True, eq=False)
class Loss(Rule):
    """A loss: a rule (output, target, *settings) -> (value, slope, bend), or two kernels of its own over whole rows.

    `logits`: it holds the output's function itself, so the output activation must be the identity. `classes`: it
    compares with classes and needs a classification task.
    """

    kernel: Kernel | None = None
    tangent: Kernel | None = None
    logits: bool = False
    classes: bool = False


losses: Registry[Loss] = Registry("loss")


def pointwise(
    formula: str, citation: str, *, logits: bool = False, classes: bool = False,
    limits: dict[str, Limits] | None = None, **defaults: float,
) -> Callable[[Function], Loss]:  # fmt: skip
    """Register a rule for one output. Its value may be float64, where float32 would lose a square."""

    def register(function: Function) -> Loss:
        name = function.__name__
        made = Loss(
            name, device(function), formula, citation, defaults, limits=limits or {}, logits=logits, classes=classes
        )
        return losses.register(made)

    return register


@pointer
def call_loss(
    rows: Int, outputs: Int, predicted: Reals, stride: Int, targets: Reals, settings: Float64s, scale: Real
) -> Float64:  # fmt: skip
    """Return the sum of the rows' losses; `predicted` becomes `scale` times its gradient.

    What pads the rows of `predicted` may be overwritten. settings: the loss's parameters, in their order.
    """


@pointer
def call_loss_tangent(
    rows: Int, outputs: Int, predicted: Reals, moved: Reals, stride: Int, targets: Reals, settings: Float64s,
    scratch: Reals, scale: Real,
) -> None:  # fmt: skip
    """`moved`, R of the outputs, becomes R of `call_loss`'s gradient. Reads `predicted` as it was before that call.

    scratch: `outputs` numbers.
    """


@kernel
def pointwise_loop(
    rows: Int, outputs: Int, predicted: Reals, stride: Int, targets: Reals, settings: Float64s, scale: Real
) -> Float64:  # fmt: skip
    """The body of `call_loss` for one rule; `rule` and SETTINGS are filled in when it is compiled."""
    values = rounded(predicted, unpack(settings, SETTINGS))  # noqa: F821
    total = 0.0
    for i in range(rows):
        row, wanted = offset(predicted, i * stride), offset(targets, i * outputs)
        for j in range(outputs):
            value, slope, _ = rule(load(row, j), load(wanted, j), *values)  # noqa: F821
            total += float64(value)
            store(row, j, slope * scale)
    return float64(total)


@kernel
def pointwise_tangent_loop(
    rows: Int, outputs: Int, predicted: Reals, moved: Reals, stride: Int, targets: Reals, settings: Float64s,
    scratch: Reals, scale: Real,
) -> None:  # fmt: skip
    """The body of `call_loss_tangent` for one rule: R g = bend R yhat / n."""
    values = rounded(predicted, unpack(settings, SETTINGS))  # noqa: F821
    for i in range(rows):
        z, row, wanted = offset(predicted, i * stride), offset(moved, i * stride), offset(targets, i * outputs)
        for j in range(outputs):
            _, _, bend = rule(load(z, j), load(wanted, j), *values)  # noqa: F821
            store(row, j, bend * load(row, j) * scale)


def parts(record: Loss, tangent: bool = False) -> tuple[Kernel, dict[str, Any]]:
    """Return the kernel of a loss, or of its tangent, and the names it is linked with."""
    own = record.tangent if tangent else record.kernel
    if own is not None:
        return own, {}
    loop = pointwise_tangent_loop if tangent else pointwise_loop
    return loop, {"rule": record.function, "SETTINGS": len(record.defaults)}

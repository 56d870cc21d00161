"""What a loss is, its C signatures, the registry, and the loops of losses that treat each output alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mlpjit.bounds import Limits
from mlpjit.kernels.arithmetic.matmul import LANES
from mlpjit.kernels.entries import Rule
from mlpjit.kernels.language import (
    Float64,
    Float64s,
    Function,
    Int,
    Kernel,
    Primitive,
    Real,
    Reals,
    device,
    float64,
    kernel,
    load,
    offset,
    pointer,
    real,
    store,
)
from mlpjit.registry import Registry

unpack = Primitive("unpack")
rounded = Primitive("rounded")
keep_loops = Primitive("keep_loops")
buffer, buffer64 = Primitive("buffer"), Primitive("buffer64")
BLOCK = 64


@dataclass(frozen=True, eq=False)
class Loss(Rule):
    """A loss: a rule (output, target, *settings) -> (value, slope, bend), or two kernels of its own over whole rows.

    `logits`: it holds the output's function itself, so the output activation must be the identity. `classes`: it
    compares with classes and needs a classification task. `sample`: where the loss is a negative log-likelihood, the
    kernel of its gradient on labels that are drawn from it. `in_lanes`: `kernel` for runs in lanes; without it those of
    a loss with a kernel of its own are made one after the other. `bends`: its second derivative is a number.
    """

    kernel: Kernel | None = None
    tangent: Kernel | None = None
    sample: Kernel | None = None
    in_lanes: Kernel | None = None
    logits: bool = False
    classes: bool = False
    bends: bool = True


losses: Registry[Loss] = Registry("loss")


def pointwise(
    formula: str, citation: str, *, logits: bool = False, classes: bool = False,
    limits: dict[str, Limits] | None = None, sample: Kernel | None = None, **defaults: float,
) -> Callable[[Function], Loss]:  # fmt: skip
    """Register a rule for one output. Its value may be float64, where float32 would lose a square."""

    def register(function: Function) -> Loss:
        name = function.__name__
        made = Loss(
            name, device(function), formula, citation, defaults, (sample.function,) if sample else (),
            limits=limits or {}, sample=sample, logits=logits, classes=classes,
        )  # fmt: skip
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
def call_lane_loss(
    rows: Int, outputs: Int, predicted: Reals, targets: Reals, settings: Float64s, scale: Real, totals: Float64s,
    late: Reals,
) -> Int:  # fmt: skip
    """Add the rows' losses to each lane's total; `predicted` becomes `scale` times its gradient.

    Return whether `late` holds a number of each row that is to be added behind all rows of the batch.
    """


@pointer
def call_loss_tangent(
    rows: Int, outputs: Int, predicted: Reals, moved: Reals, stride: Int, targets: Reals, settings: Float64s,
    scratch: Reals, scale: Real,
) -> None:  # fmt: skip
    """`moved`, R of the outputs, becomes R of `call_loss`'s gradient. Reads `predicted` as it was before that call.

    scratch: `outputs` numbers.
    """


@pointer
def call_loss_sample(
    rows: Int, outputs: Int, predicted: Reals, stride: Int, seed: Int, place: Int, scale: Real
) -> None:  # fmt: skip
    """`predicted` becomes `scale` times the gradient of the loss on labels drawn for this seed and place (a step)."""


@kernel
def pointwise_loop(
    rows: Int, outputs: Int, predicted: Reals, stride: Int, targets: Reals, settings: Float64s, scale: Real
) -> Float64:  # fmt: skip
    """The body of `call_loss` for one rule; `rule` and SETTINGS are filled in when it is compiled.

    Rows are short and lie apart: BLOCK outputs at a time are gathered, so that the rule works on whole vectors.
    """
    values = rounded(predicted, unpack(settings, SETTINGS))  # noqa: F821
    z, y, found = buffer(predicted, BLOCK), buffer(predicted, BLOCK), buffer64(predicted, BLOCK)
    total, place, column = 0.0, 0, 0
    for k in range(BLOCK):
        store(z, k, real(0.0))
        store(y, k, real(0.0))
    for first in range(0, rows * outputs, BLOCK):
        count = min(BLOCK, rows * outputs - first)
        start, start_column = place, column
        for k in range(count):
            store(z, k, load(predicted, place))
            store(y, k, load(targets, first + k))
            place, column = following(place, column, outputs, stride)
        for k in range(BLOCK):
            value, slope, _ = rule(load(z, k), load(y, k), *values)  # noqa: F821
            store(found, k, float64(value))
            store(z, k, slope * scale)
        place, column = start, start_column
        for k in range(count):
            total += load(found, k)
            store(predicted, place, load(z, k))
            place, column = following(place, column, outputs, stride)
    return float64(total)


@device
def following(place, column, outputs, stride):
    """Return where the next output stands, and its column: the next of the row, or the first of the next row."""
    last = column == outputs - 1
    return place + (stride - outputs + 1 if last else 1), 0 if last else column + 1


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


@kernel
def lane_pointwise_loop(
    rows: Int, outputs: Int, predicted: Reals, targets: Reals, settings: Float64s, scale: Real, totals: Float64s,
    late: Reals,
) -> Int:  # fmt: skip
    """The body of `call_lane_loss` for a rule that treats each output alone."""
    values = rounded(predicted, unpack(settings, SETTINGS))  # noqa: F821
    for k in range(rows * outputs):
        for lane in range(LANES):
            at = k * LANES + lane
            value, slope, _ = rule(load(predicted, at), load(targets, at), *values)  # noqa: F821
            store(totals, lane, load(totals, lane) + float64(value))
            store(predicted, at, slope * scale)
    keep_loops()
    return 0


def lane_parts(record: Loss) -> tuple[Kernel, dict[str, Any]]:
    """Return the kernel of a loss in lanes, and the names it is linked with."""
    if record.in_lanes is not None:
        return record.in_lanes, {}
    return lane_pointwise_loop, {"rule": record.function, "SETTINGS": len(record.defaults)}


@kernel
def pointwise_values_loop(
    count: Int, outputs: Reals, targets: Reals, settings: Float64s, found: Float64s, slopes: Reals
) -> None:
    """Value and slope of each output alone, to be compared."""
    values = rounded(outputs, unpack(settings, SETTINGS))  # noqa: F821
    for i in range(count):
        value, slope, _ = rule(load(outputs, i), load(targets, i), *values)  # noqa: F821
        store(found, i, float64(value))
        store(slopes, i, slope)


def parts(record: Loss, tangent: bool = False) -> tuple[Kernel, dict[str, Any]]:
    """Return the kernel of a loss, or of its tangent, and the names it is linked with."""
    own = record.tangent if tangent else record.kernel
    if own is not None:
        return own, {}
    loop = pointwise_tangent_loop if tangent else pointwise_loop
    return loop, {"rule": record.function, "SETTINGS": len(record.defaults)}

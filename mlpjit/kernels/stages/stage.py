"""What a stage of a training step is: its C signature, what it may ask for, and the loop of elementwise rules.

A stage is called with phase 0, 1, 2, ... It returns DONE, or what it needs before the next phase, at the parameters as
they now stand and on the same batch: the loss; the gradient (in `grads`, and the loss); the product of the Hessian with
what it wrote at `scratch`, which then stands `count` numbers behind; or factors: the gradient on labels drawn from what
the network predicts, without penalty, whose deltas stay beside the inputs. The run serves it and counts it.

A wrapper is called with these phases before the optimizer it wraps, with phase DECAYED where the run's own decay has
changed the parameters since, and behind the optimizer from phase AFTER on. A stage whose record has `point` is also
called with phase EVALUATE: it writes the point to report to `grads` and returns POINT.

A clipping rule is called once, with phase 0, and returns DONE, or SKIP: the run then takes the step without decay,
wrapper and optimizer. The others count as their `step` only those that were not skipped.
"""

from __future__ import annotations

from typing import Any

from mlpjit.kernels.entries import Stage
from mlpjit.kernels.language import (
    Float64,
    Float64s,
    Int,
    Ints,
    Primitive,
    Reals,
    fma,
    kernel,
    load,
    offset,
    pointer,
    real,
)
from mlpjit.kernels.tables import TENSOR, WEIGHT

DONE, NEED_GRADIENT, NEED_LOSS, NEED_HVP, NEED_FACTORS, POINT, SKIP = range(7)
DECAYED, AFTER, EVALUATE = 500, 1000, -1
PARAMS_APART, GRADS_APART = 0, 1

unpack = Primitive("unpack")
rounded = Primitive("rounded")
# The arrays of a step never overlap, and the loop says so (`state_arrays`): each has a place.
load_apart = Primitive("load_apart")
store_apart = Primitive("store_apart")
load_states = Primitive("load_states")
store_states = Primitive("store_states")
update_of = Primitive("update_of")
repeated = Primitive("repeated")
interleave = Primitive("interleave")


@pointer
def call_stage(
    phase: Int, step: Int, rows: Int, count: Int, params: Reals, grads: Reals, state: Reals, scratch: Reals,
    settings: Float64s, learning_rate: Float64, loss: Float64, tensors: Ints, tensor_count: Int,
) -> Int:  # fmt: skip
    """Do one phase of a step (counted from 1, on `rows` samples) over `count` parameters; return what is needed."""


@kernel
def elementwise_loop(
    phase: Int, step: Int, rows: Int, count: Int, params: Reals, grads: Reals, state: Reals, scratch: Reals,
    settings: Float64s, learning_rate: Float64, loss: Float64, tensors: Ints, tensor_count: Int,
) -> Int:  # fmt: skip
    """theta -= rule(g, [theta,] *states, *scalars), and the new states, in one pass over all arrays.

    `rule`, `scalars` and the names in capitals that are not known here are filled in at compilation: `linked_names`.
    scalars(step, learning_rate, *settings) runs in float64 once a step and its results are rounded once. Where DECAYS,
    the last of them is the decay of weight matrices: W -= decay W before the update; biases, gamma, beta as they are.
    """
    values = rounded(grads, scalars(step, learning_rate, *unpack(settings, SETTINGS)))  # noqa: F821
    for t in range(tensor_count if DECAYS else 1):  # noqa: F821
        tensor = offset(tensors, t * len(TENSOR))
        first = load(tensor, TENSOR.at) if DECAYS else 0  # noqa: F821
        end = first + load(tensor, TENSOR.rows) * load(tensor, TENSOR.columns) if DECAYS else count  # noqa: F821
        decay = values[-1] if load(tensor, TENSOR.kind) == WEIGHT else real(0.0)
        for i in range(first, end):
            theta = load_apart(params, i, PARAMS_APART)
            kept = load_states(state, count, i, STATES)  # noqa: F821
            given = load_apart(grads, i, GRADS_APART)
            result = rule(given, *repeated(theta, USES_PARAMS), *kept, *values)  # noqa: F821
            store_states(state, count, i, result)
            theta = fma(-decay, theta, theta) if DECAYS else theta  # noqa: F821
            store_apart(params, i, theta - update_of(result), PARAMS_APART)
    interleave(INTERLEAVE)  # noqa: F821
    return DONE


def linked_names(record: Stage) -> dict[str, Any]:
    """Return what `elementwise_loop` is filled in with for one optimizer."""
    return {
        "rule": record.function, "scalars": record.scalars, "SETTINGS": len(record.defaults) + record.momentum_product,
        "STATES": len(record.state), "USES_PARAMS": int(record.uses_params), "DECAYS": int(record.decays),
        "INTERLEAVE": record.interleave, **({} if record.look is None else {"look": record.look}),
    }  # fmt: skip

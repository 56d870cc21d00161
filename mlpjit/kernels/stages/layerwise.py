"""The loop of rules that see a tensor at a time, or all parameters together.

A layerwise rule is a function of one tensor, called once a step for each; a joint one sees all parameters as one row:

    name(step, rows, columns, kind, count, params, grads, state, extra, scratch, settings, learning_rate, loss)

`named_arguments` writes this function for a rule, which takes what it names.
params, grads, state: pointers to the tensor's part, rows x columns, row-major (W is stored (fan_in, fan_out), the
transpose of most papers' W; biases, gamma and beta are 1 x n). A second state array stands `count` behind the first.
extra: the tensor's own numbers, as many as the record's `extra(rows, columns, kind)` says, 0 before the first step.
scratch: `extra_scratch(rows, columns, kind)` numbers that nothing keeps; with `draws` it begins with rows x columns
standard normal numbers. settings: the hyperparameters in the order of the defaults, float64. loss: of this batch at
params. It changes params and state in place.
"""

from __future__ import annotations

from mlpjit.kernels.language import Float64, Float64s, Int, Ints, Reals, kernel, load, offset
from mlpjit.kernels.stages.stage import DONE
from mlpjit.kernels.tables import TENSOR


@kernel
def layerwise_loop(
    phase: Int, step: Int, rows: Int, count: Int, params: Reals, grads: Reals, state: Reals, scratch: Reals,
    settings: Float64s, learning_rate: Float64, loss: Float64, tensors: Ints, tensor_count: Int,
) -> Int:  # fmt: skip
    """Call the rule for every tensor in turn; where JOINT, once for all."""
    for t in range(1 if JOINT else tensor_count):  # noqa: F821
        tensor = offset(tensors, t * len(TENSOR))
        at, tall = load(tensor, TENSOR.at), 1 if JOINT else load(tensor, TENSOR.rows)  # noqa: F821
        draw(settings, SETTINGS, step, at, tall * load(tensor, TENSOR.columns), scratch)  # noqa: F821
        rule(  # noqa: F821
            step, tall, count if JOINT else load(tensor, TENSOR.columns), load(tensor, TENSOR.kind), count,  # noqa: F821
            offset(params, at), offset(grads, at), offset(state, at), offset(state, load(tensor, TENSOR.extra_at)),
            scratch, settings, learning_rate, loss,
        )  # fmt: skip
    return DONE

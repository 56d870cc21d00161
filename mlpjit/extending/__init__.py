"""What a file with an optimizer imports, the package's and your own: the decorators, and what compiled code may use.

    from mlpjit.extending import elementwise, fma, sign

    @elementwise(state=("mu",), momentum=0.9)
    def signum(g, mu, learning_rate, momentum):
        mu = fma(momentum, mu, (1.0 - momentum) * g)
        return learning_rate * sign(mu), mu

Functions that a rule calls are compiled with it and need no mark. `docs/try.md` tells the rest.
"""

from __future__ import annotations

from mlpjit.bounds import above, at_least
from mlpjit.extending.declare import activation, initializer, loss, schedule
from mlpjit.kernels.arithmetic.cholesky import cholesky, cholesky_solve
from mlpjit.kernels.arithmetic.elementary import erf, exp, log, power, power_float64, tanh
from mlpjit.kernels.arithmetic.matrices import add_multiple, sum_of_sizes
from mlpjit.kernels.arithmetic.matrix_factors import (
    ULP,
    eigenvectors,
    orthonormal_columns,
    solve_right,
    solve_transposed,
)
from mlpjit.kernels.arithmetic.matrix_products import newton_schulz, product, squares, wide
from mlpjit.kernels.arithmetic.matrix_rows import (
    add_scaled,
    column_sizes,
    fill,
    largest_entry,
    set_scaled,
    sum_of_products,
    transpose,
)
from mlpjit.kernels.arithmetic.random import STREAMS, fill_signs
from mlpjit.kernels.arithmetic.scalars import larger, one_minus_power, sign
from mlpjit.kernels.arithmetic.trigonometric import cos, sin
from mlpjit.kernels.language import (
    ByDtype,
    Float64,
    Float64s,
    Int,
    Ints,
    Real,
    Reals,
    absolute,
    copysign,
    device,
    device_float64,
    dot,
    float32,
    float64,
    fma,
    from_bits,
    iadd,
    iashr,
    ishl,
    isub,
    kernel,
    load,
    offset,
    real,
    select,
    sqrt,
    store,
    to_bits,
)
from mlpjit.kernels.stages.declare import clipping, elementwise, is_own, joint, layerwise, optimizers, whole, wrapper
from mlpjit.kernels.stages.stage import (
    AFTER,
    DECAYED,
    DONE,
    EVALUATE,
    NEED_FACTORS,
    NEED_GRADIENT,
    NEED_HVP,
    NEED_LOSS,
    POINT,
    SKIP,
)
from mlpjit.kernels.tables import BETA, BIAS, GAMMA, TENSOR, WEIGHT

__all__ = [
    "AFTER",
    "BETA",
    "BIAS",
    "DECAYED",
    "DONE",
    "EVALUATE",
    "GAMMA",
    "NEED_FACTORS",
    "NEED_GRADIENT",
    "NEED_HVP",
    "NEED_LOSS",
    "POINT",
    "SKIP",
    "STREAMS",
    "TENSOR",
    "ULP",
    "WEIGHT",
    "ByDtype",
    "Float64",
    "Float64s",
    "Int",
    "Ints",
    "Real",
    "Reals",
    "above",
    "absolute",
    "activation",
    "add_multiple",
    "add_scaled",
    "at_least",
    "cholesky",
    "cholesky_solve",
    "clipping",
    "column_sizes",
    "copysign",
    "cos",
    "device",
    "device_float64",
    "dot",
    "eigenvectors",
    "elementwise",
    "erf",
    "exp",
    "fill",
    "fill_signs",
    "float32",
    "float64",
    "fma",
    "from_bits",
    "iadd",
    "iashr",
    "initializer",
    "is_own",
    "ishl",
    "isub",
    "joint",
    "kernel",
    "larger",
    "largest_entry",
    "layerwise",
    "load",
    "log",
    "loss",
    "newton_schulz",
    "offset",
    "one_minus_power",
    "optimizers",
    "orthonormal_columns",
    "power",
    "power_float64",
    "product",
    "real",
    "schedule",
    "select",
    "set_scaled",
    "sign",
    "sin",
    "solve_right",
    "solve_transposed",
    "sqrt",
    "squares",
    "store",
    "sum_of_products",
    "sum_of_sizes",
    "tanh",
    "to_bits",
    "transpose",
    "whole",
    "wide",
    "wrapper",
]  # fmt: skip

"""What a file with an optimizer of your own imports: the decorators, and the functions that compiled code may use.

    from mlpjit.extending import elementwise, fma, sign

    @elementwise(state=("mu",), momentum=0.9)
    def signum(g, mu, learning_rate, momentum):
        mu = fma(momentum, mu, (1.0 - momentum) * g)
        return learning_rate * sign(mu), mu

Functions that a rule calls are compiled with it and need no mark. `docs/try.md` tells the rest.
"""

from __future__ import annotations

from mlpjit.extending.declare import elementwise, is_own, layerwise
from mlpjit.kernels.arithmetic.elementary import erf, exp, log, power, tanh
from mlpjit.kernels.arithmetic.scalars import larger, one_minus_power, sign
from mlpjit.kernels.arithmetic.trigonometric import cos, sin
from mlpjit.kernels.language import absolute, copysign, dot, float64, fma, load, offset, real, select, sqrt, store
from mlpjit.kernels.optimizers import optimizers
from mlpjit.kernels.tables import BETA, BIAS, GAMMA, WEIGHT

__all__ = [
    "BETA", "BIAS", "GAMMA", "WEIGHT", "absolute", "copysign", "cos", "dot", "elementwise", "erf", "exp", "float64",
    "fma", "is_own", "larger", "layerwise", "load", "log", "offset", "one_minus_power", "optimizers", "power", "real",
    "select", "sign", "sin", "sqrt", "store", "tanh",
]  # fmt: skip

"""The identity, and activations that follow it above 0 and stay small below."""

from __future__ import annotations

from mlpjit.bounds import above, at_least
from mlpjit.kernels.arithmetic import elementary
from mlpjit.kernels.language import device, real, select
from mlpjit.kernels.network.activation_rules import activation

exp_pair = elementary.exp_pair

SELU_SCALE = 1.0507009873554805
SELU_BELOW = SELU_SCALE * 1.6732632423543772


@activation("f(z) = z", "-")
def identity(z):
    """The identity: no activation."""
    return z, real(1.0), real(0.0)


@activation("f(z) = max(0, z)", "Nair & Hinton 2010")
def relu(z):
    """The rectifier. df(0) = 0."""
    off = z <= 0.0
    return select(off, real(0.0), z), select(off, real(0.0), real(1.0)), real(0.0)


@activation(
    "f(z) = z if z > 0 else slope z", "Maas, Hannun & Ng 2013", lambda slope: max(1.0, slope),
    limits={"slope": at_least(0)}, slope=0.01,
)  # fmt: skip
def leaky_relu(z, slope):
    """The rectifier with a slope below 0. df(0) = slope."""
    off = z <= 0.0
    return select(off, slope * z, z), select(off, slope, real(1.0)), real(0.0)


@device
def prelu_by_alpha(z, alpha):
    """df/d alpha = min(0, z), and its derivatives by z and alpha."""
    off = z <= 0.0
    return select(off, z, real(0.0)), select(off, real(1.0), real(0.0)), real(0.0)


# One slope a unit, the paper's channel-wise form: its channels are our units. From 0.25 and without decay, as there.
@activation(
    "f(z) = z if z > 0 else alpha z, alpha learned, one for each unit", "He et al. 2015, arXiv:1502.01852, eq. 1, 8-11",
    lambda alpha: max(1.0, alpha), limits={"alpha": at_least(0)}, by_parameter=prelu_by_alpha, alpha=0.25,
)  # fmt: skip
def prelu(z, alpha):
    """The rectifier whose slope below 0 is learned, from `alpha` on. df(0) = alpha."""
    off = z <= 0.0
    return select(off, alpha * z, z), select(off, alpha, real(1.0)), real(0.0)


@activation("f(z) = min(6, max(0, z))", "Krizhevsky 2010, Convolutional Deep Belief Networks on CIFAR-10")
def relu6(z):
    """The rectifier cut off at 6. df(0) = df(6) = 0."""
    value = select(z <= 0.0, real(0.0), select(z >= 6.0, real(6.0), z))
    return value, select((z <= 0.0) | (z >= 6.0), real(0.0), real(1.0)), real(0.0)


# Its slope has no largest value: that at z = 1 stands for it in the record of saturated units.
@activation("f(z) = max(0, z)^2", "So et al. 2021, arXiv:2109.08668", slope_limit=2.0)
def relu_squared(z):
    """The rectifier squared. d2f(0) = 0."""
    off = z <= 0.0
    above = select(off, real(0.0), z)
    return above * above, above + above, select(off, real(0.0), real(2.0))


@device
def exponential_below(z, scale, below):
    """Return scale z above 0 and below (e^z - 1) else, with both derivatives; at 0 those from below."""
    off = z <= 0.0
    grown, fallen = exp_pair(select(off, z, real(0.0)))
    slope = below * grown
    return (
        select(off, below * fallen, scale * z),
        select(off, slope, scale),
        select(off, slope, real(0.0)),
    )


@activation(
    "f(z) = z if z > 0 else alpha (exp(z) - 1)",
    "Clevert, Unterthiner & Hochreiter 2016, arXiv:1511.07289", lambda alpha: max(1.0, alpha),
    limits={"alpha": at_least(0)}, alpha=1.0,
)  # fmt: skip
def elu(z, alpha):
    """The exponential linear unit. df(0) = d2f(0) = alpha."""
    return exponential_below(z, real(1.0), alpha)


@activation(
    "f(z) = max(0, z) + min(0, alpha (exp(z / alpha) - 1))", "Barron 2017, arXiv:1704.07483",
    limits={"alpha": above(0)}, alpha=1.0,
)  # fmt: skip
def celu(z, alpha):
    """The exponential linear unit whose slope has no jump whatever alpha is; at alpha = 1 it is elu."""
    off = z <= 0.0
    slope, fallen = exp_pair(select(off, z, real(0.0)) / alpha)
    return (
        select(off, alpha * fallen, z),
        select(off, slope, real(1.0)),
        select(off, slope / alpha, real(0.0)),
    )


@activation(
    "f(z) = 1.0507 z if z > 0 else 1.7581 (exp(z) - 1)", "Klambauer et al. 2017, arXiv:1706.02515",
    slope_limit=SELU_BELOW,
)  # fmt: skip
def selu(z):
    """The self-normalizing unit: mean 0 and variance 1 are its fixed point. df(0) = d2f(0) = 1.7581."""
    return exponential_below(z, real(SELU_SCALE), real(SELU_BELOW))

"""An optimizer of your own that asks for Hessian-vector products: steps divided by the Hessian's diagonal, smoothed."""

from mlpjit.extending import absolute, elementwise, fma


@elementwise(
    formula="h = b h + (1 - b) |z (H z)|; theta -= eta g / (h + damping)", curvature=True, state=("h",),
    b=0.9, damping=0.1,
)  # fmt: skip
def diagonal_newton(g, diagonal, h, learning_rate, b, damping):
    h = fma(b, h, (1.0 - b) * absolute(diagonal))
    return learning_rate * g / (h + damping), h

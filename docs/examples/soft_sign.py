"""A momentum whose steps never exceed the learning rate, yet fade near a minimum."""

from mlpjit.extending import absolute, elementwise, fma


@elementwise(formula="m = b m + (1 - b) g; theta -= eta m / (|m| + eps)", state=("mu",), momentum=0.9, eps=1e-3)
def soft_sign(g, mu, learning_rate, momentum, eps):
    mu = fma(momentum, mu, (1.0 - momentum) * g)
    return learning_rate * mu / (absolute(mu) + eps), mu

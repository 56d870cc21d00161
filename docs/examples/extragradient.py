"""An optimizer of your own that asks for a second gradient: at the point where plain gradient descent would be next."""

from mlpjit.extending import elementwise


@elementwise(formula="theta -= eta g(theta - eta g(theta))", extra_gradients=1)
def extragradient(g, there, learning_rate):
    return learning_rate * there

"""An optimizer of your own that asks for a loss: a step, cut to a quarter where the loss rises."""

from mlpjit.extending import fma, joint, load, store


def try_it(count, params, grads, extra, loss, learning_rate):
    """Keep the loss, and go."""
    store(extra, 0, loss)
    for i in range(count):
        store(params, i, fma(-learning_rate, load(grads, i), load(params, i)))


@joint(formula="theta -= eta g, a quarter of it where that raises the loss", before=try_it, asks="loss", extra=1)
def greedy_step(count, params, grads, extra, loss, learning_rate):
    if loss > load(extra, 0):
        for i in range(count):
            store(params, i, fma(0.75 * learning_rate, load(grads, i), load(params, i)))

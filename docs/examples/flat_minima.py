"""A wrapper of your own: any optimizer with the gradient at the worst point nearby."""

from mlpjit.extending import dot, fma, load, real, sqrt, store, wrapper


def climb(count, params, grads, scratch, rho):
    """Keep the parameters, and go uphill by rho."""
    size = sqrt(dot(grads, grads, count))
    reach = real(rho / size if size > 0.0 else 0.0)
    for i in range(count):
        store(scratch, i, load(params, i))
        store(params, i, fma(reach, load(grads, i), load(params, i)))


@wrapper(formula="g at theta + rho g / |g|", before=climb, asks="gradient", scratch=1, rho=0.05)
def flat_minima(count, params, scratch):
    for i in range(count):
        store(params, i, load(scratch, i))

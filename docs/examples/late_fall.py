"""A schedule of your own: the base rate, then a straight fall to 0 over the last `share` of the steps."""

from mlpjit.extending import schedule


@schedule(formula="eta min(1, (1 - t / T) / share)", share=0.25)
def late_fall(step, total, share):
    left = 1.0 - step / total
    return left / share if left < share else 1.0

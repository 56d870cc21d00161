"""Rates that rise as well: cycles and restarts."""

from __future__ import annotations

from mlpjit.kernels.language import float64, integer
from mlpjit.kernels.rates import schedule
from mlpjit.kernels.schedules.falling import half_cosine


@schedule("eta (final + (1 - final) (1 + cos(pi s / P)) / 2), s steps into a cycle of P = period growth^i",
          "Loshchilov & Hutter 2017, arXiv:1608.03983, eq. 5", period=100, growth=2, final=0.0)  # fmt: skip
def cosine_restarts_schedule(step, total, period, growth, final):
    """SGDR: half cosines that begin again at the base rate, each cycle `growth` times as long as the last."""
    since, length = float64(step), period
    if growth == 1.0:
        since -= length * float64(integer(since / length))
    while since >= length:
        since -= length
        length *= growth
    return final + (1.0 - final) * half_cosine(since / length)


@schedule("eta (low + (1 - low) max(0, 1 - |t / half_cycle - 2 k + 1|)), k = floor(1 + t / (2 half_cycle))",
          "Smith 2017, arXiv:1506.01186, section 3.1", half_cycle=50, low=0.1)  # fmt: skip
def cyclic_schedule(step, total, half_cycle, low):
    """Triangles: from `low` times the base rate up to it in `half_cycle` steps, down in as many, again and again."""
    place = step / half_cycle
    place -= 2.0 * float64(integer(place * 0.5))
    return low + (1.0 - low) * (place if place <= 1.0 else 2.0 - place)


@schedule("eta (start -> 1 -> start -> final), bends at rise T, fall T and T", "Smith & Topin 2018, arXiv:1708.07120",
          rise=0.45, fall=0.9, start=0.04, final=4e-6, cosine=False)  # fmt: skip
def one_cycle_schedule(step, total, rise, fall, start, final, cosine):
    """One triangle, then a fall by orders of magnitude; with `cosine` along half cosines, not lines.

    fall = 1 leaves out the way back to `start`: two phases, as PyTorch's default and fastai have them.
    """
    x, fall = step / total, max(rise, fall)
    if x < rise:
        low, high, place = start, 1.0, 1.0 - x / rise
    elif x < fall:
        low, high, place = final if fall == 1.0 else start, 1.0, (x - rise) / (fall - rise)
    else:
        low, high, place = final, start if fall < 1.0 else 1.0, min((x - fall) / (1.0 - fall), 1.0)
    return low + (high - low) * (half_cosine(place) if cosine != 0.0 else 1.0 - place)

"""Rates that fall all the time: by proportion, along a line, a power or half a cosine."""

from __future__ import annotations

from mlpjit.kernels.arithmetic.elementary import power_float64
from mlpjit.kernels.arithmetic.trigonometric import cos_float64
from mlpjit.kernels.language import device_float64, sqrt
from mlpjit.kernels.rates import schedule

PI = 3.141592653589793


@device_float64
def half_cosine(x):
    """Fall from 1 at x = 0 to 0 at x = 1 along half a cosine."""
    return 0.5 * (1.0 + cos_float64(PI * x))


@schedule("eta factor^(t / T)", "-", factor=0.01)
def exponential_schedule(step, total, factor):
    """Fall by the same proportion each step, reaching `factor` times the base rate at the end T."""
    return power_float64(factor, step / total)


@schedule("eta / (1 + decay t)", "Robbins & Monro 1951, Annals of Mathematical Statistics 22", decay=0.01)
def inverse_time_schedule(step, total, decay):
    """Fall as 1 / t in the long run: half the base rate after 1 / decay steps."""
    return 1.0 / (1.0 + decay * step)


@schedule("eta / sqrt(1 + t / timescale)", "Vaswani et al. 2017, arXiv:1706.03762, eq. 3", timescale=100.0)
def inverse_sqrt_schedule(step, total, timescale):
    """Fall as 1 / sqrt t in the long run. With warmup = timescale it is that of the Transformer."""
    return 1.0 / sqrt(1.0 + step / timescale)


@schedule("eta (final + (1 - final) (1 - t / T)^power)",
          "Liu, Rabinovich & Berg 2015, arXiv:1506.04579; Chen et al. 2016, arXiv:1606.00915",
          power=0.9, final=0.0)  # fmt: skip
def polynomial_schedule(step, total, power, final):
    """Fall along a power of the steps that are left, to `final` times the base rate at the end T."""
    left = 1.0 - step / total
    return final + (1.0 - final) * power_float64(left, power) if left > 0.0 else final


@schedule("eta (1 - (1 - final) t / T)", "Goyal et al. 2017, arXiv:1706.02677; Devlin et al. 2019, arXiv:1810.04805",
          final=0.0)  # fmt: skip
def linear_schedule(step, total, final):
    """Fall along a line to `final` times the base rate at the end T."""
    return 1.0 - (1.0 - final) * (step / total)


@schedule("eta (final + (1 - final) (1 + cos(pi t / T)) / 2)", "Loshchilov & Hutter 2017, arXiv:1608.03983", final=0.0)
def cosine_schedule(step, total, final):
    """Fall along half a cosine to `final` times the base rate at the end T."""
    return final + (1.0 - final) * half_cosine(step / total)


@schedule("eta, then along a line to eta final over the last cooldown T steps",
          "Hu et al. 2024, arXiv:2404.06395; Haegele et al. 2024, arXiv:2405.18392",
          cooldown=0.2, final=0.0, warmup=100)  # fmt: skip
def warmup_stable_decay_schedule(step, total, cooldown, final):
    """The base rate until a share `cooldown` of the steps is left, then a line down to `final` times it."""
    left = 1.0 - step / total
    return 1.0 if left >= cooldown else final + (1.0 - final) * (left / cooldown)


@schedule("eta (1 - t/T) / (1/2 + (1 - t/T) / 2)", "Chen, Wolfe & Kyrillidis 2021, arXiv:2107.04197")
def rex_schedule(step, total):
    """Reflected exponential: slow at first, steep at the end, 0 at T."""
    left = 1.0 - step / total
    return left / (0.5 + 0.5 * left)

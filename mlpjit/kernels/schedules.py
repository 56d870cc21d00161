"""Schedules: the learning rate of every step, as a factor of the base rate. Computed once, before a run.

A rule is factor(step, total, *settings): `step` counts from 0 behind the warm-up, `total` is the number of steps that
remain behind it. Settings are float64 numbers; one list may follow them, as a pointer to its length and items.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mlpjit.bounds import above, at_least
from mlpjit.kernels.arithmetic.elementary import cos_float64, power_float64
from mlpjit.kernels.entries import Rule
from mlpjit.kernels.language import (
    Float64,
    Float64s,
    Function,
    Int,
    Kernel,
    Primitive,
    device_float64,
    float64,
    integer,
    kernel,
    load,
    sqrt,
    store,
)
from mlpjit.registry import Registry


@dataclass(frozen=True, eq=False)
class Schedule(Rule):
    """A rule factor(step, total, *settings). `watches`: the settings with which `plateau` lowers it in the run."""

    watches: tuple[str, ...] = ()


schedules: Registry[Schedule] = Registry("schedule")
unpack_settings = Primitive("unpack_settings")
PI = 3.141592653589793
# Settings that mean the same in every schedule that has them.
LIMITS = {
    **dict.fromkeys(("warmup", "final", "low", "start", "decay", "patience", "cooldown_evaluations"), at_least(0)),
    **dict.fromkeys(("every", "period", "growth", "half_cycle", "milestones"), at_least(1)),
    **dict.fromkeys(("factor", "power", "timescale"), above(0)),
    **dict.fromkeys(("rise", "fall", "cooldown", "threshold"), at_least(0, 1)),
}


def schedule(
    formula: str, citation: str, watches: tuple[str, ...] = (), **defaults: Any
) -> Callable[[Function], Schedule]:
    """Register a rule factor(step, total, *settings). Every schedule also takes `warmup`; a list comes last."""

    def register(function: Function) -> Schedule:
        name = function.__name__.removesuffix("_schedule")
        given = {**defaults, "warmup": defaults.get("warmup", 0)}
        limits = {key: LIMITS[key] for key in given if key in LIMITS}
        made = Schedule(name, device_float64(function), formula, citation, given, limits=limits, watches=watches)
        return schedules.register(made)

    return register


@device_float64
def half_cosine(x):
    """Fall from 1 at x = 0 to 0 at x = 1 along half a cosine."""
    return 0.5 * (1.0 + cos_float64(PI * x))


@schedule("eta", "-")
def constant_schedule(step, total):
    """The base rate throughout."""
    return 1.0


@schedule("eta factor^floor(t / every)", "-", every=100, factor=0.5)
def step_schedule(step, total, every, factor):
    """Multiply by `factor` every `every` steps."""
    return power_float64(factor, float64(step // every)) if step >= every else 1.0


@schedule("eta factor^(milestones passed)", "He et al. 2016, arXiv:1512.03385, section 4.2",
          factor=0.1, milestones=(100, 200))  # fmt: skip
def multistep_schedule(step, total, factor, milestones):
    """Multiply by `factor` at each of the steps in the list `milestones`."""
    made = 1.0 * float64(1)
    for i in range(integer(load(milestones, 0))):
        if step >= load(milestones, i + 1):
            made *= factor
    return made


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


@schedule("eta factor^(plateaus so far), a plateau being more than `patience` evaluations without a better loss",
          "torch.optim.lr_scheduler.ReduceLROnPlateau; Keras ReduceLROnPlateau",
          watches=("factor", "patience", "threshold", "cooldown_evaluations", "final"),
          factor=0.1, patience=10, threshold=1e-4, cooldown_evaluations=0, final=0.0)  # fmt: skip
def reduce_on_plateau_schedule(step, total, factor, patience, threshold, cooldown_evaluations, final):
    """Multiply by `factor` when the validation loss has stopped falling; the rule itself is constant."""
    return 1.0


@kernel
def schedule_loop(
    start: Int, count: Int, total: Int, learning_rate: Float64, warmup: Int, settings: Float64s, out: Float64s
) -> None:
    """out[i] = rate of step start + i: linear warm-up from rate / warmup, then the rule over what remains."""
    values = unpack_settings(settings, SETTINGS, LISTS)  # noqa: F821
    for i in range(count):
        t = start + i
        if t < warmup:
            store(out, i, learning_rate * ((t + 1) / warmup))
        else:
            factor = rule(t - warmup, max(total - warmup, 1), *values)  # noqa: F821
            store(out, i, learning_rate * factor)


def _settings(record: Rule) -> tuple[list[str], list[str]]:
    """Return the names of a schedule's numbers and of its list (one at most), warm-up left out."""
    names = [name for name in record.defaults if name != "warmup"]
    lists = [name for name in names if isinstance(record.defaults[name], tuple)]
    return [name for name in names if name not in lists], lists


def settings(record: Rule, given: Mapping[str, Any]) -> list[float]:
    """Return what the loop takes: the numbers in order, then the list with its length before it."""
    values, (numbers, lists) = {**record.defaults, **given}, _settings(record)
    found = [float(values[name]) for name in numbers]
    for name in lists:
        found += [float(len(values[name])), *map(float, values[name])]
    return found


def loop(record: Rule) -> tuple[Kernel, dict[str, Any]]:
    """Return the kernel that fills in a schedule's rates, and the names to link it with."""
    numbers, lists = _settings(record)
    made = Kernel(f"schedule_{record.name}", schedule_loop.function, schedule_loop.parameters)
    return made, {"rule": record.function, "SETTINGS": len(numbers), "LISTS": len(lists)}

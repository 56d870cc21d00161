"""Golden schedules, from torch, optax and, for REX, pytorch_optimizer.

Run in an environment that has them: `PYTHONPATH=tests:. python -m goldens.make_schedules`. Every array holds the rates
of the first steps at base rate 1. Where a code counts its steps otherwise, the case's note says how it was called.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from goldens.records import Golden, golden, save

STEPS = 60


def torch_rates(make: Callable[[Any], Any], steps: int = STEPS, rate: float = 1.0) -> np.ndarray:
    """Return the rates of a scheduler made by make(optimizer) over plain gradient descent."""
    import torch

    weight = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))
    optimizer = torch.optim.SGD([weight], lr=rate)
    scheduler, found = make(optimizer), []
    for _ in range(steps):
        found.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        scheduler.step()
    return np.array(found)


def torch_momenta(make: Callable[[Any], Any], base: float) -> np.ndarray:
    """Return the momenta of such a scheduler over `base`, b1 of Adam being the same."""
    import torch

    found = []
    for kind, settings in ((torch.optim.SGD, {"momentum": 0.5}), (torch.optim.Adam, {})):
        weight = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))
        optimizer = kind([weight], lr=1.0, **settings)
        scheduler, path = make(optimizer), []
        for _ in range(STEPS):
            group = optimizer.param_groups[0]
            path.append(float(group["momentum"] if "momentum" in group else group["betas"][0]))
            optimizer.step()
            scheduler.step()
        found.append(np.array(path) / base)
    assert np.array_equal(*found)
    return found[0]


def averaged_rates(**settings: float) -> np.ndarray:
    """Return the rates that torch's ASGD keeps in its state: lr / (1 + lambd lr t)^alpha."""
    import torch

    torch.set_default_dtype(torch.float64)  # it keeps its rate in the default dtype
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer, found = torch.optim.ASGD([weight], lr=1.0, **settings), [1.0]
    for _ in range(STEPS - 1):
        weight.grad = torch.ones_like(weight)
        optimizer.step()
        found.append(float(optimizer.state[weight]["eta"]))
    torch.set_default_dtype(torch.float32)
    return np.array(found)


def optax_rates(schedule: Callable[[Any], Any], steps: int = STEPS) -> np.ndarray:
    """Return schedule(0), schedule(1), ... in float64."""
    import jax

    with jax.enable_x64(True):
        return np.array([float(schedule(jax.numpy.asarray(step))) for step in range(steps)])


def case(
    entry: str, settings: dict[str, Any], oracle: str, rates: np.ndarray, total: int = STEPS, note: str = ""
) -> Golden:
    """Return a case of a run of `total` steps."""
    return golden(entry, settings, oracle, {"rates": rates}, given={"steps": total}, note=note)


def torch_cases() -> Iterator[Golden]:
    """All that torch.optim.lr_scheduler has."""
    import torch.optim.lr_scheduler as schedulers

    def each(entry: str, settings: dict[str, Any], name: str, **theirs: Any) -> Golden:
        made = torch_rates(lambda optimizer: getattr(schedulers, name)(optimizer, **theirs))
        shown = ", ".join(f"{key}={value}" for key, value in theirs.items())
        return case(entry, settings, f"torch.optim.lr_scheduler.{name}({shown})", made)

    yield each("constant", {}, "ConstantLR", factor=1.0)
    yield each("constant", {"warmup": 8}, "LinearLR", start_factor=1 / 8, total_iters=7)
    for every, factor in ((7, 0.5), (1, 0.9)):
        yield each("step", {"every": every, "factor": factor}, "StepLR", step_size=every, gamma=factor)
    for marks, factor in (([10, 30, 31], 0.1), ([1, 59], 0.7)):
        yield each("multistep", {"milestones": marks, "factor": factor}, "MultiStepLR", milestones=marks, gamma=factor)
    yield each("exponential", {"factor": 0.01}, "ExponentialLR", gamma=0.01 ** (1 / STEPS))
    for power in (0.9, 2.0):
        yield each("polynomial", {"power": power}, "PolynomialLR", total_iters=STEPS, power=power)
    for final in (0.0, 0.25):
        yield each("linear", {"final": final}, "LinearLR", start_factor=1.0, end_factor=final, total_iters=STEPS)
        yield each("cosine", {"final": final}, "CosineAnnealingLR", T_max=STEPS, eta_min=final)
        yield each("cosine_restarts", {"period": 7, "growth": 2, "final": final}, "CosineAnnealingWarmRestarts",
                   T_0=7, T_mult=2, eta_min=final)  # fmt: skip
    yield each("cosine_restarts", {"period": 9, "growth": 1}, "CosineAnnealingWarmRestarts", T_0=9)
    for half, low in ((8, 0.1), (5, 0.0)):
        yield each("cyclic", {"half_cycle": half, "low": low}, "CyclicLR",
                   base_lr=low, max_lr=1.0, step_size_up=half, cycle_momentum=False)  # fmt: skip
    for decay in (0.03, 1.5):
        made = averaged_rates(lambd=decay, alpha=1.0)
        yield case("inverse_time", {"decay": decay}, f"torch.optim.ASGD(lambd={decay}, alpha=1)", made)
        made = averaged_rates(lambd=decay, alpha=0.5)
        yield case("inverse_sqrt", {"timescale": 1 / decay}, f"torch.optim.ASGD(lambd={decay}, alpha=0.5)", made)
    yield from torch_one_cycle(schedulers)
    yield from torch_cycled_momenta(schedulers)


def torch_cycled_momenta(schedulers: Any) -> Iterator[Golden]:
    """Momentum falls where the rate rises: from its largest value to its smallest, `base`, and back."""
    largest, base = 0.95, 0.8
    for half in (8, 5):
        made = torch_momenta(
            lambda optimizer, h=half: schedulers.CyclicLR(
                optimizer, 0.1, 1.0, step_size_up=h, base_momentum=base, max_momentum=largest
            ),
            base,
        )
        note = "of the momentum, whose smallest value is 0.8"
        oracle = f"torch.optim.lr_scheduler.CyclicLR(step_size_up={half}, cycle_momentum=True)"
        yield case("cyclic", {"half_cycle": half, "low": largest / base}, oracle, made, note=note)
    for three in (False, True):
        for strategy in ("cos", "linear"):
            made = torch_momenta(
                lambda optimizer, s=strategy, t=three: schedulers.OneCycleLR(
                    optimizer, 1.0, total_steps=STEPS + 1, pct_start=0.3, anneal_strategy=s, three_phase=t,
                    base_momentum=base, max_momentum=largest,
                ),
                base,
            )  # fmt: skip
            rise, edge = (0.3 * (STEPS + 1) - 1) / STEPS, largest / base
            settings = {"rise": rise, "fall": 2 * rise if three else 1.0, "start": edge, "final": edge}
            oracle = f"torch.optim.lr_scheduler.OneCycleLR(three_phase={three}, {strategy}, cycle_momentum=True)"
            yield case("one_cycle", {**settings, "cosine": strategy == "cos"}, oracle, made, note=note)


def torch_one_cycle(schedulers: Any) -> Iterator[Golden]:
    """OneCycleLR reaches its bends one step early, the end at the last step: ours with a step less in all."""
    for three in (False, True):
        for strategy in ("cos", "linear"):
            made = torch_rates(
                lambda optimizer, s=strategy, t=three: schedulers.OneCycleLR(
                    optimizer, 1.0, total_steps=STEPS + 1, pct_start=0.3, anneal_strategy=s, cycle_momentum=False,
                    div_factor=25.0, final_div_factor=100.0, three_phase=t,
                )
            )  # fmt: skip
            rise = (0.3 * (STEPS + 1) - 1) / STEPS
            settings = {"rise": rise, "fall": 2 * rise if three else 1.0, "start": 0.04, "final": 0.0004}
            note = "its total is one step more than ours: it ends at the last step, ours behind it"
            oracle = f"torch.optim.lr_scheduler.OneCycleLR(three_phase={three}, anneal_strategy={strategy})"
            yield case("one_cycle", {**settings, "cosine": strategy == "cos"}, oracle, made, note=note)


def optax_cases() -> Iterator[Golden]:
    """All that optax.schedules has."""
    import optax

    def each(entry: str, settings: dict[str, Any], name: str, *theirs: Any, **named: Any) -> Golden:
        made = optax_rates(getattr(optax.schedules, name)(*theirs, **named))
        shown = ", ".join([*map(str, theirs), *(f"{key}={value}" for key, value in named.items())])
        return case(entry, settings, f"optax.schedules.{name}({shown})", made)

    yield each("constant", {}, "constant_schedule", 1.0)
    yield each("constant", {"warmup": 8}, "warmup_constant_schedule", 1 / 8, 1.0, 7)
    yield each("step", {"every": 7, "factor": 0.5}, "exponential_decay", 1.0, 7, 0.5, staircase=True)
    yield each(
        "multistep", {"milestones": [10, 30], "factor": 0.1}, "piecewise_constant_schedule", 1.0, {10: 0.1, 30: 0.1}
    )
    yield each("exponential", {"factor": 0.01}, "exponential_decay", 1.0, STEPS, 0.01)
    for power, final in ((0.9, 0.0), (2.0, 0.1)):
        yield each("polynomial", {"power": power, "final": final}, "polynomial_schedule", 1.0, final, power, STEPS)
        yield each("linear", {"final": final}, "linear_schedule", 1.0, final, STEPS)
        yield each("cosine", {"final": final}, "cosine_decay_schedule", 1.0, STEPS, final)
    cycles = [
        {"init_value": 1.0, "peak_value": 1.0, "warmup_steps": 0, "decay_steps": 10 * 2**i, "end_value": 0.1}
        for i in range(3)
    ]
    made = optax_rates(optax.schedules.sgdr_schedule(cycles))
    settings = {"period": 10, "growth": 2, "final": 0.1}
    yield case("cosine_restarts", settings, "optax.schedules.sgdr_schedule", made)
    for name, named, ours in (
        ("linear_onecycle_schedule", {"pct_final": 0.85}, {"fall": 0.85}),
        ("cosine_onecycle_schedule", {}, {"fall": 1.0, "cosine": True}),
    ):
        given = {"pct_start": 0.3, "div_factor": 25.0, "final_div_factor": 100.0, **named}
        settings = {"rise": 0.3, "start": 0.04, "final": 0.0004, **ours}
        yield each("one_cycle", settings, name, STEPS, 1.0, **given)
    yield from optax_joined(optax.schedules)


def optax_joined(schedules: Any) -> Iterator[Golden]:
    """Schedules behind a warm-up, joined from parts."""
    warm = schedules.linear_schedule(1 / 8, 1.0, 7)
    for entry, settings, parts, ends in (
        ("cosine", {"warmup": 8}, [schedules.cosine_decay_schedule(1.0, STEPS - 8)], []),
        ("linear", {"warmup": 8, "final": 0.1}, [schedules.linear_schedule(1.0, 0.1, STEPS - 8)], []),
        (
            "warmup_stable_decay", {"warmup": 8, "cooldown": 0.25, "final": 0.1},
            [schedules.constant_schedule(1.0), schedules.linear_schedule(1.0, 0.1, 13)], [47],
        ),
    ):  # fmt: skip
        made = optax_rates(schedules.join_schedules([warm, *parts], [8, *ends]))
        yield case(entry, settings, f"optax.schedules.join_schedules({[8, *ends]})", made)


def rex() -> Golden:
    """REX, which torch and optax lack."""
    import torch
    from pytorch_optimizer.lr_scheduler.rex import REXScheduler

    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))])
    scheduler = REXScheduler(optimizer, STEPS)
    scheduler.step_t = 0  # its constructor has taken a step
    made = np.array([scheduler.step() for _ in range(STEPS)])
    return case("rex", {}, "pytorch_optimizer.lr_scheduler.REXScheduler", made)


PLATEAUS = [(0.1, 10, 1e-4, 0, 0.0), (0.5, 2, 0.02, 0, 0.0), (0.5, 1, 0.1, 3, 0.2), (0.3, 1, 0.01, 1, 0.05)]


def losses() -> np.ndarray:
    """Return a falling, noisy sequence of validation losses."""
    rng = np.random.default_rng(2026)
    return np.exp(-0.03 * np.arange(120)) + 0.3 * rng.random(120)


def plateaus() -> Iterator[Golden]:
    """Reduce on plateau: the factor after each of a sequence of losses."""
    for factor, patience, threshold, cooldown, final in PLATEAUS:
        settings = {
            "factor": factor, "patience": patience, "threshold": threshold, "cooldown_evaluations": cooldown,
            "final": final,
        }  # fmt: skip
        made = torch_plateau(
            factor=factor, patience=patience, threshold=threshold, cooldown=cooldown, min_lr=final, eps=0
        )
        yield golden(
            "reduce_on_plateau", settings, "torch.optim.lr_scheduler.ReduceLROnPlateau(eps=0)", {"factors": made}
        )
        made = optax_plateau(
            factor=factor, patience=patience + 1, rtol=threshold, atol=0.0, cooldown=cooldown, min_scale=final
        )
        note = "its patience is one more"
        yield golden("reduce_on_plateau", settings, "optax.contrib.reduce_on_plateau()", {"factors": made}, note=note)


def torch_plateau(**settings: float) -> np.ndarray:
    """Return the rate after each loss, from base rate 1."""
    import torch

    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler, found = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **settings), []
    for loss in losses():
        scheduler.step(float(loss))
        found.append(float(optimizer.param_groups[0]["lr"]))
    return np.array(found)


def optax_plateau(**settings: float) -> np.ndarray:
    """Return the scale after each loss."""
    import jax
    import optax.contrib

    with jax.enable_x64(True):
        made, theta = optax.contrib.reduce_on_plateau(**settings), jax.numpy.zeros(1)
        state, found = made.init(theta), []
        for loss in losses():
            _, state = made.update(theta, state, value=jax.numpy.asarray(loss))
            found.append(float(state.scale))
    return np.array(found)


def make() -> Iterator[Golden]:
    """Compute every case afresh."""
    yield from torch_cases()
    yield from optax_cases()
    yield rex()
    yield from plateaus()


if __name__ == "__main__":
    save("schedules", make(), {"losses": losses()})

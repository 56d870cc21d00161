"""Golden trajectories of optimizers, from torch, optax and, where only they have it, other public codes.

Run in an environment that has them: `PYTHONPATH=tests:. python -m goldens.make_optimizers`. Beside torch and optax that
is adabound (the paper's own code), madgrad and schedulefree (the authors'), psgd_torch (Li's), pytorch_optimizer,
torch_optimizer, torchzero, curvlinops and timm, the latter without torchvision.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from goldens.curvature_cases import curvature
from goldens.kronecker_cases import krons, shampoos, soaps
from goldens.matrix_cases import muons
from goldens.records import Golden, save
from goldens.tensor_cases import averaging, factored, layerwise, parameter_free
from goldens.trajectories import INPUTS, Adjusted, case, found, found_alone

Settings = dict[str, Any]
BETAS: list[tuple[Settings, float]] = [
    ({"b1": 0.9, "b2": 0.999}, 1e-8), ({"b1": 0.5, "b2": 0.9}, 1e-3), ({"b1": 0.0, "b2": 0.99}, 1e-8),
]  # fmt: skip


def outside(eps: float) -> Settings:
    """Return epsilon outside the root."""
    return {"eps": eps, "eps_root": 0.0}


def inside(eps: float) -> Settings:
    """Return epsilon inside the root."""
    return {"eps": 0.0, "eps_root": eps}


def as_torch(betas: Settings, eps: float) -> Settings:
    """Return Adam's settings as torch takes them."""
    return {"betas": tuple(betas.values()), "eps": eps}


def optax_chain(*makers: Any) -> Any:
    """Return a maker of a chain of optax transformations, each from the rate."""
    import optax

    return lambda rate: optax.chain(*(make(rate) for make in makers))


def accelerated() -> Iterator[Golden]:
    """Gradient descent and both momenta, in every form."""
    import optax

    yield case("sgd", {}, "torch.optim.SGD", {})
    yield case("sgd", {}, "optax.sgd", {}, decay=0.1)
    scaled = optax.scale_by_learning_rate
    for b in (0.9, 0.5):
        ours = {"momentum": b}
        yield case("momentum", ours, "torch.optim.SGD", ours)
        yield case("momentum", ours, "optax.sgd", ours, decay=0.1)
        yield case("momentum", {**ours, "dampening": 0.3}, "torch.optim.SGD", {**ours, "dampening": 0.3}, decay=0.1)
        ema = optax_chain(lambda rate, b=b: optax.ema(b, debias=False), scaled)
        yield case("momentum", {**ours, "ema": True}, "optax.ema, scale_by_learning_rate", {}, ema, decay=0.1)
        trace = optax_chain(scaled, lambda rate, b=b: optax.trace(b))
        yield case(
            "momentum", {**ours, "rate_inside": True}, "optax.scale_by_learning_rate, trace", {}, trace, decay=0.1
        )
        yield case("nesterov", ours, "torch.optim.SGD", {**ours, "nesterov": True})
        yield case("nesterov", ours, "optax.sgd", {**ours, "nesterov": True}, decay=0.1)
        trace = optax_chain(scaled, lambda rate, b=b: optax.trace(b, nesterov=True))
        yield case(
            "nesterov", {**ours, "rate_inside": True}, "optax.scale_by_learning_rate, trace", {}, trace, decay=0.1
        )
        trace = optax_chain(
            lambda rate, b=b: optax.scale(1 - b), lambda rate, b=b: optax.trace(b, nesterov=True), scaled
        )
        yield case(
            "nesterov", {**ours, "ema": True}, "optax.scale, trace, scale_by_learning_rate", {}, trace, decay=0.1
        )


def adagrads() -> Iterator[Golden]:
    """Rules over summed or averaged squares."""
    for eps in (1e-10, 1e-3):
        yield case("adagrad", outside(eps), "torch.optim.Adagrad", {"eps": eps})
        ours = {**inside(eps), "initial_accumulator": 0.1}
        yield case("adagrad", ours, "optax.adagrad", {"initial_accumulator_value": 0.1, "eps": eps}, decay=0.1)
    for rho, eps in ((0.95, 1e-6), (0.5, 1e-2)):
        ours = {"rho": rho, "eps": eps}
        yield case("adadelta", ours, "torch.optim.Adadelta", ours, learning_rate=1.0)
        yield case("adadelta", ours, "optax.adadelta", ours, learning_rate=1.0, decay=0.1)
    for rho, eps in ((0.9, 1e-8), (0.99, 1e-3)):
        yield case("rmsprop", {"rho": rho, **outside(eps)}, "torch.optim.RMSprop", {"alpha": rho, "eps": eps})
        theirs = {"decay": rho, "eps": eps}
        yield case("rmsprop", {"rho": rho, **inside(eps)}, "optax.rmsprop", theirs, decay=0.1)
        for centered, b in ((True, 0.9), (True, 0.0), (False, 0.5)):
            ours = {"rho": rho, "momentum": b, "centered": centered}
            theirs = {"alpha": rho, "eps": eps, "momentum": b, "centered": centered}
            torch = {**ours, **outside(eps), "rate_inside": False}
            yield case("centered_rmsprop", torch, "torch.optim.RMSprop", theirs, decay=0.1)
            theirs = {"decay": rho, "eps": eps, "momentum": b, "centered": centered}
            yield case("centered_rmsprop", {**ours, **inside(eps)}, "optax.rmsprop", theirs, decay=0.1)
    for b, eps in ((0.9, 1e-6), (0.5, 1e-2)):
        ours = {"momentum": b, "eps": eps, "eps_in_rate": True}
        yield case("madgrad", ours, "madgrad.MADGRAD", {"momentum": b, "eps": eps})
        single = {"note": "it takes the root of the step in float32", "tolerance": 1e-7}
        yield case("madgrad", ours, "optax.contrib.madgrad", {"momentum": b, "eps": eps}, decay=0.1, **single)
        theirs, note = {"momentum": b, "eps": eps}, "its rate less eps"
        yield case("madgrad", theirs, "madgrad.MADGRAD", theirs, madgrad_less_eps, note, decay=0.07)


def madgrad_less_eps(tensors: Any, lr: float, **theirs: Any) -> Any:
    """The authors' MADGRAD adds eps to its rate, which is given less eps here."""

    def adjust(group: dict[str, Any], t: int) -> None:
        group["lr"] -= group["eps"]

    return Adjusted(found("madgrad.MADGRAD")(tensors, lr=lr, **theirs), adjust)


def uncorrected(oracle: str) -> Any:
    """Return a maker of an optimizer with Adam's bias corrections, which its rate and epsilon take back.

    eta sqrt(c2) / c1 m / (sqrt v + eps), or eta / c1 m / (sqrt(v / c2) + eps / sqrt c2): the same for both.
    """

    def make(tensors: Any, lr: float, **theirs: Any) -> Any:
        first = {name: theirs[name] for name in ("eps", "final_lr") if name in theirs}

        def adjust(group: dict[str, Any], t: int) -> None:
            b1, b2 = group["betas"]
            taken = math.sqrt(1 - b2**t) / (1 - b1**t)
            group["lr"] /= taken
            if "final_lr" in first:
                group["final_lr"] = first["final_lr"] * taken  # their bounds move with the rate
            else:
                group["eps"] = first["eps"] / math.sqrt(1 - b2**t)

        return Adjusted(found(oracle)(tensors, lr=lr, **theirs), adjust)

    return make


def adams() -> Iterator[Golden]:
    """Adam and its nearest."""
    for b, eps in BETAS:
        out, both, torch = {**b, **outside(eps)}, {**b, "eps": eps, "eps_root": eps}, as_torch(b, eps)
        yield case("adam", out, "torch.optim.Adam", torch)
        yield case("adam", both, "optax.adam", both, decay=0.1)
        decay = {"weight_decay": 0.3}
        yield case("adamw", {**out, **decay}, "torch.optim.AdamW", {**torch, **decay}, decay=0.1)
        yield case("adamw", {**both, **decay}, "optax.adamw", {**both, **decay}, decay=0.1)
        yield case("amsgrad", {**out, "corrected": True}, "torch.optim.Adam", {**torch, "amsgrad": True})
        yield case("amsgrad", {**both, "maximum_of_corrected": True}, "optax.amsgrad", both, decay=0.1)
        uncorrected = {"bias_correction_mu": False, "bias_correction_nu": False}
        yield case("amsgrad", both, "optax.amsgrad", {**both, **uncorrected}, decay=0.1)
        yield case("adamax", {**b, "eps": eps}, "torch.optim.Adamax", torch)
        yield case("adamax", {**b, "eps": eps}, "optax.adamax", {**b, "eps": eps}, decay=0.1)
        yield case("nadam", both, "optax.nadam", both, decay=0.1)
        for momentum_decay in (0.004, 1.0):
            more = {"momentum_decay": momentum_decay}
            yield case("nadam", {**out, "scheduled": True, **more}, "torch.optim.NAdam", {**torch, **more}, decay=0.1)
        yield case("radam", {**out, "threshold": 5.0, "eps_uncorrected": True}, "torch.optim.RAdam", torch)
        for threshold in (4.0, 5.0):
            more = {"threshold": threshold}
            yield case("radam", {**both, **more}, "optax.radam", {**both, **more}, decay=0.1)
    yield case("adamw", {}, "torch.optim.AdamW", {})


def relatives() -> Iterator[Golden]:
    """Other moments, or another order."""
    for b, eps in BETAS:
        both = {**b, "eps": eps, "eps_root": eps}
        yield case("adabelief", both, "optax.adabelief", both, decay=0.1)
        begun = {"corrected": True, "initial_nu": 1e-6, "initial_mu": 1e-6}
        yield case("yogi", {**b, "eps": eps, **begun}, "optax.yogi", {**b, "eps": eps}, decay=0.1)
        for gamma in (1e-3, 0.1):
            theirs = {**as_torch(b, eps), "final_lr": 0.05, "gamma": gamma}
            ours = {**b, "eps": eps, "final_rate": 0.05, "gamma": gamma, "corrected": True}
            yield case("adabound", ours, "adabound.AdaBound", theirs)
            yield case("amsbound", ours, "adabound.AdaBound", {**theirs, "amsbound": True})
            oracle, note = "adabound.AdaBound", "its bias corrections taken back by its rate"
            paper = {**ours, "corrected": False}
            yield case("adabound", paper, oracle, theirs, uncorrected(oracle), note)
            yield case("amsbound", paper, oracle, {**theirs, "amsbound": True}, uncorrected(oracle), note)
        oracle, theirs = "pytorch_optimizer.Yogi", {**as_torch(b, eps), "initial_accumulator": 0.0, "foreach": False}
        yield case("yogi", {**b, "eps": eps}, oracle, theirs, uncorrected(oracle), note)
        parts = {"decay": b["b2"], "eps": eps, "eps_in_sqrt": False, "bias_correction": True}
        shown = "optax.scale_by_rms, ema, scale_by_learning_rate"
        yield case("laprop", {**b, "eps": eps}, shown, {"b1": b["b1"], **parts}, optax_laprop, decay=0.1)
        note = "gradients times 1e6: it adds 1e-15 to v"
        torch = {**as_torch(b, 1e-15), "foreach": False}
        yield case("laprop", b, "pytorch_optimizer.LaProp", torch, note=note, scale=1e6)
        alone = found_alone("timm.optim.laprop.LaProp")
        yield case("laprop", {**b, "eps": eps}, "timm.optim.laprop.LaProp", as_torch(b, eps), alone)
        for clipping in (True, False):
            ours = {**b, "eps": eps, "clipping": clipping}
            yield case("adopt", ours, "optax.contrib.adopt", {**b, "eps": eps, "use_clipping": clipping}, decay=0.1)
        slow = {"b3": 0.99, "alpha": 8.0}
        yield case("ademamix", {**both, **slow}, "optax.contrib.ademamix", {**both, **slow}, decay=0.1)
    for b, eps in (({"b1": 0.98, "b2": 0.92, "b3": 0.99}, 1e-8), ({"b1": 0.5, "b2": 0.7, "b3": 0.9}, 1e-3)):
        yield case("adan", {**b, **outside(eps)}, "pytorch_optimizer.Adan", as_torch(b, eps))
        both = {**b, "eps": eps, "eps_root": eps}
        yield case("adan", {**both, "complement": True}, "optax.adan", both, decay=0.1)
    yield warmed_ademamix()
    alone = found_alone("torch_optimizer.qhadam.QHAdam")
    long = {"b1": 0.995, "b2": 0.999, "nu1": 0.7, "nu2": 1.0, "eps": 1e-8}
    mixed, plain = {"b1": 0.9, "b2": 0.99, "nu1": 0.4, "nu2": 0.8, "eps": 1e-3}, {"b1": 0.5, "nu1": 1.0, "eps": 1e-6}
    for ours in ({}, mixed, plain):
        b1, b2, nu1, nu2, eps = (long | ours).values()
        theirs = {"betas": (b1, b2), "nus": (nu1, nu2), "eps": eps}
        yield case("qhadam", ours, "torch_optimizer.QHAdam", theirs, alone, decay=0.1)


def optax_laprop(rate: Any, b1: float, **theirs: Any) -> Any:
    """LaProp with the rate outside the momentum, from optax's parts."""
    import optax

    return optax.chain(optax.scale_by_rms(**theirs), optax.ema(b1), optax.scale_by_learning_rate(rate))


def warmed_ademamix() -> Golden:
    """AdEMAMix with the paper's warm-up of alpha and b3, given to optax as functions of the count."""
    import jax.numpy as jnp

    last, first, steps = math.log(0.999), math.log(0.9), 30.0

    def b3(count: Any) -> Any:
        share = jnp.minimum((count + 1) / steps, 1.0)
        return jnp.minimum(jnp.exp(first * last / ((1 - share) * last + share * first)), 0.999)

    def make(rate: Any) -> Any:
        import optax

        alpha = lambda count: 8.0 * jnp.minimum((count + 1) / steps, 1.0)  # noqa: E731
        return optax.contrib.ademamix(rate, b3=b3, alpha=alpha)

    return case("ademamix", {"b3": 0.999, "alpha": 8.0, "warmup": steps}, "optax.contrib.ademamix", {}, make)


def signs() -> Iterator[Golden]:
    """Rules of the sign."""
    yield case("sign_sgd", {}, "optax.sign_sgd", {}, decay=0.1)
    for b in (0.9, 0.5):
        yield case("signum", {"momentum": b}, "optax.signum", {"beta": b}, decay=0.1)
    for ours in ({"b1": 0.9, "b2": 0.99}, {"b1": 0.5, "b2": 0.7}):
        yield case("lion", ours, "optax.lion", {**ours, "weight_decay": 0.0}, decay=0.1)
    for factors, limits in (((0.5, 1.2), (1e-6, 50.0)), ((0.7, 1.5), (0.01, 0.05))):
        ours = dict(zip(("eta_minus", "eta_plus", "min_step", "max_step"), (*factors, *limits), strict=True))
        theirs = {"etas": factors, "step_sizes": limits}
        yield case("rprop", {**ours, "backtracking": False}, "torch.optim.Rprop", theirs)
        theirs = dict(zip(("eta_minus", "eta_plus", "min_step_size", "max_step_size"), ours.values(), strict=True))
        note = "it applies each update a step late; here at once"
        yield case("rprop", ours, "optax.rprop", theirs, undelayed_rprop, note)


def undelayed_rprop(rate: float, **theirs: Any) -> Any:
    """optax.rprop applies an update one step late, and drops it where the sign changes; here it is applied at once.

    What it holds back stands in its state; taking that in, a dropped update becomes one that is taken back.
    """
    import jax
    import optax

    made = optax.rprop(rate, **theirs)

    def update(gradients: Any, state: Any, params: Any) -> Any:
        late, after = made.update(gradients, state, params)
        held, before = after[0].prev_updates, state[0].prev_updates
        return jax.tree.map(lambda a, b, c: a - b + c, late, held, before), after

    return optax.GradientTransformation(made.init, update)


def make() -> Iterator[Golden]:
    """Compute every case afresh."""
    families = (accelerated, adagrads, adams, relatives, signs)
    for family in (*families, layerwise, factored, parameter_free, averaging, muons, shampoos, soaps, krons, curvature):
        yield from family()


if __name__ == "__main__":
    save("optimizers", make(), INPUTS)

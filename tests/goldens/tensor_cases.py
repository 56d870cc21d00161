"""Golden cases of optimizers that look at whole tensors, at all parameters together, or report an average."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from goldens.records import Golden
from goldens.trajectories import case, found

BETAS = ({"b1": 0.9, "b2": 0.999}, {"b1": 0.5, "b2": 0.9})


def layerwise() -> Iterator[Golden]:
    """Rules with norms of tensors, or of rows and columns."""
    for ours in ({"momentum": 0.9}, {"momentum": 0.5, "weight_decay": 0.1, "trust_coefficient": 0.02, "eps": 1e-3}):
        yield case("lars", ours, "optax.lars", lars_settings(ours), optax_lars, decay=0.1)
    for betas in BETAS:
        for rest in ({"eps": 1e-6}, {"eps": 1e-3, "eps_root": 1e-4, "weight_decay": 0.1}):
            yield case("lamb", {**betas, **rest}, "optax.lamb", {**betas, **rest}, decay=0.1)
            yield case("novograd", {**betas, **rest}, "optax.novograd", {**betas, **rest}, decay=0.1)
    for ours in ({"b1": 0.9}, {"b1": 0.5, "eps": 1e-3}):
        theirs = {"b1": ours["b1"], "eps": ours.get("eps", 1e-8)}
        yield case("sm3", ours, "optax.scale_by_sm3", theirs, chained("scale_by_sm3"), decay=0.1)


def factored() -> Iterator[Golden]:
    """Adafactor: torch has the paper's falling rate, optax the rate as given."""
    for decay, threshold in ((0.8, 1.0), (0.5, 2.5)):
        ours = {"decay_rate": decay, "threshold": threshold}
        theirs = {"beta2_decay": -decay, "d": threshold, "eps": (1e-100, 1e-3)}
        note = "eps = 1e-100: it stands elsewhere there"
        yield case("adafactor", {**ours, "eps": 1e-30}, "torch.optim.Adafactor", theirs, note=note)
        steep = {"learning_rate": 1.0, "note": note}
        yield case("adafactor", {**ours, "eps": 1e-30}, "torch.optim.Adafactor", theirs, **steep)
        for eps, scaled in ((1e-30, True), (1e-3, False)):
            mine = {**ours, "eps": eps, "relative_step": False, "scale_parameter": scaled}
            theirs = {"decay_rate": decay, "clipping_threshold": threshold, "eps": eps, "min_dim_size_to_factor": 1}
            theirs["multiply_by_parameter_scale"] = scaled
            single = {"note": "it takes the power of the step in float32", "tolerance": 1e-7}
            yield case("adafactor", mine, "optax.adafactor", theirs, decay=0.1, **single)


def lars_settings(ours: dict[str, Any]) -> dict[str, Any]:
    """Return our settings as optax takes them."""
    return {"weight_decay": 0.0, "trust_coefficient": 0.001, "eps": 0.0, **ours}


def optax_lars(rate: Any, eps: float, **theirs: Any) -> Any:
    """optax.lars has the trust ratio on the decayed gradient, with the rate inside the velocity; here it is outside.

    Its parts in the paper's order: decay, ratio by |g| + wd |theta| (where they are parallel |g + wd theta|), momentum.
    """
    import jax
    import jax.numpy as jnp
    import optax

    decay, trust = theirs["weight_decay"], theirs["trust_coefficient"]

    def scaled(g: Any, p: Any) -> Any:
        below = jnp.linalg.norm(g) + decay * jnp.linalg.norm(p) + eps
        return trust * jnp.linalg.norm(p) / below * (g + decay * p)

    ratio = optax.stateless(lambda updates, params: jax.tree.map(scaled, updates, params))
    return optax.chain(ratio, optax.trace(theirs["momentum"]), optax.scale_by_learning_rate(rate))


def chained(name: str) -> Any:
    """Return a maker of an optax transformation followed by the rate."""
    import optax

    return lambda rate, **theirs: optax.chain(getattr(optax, name)(**theirs), optax.scale_by_learning_rate(rate))


def parameter_free() -> Iterator[Golden]:
    """Rules that estimate a distance, or read the loss."""
    for first in (1e-6, 0.1):
        theirs = {"init_step": ("heuristic", first), "eps": 1e-8}
        yield case("dog", {"initial_distance": first}, "optax.contrib.dog", theirs, learning_rate=1.0)
        yield case("dog", {"initial_distance": first}, "optax.contrib.dog", theirs, learning_rate=0.5, decay=0.1)
        theirs = {"init_estim_sq_dist": first**2, "eps": 1e-4}
        yield case("dowg", {"initial_distance": first}, "optax.contrib.dowg", theirs, learning_rate=1.0)
        for (b1, b2), decay in (((0.9, 0.999), 0.0), ((0.5, 0.9), 0.1)):
            ours = {"b1": b1, "b2": b2, "weight_decay": decay, "initial_distance": first}
            theirs = {"betas": (b1, b2), "weight_decay": decay, "estim_lr0": first, "eps": 1e-8}
            yield case("prodigy", ours, "optax.contrib.prodigy", theirs, learning_rate=1.0)
            yield case("d_adaptation", ours, "optax.contrib.dadapt_adamw", theirs, learning_rate=1.0)
    for largest in (1.0, 0.01):
        theirs = {"f_min": 0.0005}
        yield case("polyak_step", {"lowest": 0.0005}, "optax.polyak_sgd", theirs, polyak, learning_rate=largest)
        for b in (0.9, 0.5):
            theirs = {"beta": b, "adapt_lower_bound": False}
            yield case("momo", {"momentum": b}, "optax.contrib.momo", theirs, learning_rate=largest)


def polyak(rate: Any, **theirs: Any) -> Any:
    """optax.polyak_sgd takes its largest rate by name."""
    import optax

    return optax.polyak_sgd(max_learning_rate=rate, **theirs)


def averaging() -> Iterator[Golden]:
    """Rules that report another point; the path is that of the parameters, where gradients are taken."""
    note = "lambd = 0, t0 = 0"
    yield case("averaged_sgd", {}, "torch.optim.ASGD", {"lambd": 0.0, "alpha": 0.0, "t0": 0.0}, note=note)
    for b in (0.9, 0.5):
        theirs = {"b1": b, "weight_lr_power": 2.0}
        yield case("schedule_free_sgd", {"b1": b}, "optax.contrib.schedule_free_sgd", theirs)
        ours = {"b1": b, "b2": 0.99, "weight_decay": 0.1}
        theirs = {**ours, "weight_lr_power": 2.0, "eps": 1e-8}
        yield case("schedule_free_adamw", ours, "optax.contrib.schedule_free_adamw", theirs)
        for power, fall in ((2.0, 0.1), (0.5, -0.01)):
            mine, theirs = {"b1": b, "power": power}, {"momentum": b, "weight_lr_power": power}
            yield case("schedule_free_sgd", mine, "schedulefree.SGDScheduleFree", theirs, in_training, decay=fall)
            mine = {**ours, "power": power, "eps": 1e-6}
            theirs = {"betas": (b, 0.99), "weight_decay": 0.1, "weight_lr_power": power, "eps": 1e-6}
            yield case("schedule_free_adamw", mine, "schedulefree.AdamWScheduleFree", theirs, in_adamw, decay=fall)


def in_training(tensors: Any, kind: str = "SGDScheduleFree", **theirs: Any) -> Any:
    """The authors' optimizers step in training mode only."""
    made = found(f"schedulefree.{kind}")(tensors, foreach=False, **theirs)
    made.train()
    return made


def in_adamw(tensors: Any, **theirs: Any) -> Any:
    """Return their AdamW."""
    return in_training(tensors, "AdamWScheduleFree", **theirs)

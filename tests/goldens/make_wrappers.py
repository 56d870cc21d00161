"""Golden trajectories of wrappers, whose gradients depend on where they are taken: g_t + slopes theta.

Run where torch, optax and pytorch_optimizer are: `PYTHONPATH=tests:. python -m goldens.make_wrappers`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from goldens import ours
from goldens.records import Golden, golden, save
from goldens.trajectories import INPUTS, found, found_alone, packed, split

RATE = 0.03
SLOPES = np.linspace(0.1, 1.3, len(INPUTS["theta"]))
WRAPPER_INPUTS = {**INPUTS, "slopes": SLOPES}


def torch_walk(make: Callable[[list[Any]], Any], twice: bool) -> np.ndarray:
    """Return theta after the kept steps; `twice`: the optimizer's step takes a closure for a second gradient."""
    import torch

    torch.set_default_dtype(torch.float64)
    tensors = [torch.nn.Parameter(torch.tensor(part)) for part in split(INPUTS["theta"])]
    slopes = [torch.tensor(part) for part in split(SLOPES)]
    made, path = make(tensors), []
    for g in INPUTS["gradients"]:

        def closure(g: np.ndarray = g) -> None:
            for tensor, part, slope in zip(tensors, split(g), slopes, strict=True):
                tensor.grad = torch.tensor(part) + slope * tensor.detach()

        closure()
        made.step(closure) if twice else made.step()
        path.append(packed(tensor.detach().numpy() for tensor in tensors))
    return np.stack([path[step - 1] for step in ours.STEPS])


def optax_walk(make: Callable[[], Any], asks: bool = False) -> np.ndarray:
    """Return theta after the kept steps of an optax transformation; `asks`: it is given the gradient's function."""
    import jax
    import jax.numpy as jnp
    import optax

    with jax.enable_x64(True):
        made, slopes = optax.with_extra_args_support(make()), jnp.array(SLOPES)
        theta, path = jnp.array(INPUTS["theta"]), []
        state = made.init(theta)
        for g in INPUTS["gradients"]:
            more = {"grad_fn": lambda p, _, g=g: jnp.array(g) + slopes * p} if asks else {}
            updates, state = made.update(jnp.array(g) + slopes * theta, state, theta, **more)
            theta = optax.apply_updates(theta, updates)
            path.append(theta)
    return np.stack([path[step - 1] for step in ours.STEPS])


def case(entry: str, base: str, settings: dict[str, Any], oracle: str, path: np.ndarray, **more: Any) -> Golden:
    """Return a case: our wrapper at `settings` around our optimizer `base` with more["base_settings"]."""
    given = {"base": base, "base_settings": more.pop("base_settings", {}), "learning_rate": RATE}
    return golden(entry, settings, oracle, {"path": path}, given=given, **more)


def lookaheads() -> Iterator[Golden]:
    """Lookahead around both kinds of momentum."""
    import torch

    for k, alpha in ((5, 0.5), (3, 0.8)):
        ours_settings, made = {"k": k, "alpha": alpha}, found("pytorch_optimizer.Lookahead")
        path = torch_walk(lambda p, m=made, s=ours_settings: m(torch.optim.SGD(p, lr=RATE, momentum=0.9), **s), False)
        shown = f"pytorch_optimizer.Lookahead(SGD, k={k}, alpha={alpha})"
        yield case("lookahead", "momentum", ours_settings, shown, path)


def sharpness() -> Iterator[Golden]:
    """SAM around gradient descent and Adam; ASAM."""
    import optax
    import torch

    inner = {"sgd": lambda: optax.sgd(RATE), "momentum": lambda: optax.sgd(RATE, momentum=0.9)}
    for base, made in inner.items():
        for rho in (0.05, 0.5):
            ascent = optax.chain(optax.contrib.normalize(), optax.sgd(rho))
            path = optax_walk(lambda m=made, a=ascent: optax.contrib.sam(m(), a, opaque_mode=True), asks=True)
            yield case("sam", base, {"rho": rho}, f"optax.contrib.sam({base}, sgd({rho}))", path)
    made = found("pytorch_optimizer.SAM")
    options = {"rho": 0.5, "adaptive": True, "use_gc": False, "perturb_eps": 0.0, "lr": RATE, "momentum": 0.9}
    path = torch_walk(lambda p: made(p, torch.optim.SGD, **options), True)
    yield case(
        "asam", "momentum", {"rho": 0.5, "eta": 0.0}, "pytorch_optimizer.SAM(SGD, adaptive=True)", path,
        note="the oracle rounds its norm to float32", tolerance=1e-8,
    )  # fmt: skip


def shifted_asam() -> Iterator[Golden]:
    """ASAM with T = |theta| + eta: the oracle's T is |theta|, so it is given theta + eta sign(theta) in each step."""
    for rho, eta in ((0.5, 0.01), (0.1, 0.3)):
        shown, note = (
            "pytorch_optimizer.SAM(SGD, adaptive=True)",
            "eta by shifting theta; it rounds its norm to float32",
        )
        settings = {"rho": rho, "eta": eta}
        yield case("asam", "momentum", settings, shown, shifted_walk(rho, eta), note=note, tolerance=1e-7)


def shifted_walk(rho: float, eta: float) -> np.ndarray:
    """Return theta after the kept steps of the oracle's adaptive SAM on shifted parameters."""
    import torch

    torch.set_default_dtype(torch.float64)
    tensor, slopes, path = torch.nn.Parameter(torch.tensor(INPUTS["theta"])), torch.tensor(SLOPES), []
    options = {"rho": rho, "adaptive": True, "perturb_eps": 0.0, "lr": RATE, "momentum": 0.9}
    made = found("pytorch_optimizer.SAM")([tensor], torch.optim.SGD, **options)
    for g in INPUTS["gradients"]:
        shift = eta * torch.sign(tensor.detach())

        def closure(g: np.ndarray = g, shift: Any = shift) -> None:
            tensor.grad = torch.tensor(g) + slopes * (tensor.detach() - shift)

        tensor.data += shift
        closure()
        made.step(closure)
        tensor.data -= shift
        path.append(tensor.detach().numpy().copy())
    return np.stack([path[step - 1] for step in ours.STEPS])


def gradients_changed() -> Iterator[Golden]:
    """MARS and the cautious mask around Adam; Mechanic around gradient descent and Adam."""
    import optax

    adam = {"b1": 0.95, "b2": 0.99, "eps": 1e-30, "eps_root": 0.0}
    for gamma in (0.025, 0.5):
        made = found("pytorch_optimizer.MARS")
        options = {"lr": RATE, "betas": (0.95, 0.99), "gamma": gamma, "weight_decay": 0.0, "eps": 1e-200}
        path = torch_walk(lambda p, m=made, o=options: m(p, **o, optimize_1d=True, foreach=False), False)
        note = "eps = 1e-200: it stands elsewhere there"
        shown = f"pytorch_optimizer.MARS(gamma={gamma})"
        yield case("mars", "adam", {"gamma": gamma, "b1": 0.95}, shown, path, base_settings=adam, note=note)
    lion = {"b1": 0.9, "b2": 0.99}
    made = found("pytorch_optimizer.Lion")
    options = {"lr": RATE, "betas": (0.9, 0.99), "weight_decay": 0.0, "cautious": True}
    path = torch_walk(lambda p: made(p, **options, foreach=False), False)
    yield case("cautious", "lion", {}, "pytorch_optimizer.Lion(cautious=True)", path, base_settings=lion)
    options = {"lr": RATE, "betas": (0.9, 0.99), "eps": 1e-8, "weight_decay": 0.0, "caution": True, "foreach": False}
    path = torch_walk(lambda p: found_alone("timm.optim.adamw.AdamWLegacy")(p, **options), False)
    adam = {"b1": 0.9, "b2": 0.99, "eps": 1e-8, "eps_root": 0.0}
    shown = "timm.optim.adamw.AdamWLegacy(caution=True)"
    yield case("cautious", "adam", {"xi": 0.0}, shown, path, base_settings=adam)
    bases = {"sgd": (optax.sgd(RATE), {}), "adam": (optax.adam(RATE), {"eps": 1e-8, "eps_root": 0.0})}
    for base, (inner, settings) in bases.items():
        for decay in (0.0, 1e-2):
            options = {"weight_decay": decay, "s_init": 1e-3, "eps": 1e-8}
            path = optax_walk(lambda i=inner, o=options: optax.contrib.mechanize(i, **o))
            mine = {"weight_decay": decay, "initial_scale": 1e-3}
            yield case("mechanic", base, mine, f"optax.contrib.mechanize({base})", path, base_settings=settings)


def make() -> Iterator[Golden]:
    """Compute every case afresh."""
    for family in (lookaheads, sharpness, shifted_asam, gradients_changed):
        yield from family()


if __name__ == "__main__":
    save("wrappers", make(), WRAPPER_INPUTS)

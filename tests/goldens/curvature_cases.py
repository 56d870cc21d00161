"""Golden cases of optimizers that use curvature, on the problems of `problems.py`.

Beside torch and optax: torch_optimizer (AdaHessian's authors' rule), pytorch_optimizer, and curvlinops, whose authors
wrote K-FAC for torch (with einops, einconv, tqdm, linear_operator, jaxtyping, wadler_lindig, mpmath; no torchvision).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from goldens import ours
from goldens.problems import LAYERS, ROWS, SIZES, logistic
from goldens.records import Golden, golden
from goldens.trajectories import INPUTS, RATE, found, found_alone, packed, shown, split

STEPS = max(ours.STEPS)
# A diagonal of the Hessian, by Hutchinson's estimator from the stored draws.
DIAGONALS = INPUTS["draws"] * (INPUTS["draws"] @ INPUTS["hessian"])


def case(
    problem: str, entry: str, settings: dict[str, Any], oracle: str, path: np.ndarray, rate: float = RATE,
    decay: float = 0.0, **rest: str,
) -> Golden:  # fmt: skip
    """Return a case with the kept steps of a path."""
    given = {"learning_rate": rate, "decay": decay, "problem": problem}
    kept = np.stack([path[step - 1] for step in ours.STEPS])
    return golden(entry, settings, oracle, {"path": kept}, given=given, **rest)


def falling(rate: float, decay: float) -> list[float]:
    """Return the rates of all steps."""
    return [rate / (1.0 + decay * t) for t in range(STEPS)]


def torch_diagonal(make: Callable[..., Any], decay: float, handed: bool) -> list[np.ndarray]:
    """Return the path of a torch optimizer; `handed`: its step takes the diagonals, else it differentiates."""
    import torch

    torch.set_default_dtype(torch.float64)
    tensors = [torch.nn.Parameter(torch.tensor(part)) for part in split(INPUTS["theta"])]
    made, path, hessian = make(tensors, RATE), [], torch.tensor(INPUTS["hessian"])
    for step, rate in enumerate(falling(RATE, decay)):
        for group in made.param_groups:
            group["lr"] = rate
        if handed:
            for tensor, part in zip(tensors, split(INPUTS["gradients"][step]), strict=True):
                tensor.grad = torch.tensor(part)
            made.step(hessian=[torch.tensor(part) for part in split(DIAGONALS[step])])
        else:
            flat = torch.cat([tensor.ravel() for tensor in tensors])
            # Its gradient is the stored one, its Hessian the stored one.
            away = flat - flat.detach()
            value = torch.tensor(INPUTS["gradients"][step]) @ away + away @ hessian @ away / 2
            made.zero_grad()
            value.backward(create_graph=True)
            signs = iter(split(INPUTS["draws"][step]))
            drawn = torch.randint_like
            torch.randint_like = lambda p, **rest: torch.tensor((next(signs) + 1) / 2)  # noqa: B023
            try:
                made.step()
            finally:
                torch.randint_like = drawn
        path.append(packed(tensor.detach().numpy() for tensor in tensors))
    return path


def optax_sophia(diagonals: np.ndarray, decay: float, **theirs: Any) -> list[np.ndarray]:
    """Return the path of optax's Sophia with the estimates of all steps."""
    import jax
    import jax.numpy as jnp
    import optax

    with jax.enable_x64(True):
        rates, table = jnp.array([*falling(RATE, decay), RATE]), jnp.array(diagonals)
        count = lambda params: jnp.zeros([], jnp.int32)  # noqa: E731
        # Asked only where it is due: the steps between are counted.
        every = theirs["update_interval"]
        estimate = optax.GradientTransformation(count, lambda updates, at, params=None: (table[at], at + every))
        made = optax.contrib.sophia(
            lambda count: rates[count], weight_decay=0.0, hessian_diagonal_fn=estimate, **theirs
        )
        theta, path = jnp.array(INPUTS["theta"]), []
        state = made.init(theta)
        for g in INPUTS["gradients"]:
            updates, state = made.update(jnp.array(g), state, theta)
            theta = optax.apply_updates(theta, updates)
            path.append(np.asarray(theta))
    return path


def adahessians() -> Iterator[Golden]:
    """AdaHessian, each of two codes at several powers."""
    alone = found_alone("torch_optimizer.adahessian.Adahessian")
    for betas, eps, power in (((0.9, 0.999), 1e-4, 1.0), ((0.5, 0.9), 1e-3, 0.5), ((0.0, 0.99), 1e-8, 1.0)):
        mine = {"b1": betas[0], "b2": betas[1], "eps": eps, "hessian_power": power}
        theirs = {"betas": betas, "eps": eps, "hessian_power": power}
        path = torch_diagonal(lambda p, lr, t=theirs: alone(p, lr=lr, **t), 0.1, handed=False)
        yield case("estimates", "adahessian", mine, shown("torch_optimizer.Adahessian", theirs), path, decay=0.1)
        made = found("pytorch_optimizer.AdaHessian")
        path = torch_diagonal(lambda p, lr, t=theirs, m=made: m(p, lr=lr, foreach=False, **t), 0.1, handed=True)
        yield case("estimates", "adahessian", mine, shown("pytorch_optimizer.AdaHessian", theirs), path, decay=0.1)


def sophias() -> Iterator[Golden]:
    """Sophia with both estimators."""
    made = found("pytorch_optimizer.SophiaH")
    for betas, eps, limit in (((0.96, 0.99), 1e-12, 0.01), ((0.5, 0.9), 1e-3, 1.0)):
        for every in (1, 10):
            mine = {"b1": betas[0], "b2": betas[1], "eps": eps, "gamma": 1.0, "threshold": limit, "interval": every}
            theirs = {"betas": betas, "eps": eps, "p": limit, "update_period": every}

            def make(p: Any, lr: float, theirs: dict[str, Any] = theirs) -> Any:
                inner = made(p, lr=lr, foreach=False, **theirs)
                step, at = inner.step, [0]

                def due(hessian: Any) -> None:
                    # Given an estimate it always takes it: here only where it is due.
                    inner.compute_hutchinson_hessian = lambda **rest: inner.set_hessian(
                        inner.param_groups, inner.state, hessian
                    )
                    step()
                    at[0] += 1

                inner.step = due
                return inner

            path = torch_diagonal(make, 0.1, handed=True)
            yield case("estimates", "sophia", mine, shown("pytorch_optimizer.SophiaH", theirs), path, decay=0.1)
            rest = {"b1": betas[0], "b2": betas[1], "eps": eps, "gamma": 0.05, "clip_threshold": limit}
            theirs = {**rest, "update_interval": every}
            mine = {**mine, "gamma": 0.05, "corrected": True, "late": True}
            path = optax_sophia(DIAGONALS, 0.1, **theirs)
            yield case("estimates", "sophia", mine, shown("optax.contrib.sophia", theirs), path, decay=0.1)
            note = "with B g^2 as its estimate"
            path = optax_sophia(ROWS * INPUTS["gradients"][::-1] ** 2, 0.1, **theirs)
            name = shown("optax.contrib.sophia", theirs)
            yield case("labels", "sophia", {**mine, "gauss_newton": True}, name, path, decay=0.1, note=note)


def searched() -> Iterator[Golden]:
    """L-BFGS of torch, one iteration a step, on a logistic loss."""
    import torch

    torch.set_default_dtype(torch.float64)
    for memory, rate in ((10, 1.0), (3, 1.0), (10, 0.1), (3, 8.0)):
        theta = torch.nn.Parameter(torch.tensor(INPUTS["theta"]))
        theirs = {"history_size": memory, "max_iter": 1, "max_eval": 26, "line_search_fn": "strong_wolfe"}
        made, path = torch.optim.LBFGS([theta], lr=rate, tolerance_grad=0.0, **theirs), []

        def closure(theta: Any = theta) -> Any:
            value, grads = logistic(theta.detach().numpy(), INPUTS)
            theta.grad = torch.tensor(grads)
            return torch.tensor(value)

        for _ in range(STEPS):
            made.step(closure)
            path.append(theta.detach().numpy().copy())
        yield case("logistic", "lbfgs", {"memory": memory}, shown("torch.optim.LBFGS", theirs), path, rate)


def natural() -> Iterator[Golden]:
    """K-FAC of curvlinops: its factors of every batch, averaged, its damping by the heuristic, its inverse."""
    for damping, decay, momentum, every in ((1e-2, 0.95, 0.9, 1), (1.0, 0.5, 0.0, 1), (0.1, 0.9, 0.5, 4)):
        mine = {"damping": damping, "decay": decay, "momentum": momentum, "interval": every, "sampled": False}
        path = curvlinops_path(damping, decay, momentum, every)
        note = "its factors averaged, its direction followed with momentum"
        name = f"curvlinops.KFACInverseLinearOperator(damping={damping}, use_heuristic_damping=True)"
        package = "curvlinops-for-pytorch"
        yield case("network", "kfac", mine, name, path, rate=0.1, note=note, package=package)


def curvlinops_path(damping: float, decay: float, momentum: float, every: int) -> list[np.ndarray]:
    """Return the packed parameters after every step; torch stores W transposed."""
    import curvlinops
    import torch

    torch.set_default_dtype(torch.float64)
    net = torch.nn.Sequential(torch.nn.Linear(*SIZES[:2]), torch.nn.Tanh(), torch.nn.Linear(*SIZES[1:]))
    for p, part in zip(net.parameters(), split(INPUTS["network_theta"], LAYERS), strict=True):
        p.data = torch.tensor(part.T.copy())
    optimizer, loss = torch.optim.SGD(net.parameters(), lr=0.1, momentum=momentum), torch.nn.CrossEntropyLoss()
    averages: list[dict[str, Any]] = [{}, {}]
    path, looks = [], 0
    for step in range(STEPS):
        x, classes = torch.tensor(INPUTS["network_x"][step]), torch.tensor(INPUTS["network_classes"][step])
        params = list(net.parameters())
        if step % every == 0:
            looks += 1
            operator = curvlinops.KFACLinearOperator(
                net, loss, params, [(x, classes)], fisher_type="empirical", separate_weight_and_bias=False,
                check_deterministic=False,
            )  # fmt: skip
            operator.compute_kronecker_factors()
            keep = min(1.0 - 1.0 / looks, decay)
            for kept, fresh in zip(
                averages, (operator._input_covariances, operator._gradient_covariances), strict=True
            ):
                for name, value in fresh.items():
                    kept[name] = keep * kept.get(name, 0.0) + (1.0 - keep) * value.detach()
                    fresh[name] = kept[name]
            inverse = curvlinops.KFACInverseLinearOperator(
                operator, damping=damping, use_heuristic_damping=True, min_damping=0.0
            )
        optimizer.zero_grad()
        loss(net(x), classes).backward()
        for p, direction in zip(params, inverse @ [p.grad for p in params], strict=True):
            p.grad = direction.detach()
        optimizer.step()
        path.append(packed(p.detach().numpy().T for p in params))
    return path


def curvature() -> Iterator[Golden]:
    """All of them."""
    for family in (searched, adahessians, sophias, natural):
        yield from family()

"""Golden cases of optimizers that do linear algebra on the weight matrices."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from goldens.records import Golden
from goldens.trajectories import case

# A tall matrix beside a wide one; as many numbers in all as the shapes of other cases have.
TALL = ((1,), (4, 5), (5, 3))


def muons() -> Iterator[Golden]:
    """Muon of optax, on matrices alone: its Adam has Nesterov momentum, so vectors are given optax.adam."""
    for b in (0.95, 0.5):
        for nesterov, steps in ((True, 5), (False, 3)):
            ours = {
                "momentum": b,
                "nesterov": nesterov,
                "ns_steps": steps,
                "eps": 1e-3,
                "adam_eps": 1e-8,
                "adam_rate": 0.5,
            }
            theirs = {"beta": b, "nesterov": nesterov, "ns_steps": steps, "eps": 1e-3}
            note = "optax.adam on vectors"
            kept = {**ours, "corrected": True}
            yield case("muon", kept, "optax.contrib.muon", theirs, optax_muon, note, decay=0.1)
            yield case("muon", kept, "optax.contrib.muon", theirs, optax_muon, note, shapes=TALL)
            yield case("muon", ours, "optax.trace, contrib.orthogonalize_via_newton_schulz", theirs, plain_muon, note)


def optax_muon(rate: Any, **theirs: Any) -> Any:
    """optax.contrib.muon on matrices, optax.adam at half the rate on vectors."""
    import optax

    return on_matrices(optax.contrib.muon(rate, **theirs), rate)


def plain_muon(rate: Any, beta: float, nesterov: bool, ns_steps: int, eps: float) -> Any:
    """The same without bias correction: optax's EMA in front of its orthogonalization."""
    import jax
    import jax.numpy as jnp
    import optax
    from optax.contrib import _muon

    def orthogonal(x: Any) -> Any:
        made = _muon.orthogonalize_via_newton_schulz(x, jnp.array(_muon._DEFAULT_NS_COEFFS), ns_steps, eps=eps)
        return made * jnp.sqrt(max(1, x.shape[1] / x.shape[0]))

    averaged = optax.chain(optax.scale(1 - beta), optax.trace(beta, nesterov=nesterov))
    made = optax.stateless(lambda updates, params: jax.tree.map(orthogonal, updates))
    return on_matrices(optax.chain(averaged, made, optax.scale_by_learning_rate(rate)), rate)


def on_matrices(made: Any, rate: Any) -> Any:
    """Return an optax transformation for matrices beside optax.adam at half the rate for vectors."""
    import jax
    import optax

    half = (lambda count: 0.5 * rate(count)) if callable(rate) else 0.5 * rate
    others = optax.adam(half, b1=0.9, b2=0.95, eps=1e-8)
    kinds = lambda params: jax.tree.map(lambda x: "matrix" if x.ndim == 2 else "vector", params)  # noqa: E731
    both = optax.partition({"matrix": made, "vector": others}, kinds)
    # Compiled once: its loop is otherwise compiled anew in every step.
    return optax.GradientTransformationExtraArgs(both.init, jax.jit(both.update))

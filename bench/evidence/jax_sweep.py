"""A part of the reference sweep in JAX: `python -m bench.evidence.jax_sweep INPUTS OUT PART PARTS HOW`.

HOW is vmap (24 runs side by side) or map (`lax.map`: one behind the other in the same program, which XLA runs faster on
one core, and compiles once as well). The persistent compilation cache lies where JAX_COMPILATION_CACHE_DIR says.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from bench.evidence.sweep_task import BATCH, INITS, LANES, MEASURES, PARTS, SEEDS, Program, first_weights, programs
from mlpjit.measure.peers.jax_peer import cross_entropy, epoch_of, first_state, logits

Data = tuple[Any, ...]


def run_of(program: Program) -> Callable[..., Any]:
    """Return run(data, rate, params, order) -> the MEASURES, validation and training loss for each epoch."""
    activation = program.activation
    epoch = epoch_of(activation, program.optimizer, BATCH)

    def score(params: Any, x: Any, y: Any) -> tuple[Any, Any]:
        outputs = logits(params, x, activation)
        right = outputs.argmax(axis=1) == y.argmax(axis=1)
        return cross_entropy(outputs, y), right.astype(jnp.float32).mean()

    def run(data: Data, rate: Any, params: Any, order: Any) -> tuple[Any, ...]:
        x, y, x_validation, y_validation, x_test, y_test = data

        def body(carry: Any, rows: Any) -> tuple[Any, Any]:
            params, state, loss = epoch(rate, x, y, *carry, rows)
            return (params, state), (loss, *score(params, x_validation, y_validation))

        (params, _), curves = lax.scan(body, (params, first_state(program.optimizer, params)), order)
        return (*curves, *score(params, x_test, y_test))

    return run


def lanes_of(program: Program, how: str) -> Callable[..., Any]:
    """Return the same for all lanes: rate, params and order with one more axis in front."""
    run = run_of(program)
    if how == "vmap":
        return jax.vmap(run, in_axes=(None, 0, 0, 0))
    return lambda data, *lanes: lax.map(lambda lane: run(data, *lane), lanes)


def main(inputs_path: str, out: str, part: str, parts: str, how: str) -> None:
    """Train every run of this part and write its measures as NPZ."""
    inputs = np.load(inputs_path)
    data = tuple(jnp.asarray(inputs[name]) for name in PARTS)
    rates = jnp.array([rate for _, rate, _ in LANES], jnp.float32)
    order = jnp.asarray(inputs["order"][[SEEDS.index(seed) for *_, seed in LANES]])
    places = [INITS.index(init) for init, *_ in LANES], [SEEDS.index(seed) for *_, seed in LANES]
    found = {}
    for program in programs(int(part), int(parts)):
        weights = [w[places] for w in first_weights(inputs, program.depth)]
        params = [(jnp.asarray(w), jnp.zeros((len(w), w.shape[-1]), jnp.float32)) for w in weights]
        found[program.key] = jax.jit(lanes_of(program, how))(data, rates, params, order)
    measures = {f"{key}-{name}": np.asarray(v) for key, values in found.items() for name, v in
                zip(MEASURES, values, strict=True)}  # fmt: skip
    np.savez(out, **measures)  # type: ignore[arg-type]


if __name__ == "__main__":
    main(*sys.argv[1:6])

"""A part of a sweep of small runs in JAX: `python -m bench.evidence.small_jax INPUTS OUT PART PARTS HOW`.

A program for each optimizer, activation and depth makes all runs that it has. HOW is vmap (all of them side by side) or
map (`lax.map` over seeds, within each `vmap` over initializers and rates: what is at work fits into the cache). Either
way what the runs of a seed share, its data and its batches, is not copied for each of them. The persistent compilation
cache lies where JAX_COMPILATION_CACHE_DIR says.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from bench.evidence.jax_sweep import run_of
from bench.evidence.small_cases import PARTS, read_case
from bench.evidence.sweep_task import MEASURES, Program


def runs_of(program: Program, how: str) -> Callable[..., Any]:
    """Return the runs of a program: data, params and order by seed, params then by initializer; out by rate, last."""
    rates = jax.vmap(run_of(program), in_axes=(None, 0, None, None))
    of_seed = jax.vmap(rates, in_axes=(None, None, 0, None))
    if how == "vmap":
        return jax.vmap(of_seed, in_axes=(0, None, 0, 0))
    return lambda data, rates, *own: lax.map(lambda each: of_seed(each[0], rates, *each[1:]), (data, *own))


def main(inputs_path: str, out: str, part: str, parts: str, how: str) -> None:
    """Train every run of this part and write its measures as NPZ."""
    inputs = np.load(inputs_path)
    case = read_case(inputs)
    programs, seeds = case.share(int(part), int(parts))
    data = tuple(jnp.asarray(inputs[name][seeds]) for name in PARTS)
    rates, order = jnp.array(case.rates, jnp.float32), jnp.asarray(inputs["order"][seeds])
    found = {}
    for each in programs:
        program = Program(*each)
        weights = [inputs[f"w{program.depth}_{layer}"][seeds] for layer in range(program.depth + 1)]
        params = [(jnp.asarray(w), jnp.zeros((*w.shape[:2], w.shape[-1]), jnp.float32)) for w in weights]
        found[program.key] = jax.jit(runs_of(program, how))(data, rates, params, order)
    measures = {f"{key}-{name}": np.asarray(v) for key, values in found.items() for name, v in
                zip(MEASURES, values, strict=True)}  # fmt: skip
    np.savez(out, **measures)  # type: ignore[arg-type]


if __name__ == "__main__":
    main(*sys.argv[1:6])

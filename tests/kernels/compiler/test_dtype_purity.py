"""No float32 kernel computes in double, but for the named sums and once-a-step scalars, as its LLVM IR shows.

In Numba `int - float32` is float64, so a careless `(1 - b1) * g` would run a whole loop in double.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from functools import cache
from typing import Any

import numba
import pytest
from oracles.llvm_loops import (
    double_arithmetic,
    double_arithmetic_in_float_loops,
    double_arithmetic_in_inner_loops,
    narrowing_in_float_loops,
)

from mlpjit import kernels
from mlpjit.catalogue.registries import clippings, optimizers, wrappers
from mlpjit.kernels.arithmetic.mapping import FUNCTIONS, map_loop
from mlpjit.kernels.compiler import jit, simd
from mlpjit.kernels.compiler.linking import signature_of
from mlpjit.kernels.interactive.gradients import objective_loop
from mlpjit.kernels.lanes.updates import lane_update_loop
from mlpjit.kernels.language import Int, Kernel, Real, Reals, kernel, load, store
from mlpjit.kernels.network.activation_loops import LEARNED_LOOPS
from mlpjit.kernels.network.activation_loops import LOOPS as ACTIVATION_LOOPS
from mlpjit.kernels.network.activation_rules import linked_names as linked
from mlpjit.kernels.network.activations import activations
from mlpjit.kernels.network.loss_rules import (
    lane_parts,
    lane_pointwise_loop,
    parts,
    pointwise_loop,
    pointwise_tangent_loop,
    pointwise_values_loop,
)
from mlpjit.kernels.network.losses import losses
from mlpjit.kernels.rates import schedule_loop
from mlpjit.kernels.stages.asking import ASKING
from mlpjit.kernels.stages.layerwise import layerwise_loop
from mlpjit.kernels.stages.stage import elementwise_loop, linked_names
from mlpjit.training import linking

STAGES = {"clipping": clippings, "optimizer": optimizers, "wrapper": wrappers}
# Scalars of a step, sums that are kept or returned in double, random numbers: never on a loop that stores float32.
SCALARS = {
    "add_residuals", "batch_gradient", "batch_loss", "determination", "draw_mask", "evaluate", "evaluate_epoch",
    "fill_normal", "fill_uniform", "finish", "add_units", "write_units", "orthonormalize_rows", "penalty",
    "begin_search", "inner_product", "inside_bracket", "interpolated", "keep", "keep_pair", "kept", "look_for_bracket",
    "mean_of_diagonal", "narrow_bracket", "normal_at", "search_on", "set_end", "uniform_at", "average_factor",
    "average_products",
    "repeat_step", "report", "set_momentum", "squares", "take_step", "train", "update_params", "watch_plateau",
    "cross_entropy_tangent",
    "add_losses", "add_lane_residuals", "evaluate_group", "finish_group", "group_step", "judge_epoch", "make_group",
    "note_divergence", "note_divergences", "observe_block", "report_group", "score_of", "train_group",
    "update_group",
    "loss_tangent_cross_entropy", "make_runs", "network_gradient", "quadratic_gradient",
    *(f"{kind}_{name}" for kind, registry in STAGES.items() for name in registry),
}  # fmt: skip
# These loop over tensors, and each has scalars of its own: held to their inner loops.
TENSORWISE = {
    *(f"optimizer_{rule.name}" for rule in optimizers.records() if rule.kind == "layerwise"),
    "wrapper_cautious", "wrapper_mars", "clipping_per_layer_norm", "clipping_adaptive", "run_stage", "make_step",
    # The sums of each row are double.
    *("normalize_rows", "normalize_rows_back", "rows_tangent", "rows_back_tangent", "quadratic_product"),
    "losses_at",
}  # fmt: skip
# Sums in double beside float32 data, on one loop: losses, and `dot`. Nothing of them may come back to the data.
RANDOM = {"begin", "fill_normals"}  # drawn in double and rounded once, so that both dtypes see the same numbers
# Each lane has scalars of its own, worked out in double one after the other; what runs over parameters is in vectors.
LANE_UPDATES = {f"lane_update_{rule.name}" for rule in optimizers.records() if rule.kind == "elementwise"}
SUMS = {
    *(f"loss_{name}" for name in losses),
    *(f"lane_loss_{loss.name}" for loss in losses.records() if loss.kernel is None),
    "cross_entropy",
    "lane_cross_entropy",
    "few_classes",
    "observe_lanes",
    "observe_units",
    "record_gradients",
    "record_updates",
    "sum_of_sizes",
}


def templates() -> dict[str, tuple[Kernel, dict[str, Any]]]:
    """Return the loops that a rule is linked into, one for each rule, and the clippings."""
    found: dict[str, tuple[Kernel, dict[str, Any]]] = {n: (map_loop, {"function": f}) for n, f in FUNCTIONS.items()}
    for rule in activations.records():
        loops = ACTIVATION_LOOPS | (LEARNED_LOOPS if rule.by_parameter else {})
        found |= {f"{use}_{rule.name}": (loop, linked(rule)) for use, loop in loops.items()}
    for each in losses.records():
        found |= {f"loss_{each.name}": parts(each), f"loss_tangent_{each.name}": parts(each, tangent=True)}
        if each.kernel is None:
            found[f"lane_loss_{each.name}"] = lane_parts(each)
    for rule in optimizers.records():
        if rule.kind == "elementwise":
            found[f"lane_update_{rule.name}"] = lane_update_loop, linked_names(rule)
    for kind, registry in STAGES.items():
        found |= {f"{kind}_{rule.name}": linking.stage_loop(rule) for rule in registry.records()}
    return found


def plain() -> dict[str, tuple[Kernel, dict[str, Any]]]:
    """Return every other kernel of the package."""
    found: dict[str, Kernel] = {}
    for module in pkgutil.walk_packages(kernels.__path__, "mlpjit.kernels."):
        members = vars(importlib.import_module(module.name)).values()
        found |= {member.name: member for member in members if isinstance(member, Kernel)}
    alone = (pointwise_loop, pointwise_tangent_loop, pointwise_values_loop, lane_pointwise_loop)
    stages = (elementwise_loop, layerwise_loop, objective_loop, lane_update_loop, *ASKING.values())
    linked = {
        loop.name
        for loop in (map_loop, schedule_loop, *ACTIVATION_LOOPS.values(), *LEARNED_LOOPS.values(), *alone, *stages)
    }
    return {name: (record, {}) for name, record in found.items() if name not in linked}


ALL = plain() | templates()


@cache
def llvm(name: str) -> str:
    """Return the optimized IR in float32, compiled afresh: Numba shows none for what came from a cache."""
    record, names = ALL[name]
    return ir_of(record, names)


def ir_of(record: Kernel, names: dict[str, Any]) -> str:
    made = numba.cfunc(signature_of(record, "float32"), **jit.OPTIONS)
    return made(jit.link(record.function, "float32", names)).inspect_llvm()


@pytest.mark.parametrize("name", ALL)
def test_no_double_arithmetic(name):
    ir = llvm(name)
    if name in RANDOM:
        assert double_arithmetic(ir)
    elif name in LANE_UPDATES:
        assert [line for line in double_arithmetic(ir) if " x double>" in line] == []
    elif name in SUMS:
        assert double_arithmetic(ir)
        assert narrowing_in_float_loops(ir) == []
    elif name in TENSORWISE:
        assert double_arithmetic_in_inner_loops(ir) == []
    elif name in SCALARS:
        assert double_arithmetic_in_float_loops(ir) == []
    else:
        assert double_arithmetic(ir) == []


@pytest.mark.parametrize("name", ALL)
def test_no_fast_math(name):
    """A flag that reorders or contracts would let the bits depend on the CPU."""
    assert re.findall(r"= .*\b(?:fast|reassoc|contract|arcp|afn)\b .*(?:float|double)", llvm(name)) == []


def test_every_exception_is_a_kernel():
    assert set(ALL) >= SCALARS | SUMS | RANDOM | TENSORWISE | LANE_UPDATES


@kernel
def careless(count: Int, rate: Real, x: Reals) -> None:
    """What the test is there to find: 1 - rate is float64, and so is the product."""
    for i in range(count):
        store(x, i, FLOAT(load(x, i) * (1 - rate)))  # noqa: F821


def test_carelessness_is_found():
    """The literal 1 is an int, so the difference is double, and the product too."""
    ir = ir_of(careless, {"FLOAT": simd.PRIMITIVES["float32"]})
    assert double_arithmetic_in_float_loops(ir)
    assert double_arithmetic_in_inner_loops(ir)
    assert narrowing_in_float_loops(ir)

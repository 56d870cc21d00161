"""From catalogue records to compiled kernels: which loop a rule is linked into, and its address."""

from __future__ import annotations

from typing import Any

from mlpjit.catalogue.registries import activations, clippings, losses, normalizations, optimizers, schedules, wrappers
from mlpjit.kernels.compiler import jit
from mlpjit.kernels.entries import Activation, Stage
from mlpjit.kernels.lanes.training import make_group
from mlpjit.kernels.lanes.updates import lane_update_loop
from mlpjit.kernels.language import Kernel, kernel
from mlpjit.kernels.network.activation_loops import LEARNED_LOOPS
from mlpjit.kernels.network.activation_loops import LOOPS as ACTIVATION_LOOPS
from mlpjit.kernels.network.activation_rules import linked_names as activation_names
from mlpjit.kernels.network.loss_rules import lane_parts
from mlpjit.kernels.network.loss_rules import parts as loss_parts
from mlpjit.kernels.rates import loop as schedule_loop
from mlpjit.kernels.stages.asking import ASKING
from mlpjit.kernels.stages.declare import check_here
from mlpjit.kernels.stages.draws import draw_normals, draw_nothing
from mlpjit.kernels.stages.layerwise import layerwise_loop
from mlpjit.kernels.stages.stage import elementwise_loop, linked_names
from mlpjit.training.rule_keys import key_of
from mlpjit.training.shape import is_learned

# An output layer of these has no activation loop: the outputs are z, or a softmax over it.
LINEAR_OUTPUTS = ("identity", "softmax")

_made: dict[tuple[Any, ...], tuple[Kernel, dict[str, Any]]] = {}


def _linked(kind: str, record: Any, loop: Kernel, names: dict[str, Any]) -> tuple[Kernel, dict[str, Any]]:
    """Return one and the same kernel record for a rule in a loop, and the names it is linked with."""
    check_here(record)
    key = (kind, record)
    if key not in _made:
        _made[key] = Kernel(f"{kind}_{record.name}", loop.function, loop.parameters, loop.returns), names
    return _made[key]


def activation(name: str, dtype: str, use: str = "forward") -> jit.Compiled:
    """Return an activation's loop: "forward" (f and df), "curvature" (d2f) or "evaluation" (all three).

    Those compile its parameter in. "learned" and "learned_pair" take one for each unit instead.
    """
    record: Activation = activations[name]
    loop = (ACTIVATION_LOOPS | LEARNED_LOOPS)[use]
    made, names = _linked(f"activation_{use}", record, loop, activation_names(record))
    return jit.load(made, dtype, names, f"{key_of(record)} {record.settings}".replace(" ", "-"))


def stage_loop(record: Stage) -> tuple[Kernel, dict[str, Any]]:
    """Return the loop that drives a stage's rule, and the names it is linked with; a whole rule is its own."""
    if record.kind in ("elementwise", "asking"):
        return ASKING.get(record.asks, elementwise_loop), linked_names(record)
    if record.kind in ("layerwise", "joint"):
        numbers = {"JOINT": int(record.kind == "joint"), "SETTINGS": len(record.defaults)}
        draw = draw_normals if record.draws else draw_nothing
        return layerwise_loop, {"rule": record.function, "draw": draw, **numbers}
    return kernel(record.function), {}


def _stage(kind: str, record: Stage, dtype: str) -> jit.Compiled:
    """Return a stage, compiled in its loop."""
    made, names = _linked(kind, record, *stage_loop(record))
    return jit.load(made, dtype, names, key_of(record))


def optimizer(name: str, dtype: str) -> jit.Compiled:
    """Return an optimizer's stage."""
    return _stage("optimizer", optimizers[name], dtype)


def wrapper(name: str, dtype: str) -> jit.Compiled:
    """Return a wrapper's stage."""
    return _stage("wrapper", wrappers[name], dtype)


def curvature(dtype: str) -> jit.Compiled:
    """Return the kernel of Hessian-vector products."""
    from mlpjit.kernels.network.curvature import hessian_vector_product

    return jit.load(hessian_vector_product, dtype)


def schedule(name: str) -> jit.Compiled:
    """Return the loop that writes a schedule's rates."""
    record = schedules[name]
    made, names = _linked("schedule", record, *schedule_loop(record))
    return jit.load(made, "float64", names, key_of(record))


def loss(name: str, dtype: str) -> jit.Compiled:
    """Return the kernel of a loss."""
    return _loss("loss", name, dtype, tangent=False)


def lane_kernels(loss: str, optimizer: str) -> dict[str, tuple[Kernel, dict[str, Any], str]]:
    """Return what runs in lanes are compiled from: the kernel, the names it is linked with, and their key."""
    of_loss, rule = losses[loss], optimizers[optimizer]
    return {
        "group": (make_group, {}, ""),
        "loss": (*_linked("lane_loss", of_loss, *lane_parts(of_loss)), key_of(of_loss)),
        "update": (
            *_linked("lane_update", rule, lane_update_loop, linked_names(rule)), key_of(rule)
        ),
    }  # fmt: skip


def loss_tangent(name: str, dtype: str) -> jit.Compiled:
    """Return the kernel of a loss's directional derivative."""
    return _loss("loss_tangent", name, dtype, tangent=True)


def loss_sample(name: str, dtype: str) -> jit.Compiled:
    """Return the kernel of a loss's gradient on labels drawn from it."""
    record = losses[name].sample
    assert record, f"{name} is no log-likelihood"
    return jit.load(record, dtype)


def _loss(kind: str, name: str, dtype: str, tangent: bool) -> jit.Compiled:
    record = losses[name]
    made, names = _linked(kind, record, *loss_parts(record, tangent))
    return jit.load(made, dtype, names, key_of(record))


def normalization(name: str, dtype: str, pairs: bool = False) -> dict[str, int]:
    """Return the addresses of what a normalization does, or of their pairs, by column; 0 for nothing."""
    record = normalizations[name]
    acts = record.pairs if pairs else record.acts
    return {act: 0 if each is None else jit.load(each, dtype).address for act, each in acts._asdict().items()}


def clipping(name: str, dtype: str) -> jit.Compiled:
    """Return a clipping stage."""
    return _stage("clipping", clippings[name], dtype)


def activation_address(name: str, dtype: str, last: bool) -> int:
    """Return an activation's address; a linear or softmax output has none."""
    if last and name in LINEAR_OUTPUTS:
        return 0
    return activation(name, dtype, "learned" if is_learned(name) else "forward").address


def derivatives_address(name: str, dtype: str) -> int:
    """Return the address of all that a Hessian-vector product asks of an activation; 0 for a softmax output."""
    if name == "softmax":
        return 0
    return activation(name, dtype, "learned_pair" if is_learned(name) else "evaluation").address

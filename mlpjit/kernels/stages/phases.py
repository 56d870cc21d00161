"""Rules over all parameters that ask, one function before each thing that is asked: their phases are written here.

Each function takes what it names: step, count, params, grads, extra, scratch, learning_rate and loss, states and
hyperparameters, as joint rules do; `vector` is what a function writes for the Hessian to be multiplied with, `product`
what comes of it. `grads` and `loss` are the latest that were asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mlpjit.errors import ConfigError
from mlpjit.kernels.language import Function, device, load, offset, real, written
from mlpjit.kernels.stages.named_arguments import passed_on
from mlpjit.kernels.stages.stage import AFTER, DONE, NEED_GRADIENT, NEED_HVP, NEED_LOSS, call_stage
from mlpjit.kernels.tables import TENSOR

ARGUMENTS = (
    "phase", "step", "rows", "count", "params", "grads", "state", "scratch", "settings", "learning_rate", "loss",
    "tensors", "tensor_count",
)  # fmt: skip
ASKS = {"gradient": NEED_GRADIENT, "loss": NEED_LOSS, "product": NEED_HVP}
COSTS = {"gradient": 1, "loss": 0, "product": 2}  # gradients' worth
VECTORS = 2  # arrays of scratch in front, where a product is asked for: the vector and the product


def sequence(name: str, before: Function | Sequence[Function], asks: str | Sequence[str]) -> list[tuple[Function, str]]:
    """Return each function with what is asked behind it; ConfigError where they do not go together."""
    functions = [before] if callable(before) else list(before)
    wanted = [asks] if isinstance(asks, str) and asks else list(asks)
    if unknown := [each for each in wanted if each not in ASKS]:
        raise ConfigError(f"{name}: asks={unknown[0]!r}, need one of {', '.join(map(repr, ASKS))}")
    if len(functions) != len(wanted):
        told = f"{len(functions)} function(s) in `before` and {len(wanted)} in `asks`"
        raise ConfigError(f"{name}: {told}, need one in front of each thing that is asked")
    return list(zip(functions, wanted, strict=True))


def in_phases(
    rule: Function, asked: Sequence[tuple[Function, str]], state: Sequence[str], defaults: Iterable[str], behind: bool
) -> Function:
    """Return the stage that calls these functions phase by phase, then the rule; `behind`: behind the optimizer."""
    names = list(defaults)
    base = VECTORS if any(what == "product" for _, what in asked) else 0
    values = {name: name for name in ("step", "count", "params", "grads")}
    values |= {"scratch": f"offset(scratch, {base} * count)", "extra": "offset(state, load(tensors, TENSOR.extra_at))"}
    values |= {"vector": "scratch", "product": "offset(scratch, count)"} if base else {}
    scope = {"offset": offset, "real": real, "load": load, "TENSOR": TENSOR, "rule": device(rule)}
    lines = []
    for phase, (function, what) in enumerate(asked):
        scope |= {f"before_{phase}": device(function), f"NEED_{phase}": ASKS[what]}
        call = f"before_{phase}({passed_on(function, values, state, names)})"
        lines += [f"if phase == {phase}:", f"    {call}", f"    return NEED_{phase}"]
    last = AFTER if behind else len(asked)
    lines += [f"if phase == {last}:", f"    rule({passed_on(rule, values, state, names)})", f"return {DONE}"]
    made = written(f"{rule.__name__}_in_phases", ARGUMENTS, lines, scope, rule.__module__)
    made.__annotations__ = {**dict(zip(ARGUMENTS, call_stage.parameters, strict=True)), "return": call_stage.returns}
    made.rule, made.__doc__ = rule, rule.__doc__  # type: ignore[attr-defined]
    made.before = tuple(function for function, _ in asked)  # type: ignore[attr-defined]
    return made

"""Optimizers that see a tensor at a time or all parameters together, whole-step rules, and wrappers of any optimizer.

A layerwise rule is a function of one tensor, called once a step for each; a joint one sees all parameters as one row:

    name(step, rows, columns, kind, count, params, grads, state, extra, scratch, settings, learning_rate, loss)

params, grads, state: pointers to the tensor's part, rows x columns, row-major (W is stored (fan_in, fan_out), the
transpose of most papers' W; biases, gamma and beta are 1 x n). A second state array stands `count` behind the first.
extra: the tensor's own numbers, as many as the record's `extra(rows, columns, kind)` says, 0 before the first step.
scratch: `extra_scratch(rows, columns, kind)` numbers that nothing keeps; with `draws` it begins with rows x columns
standard normal numbers. settings: the hyperparameters in the order of the defaults, float64. loss: of this batch at
params. It changes params and state in place. A whole rule has the signature of `stages.call_stage`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mlpjit.kernels.entries import Stage
from mlpjit.kernels.language import Float64, Float64s, Function, Int, Ints, Reals, device, kernel, load, offset
from mlpjit.kernels.optimizers.elementwise import optimizers
from mlpjit.kernels.optimizers.stages import COLUMNS, DONE, EXTRA_AT, KIND, OFFSET, ROWS, TENSOR_COLUMNS
from mlpjit.registry import Registry

wrappers: Registry[Stage] = Registry("wrapper")
Size = Callable[[int, int, int], int]


@kernel
def layerwise_loop(
    phase: Int, step: Int, rows: Int, count: Int, params: Reals, grads: Reals, state: Reals, scratch: Reals,
    settings: Float64s, learning_rate: Float64, loss: Float64, tensors: Ints, tensor_count: Int,
) -> Int:  # fmt: skip
    """Call the rule for every tensor in turn; where JOINT, once for all."""
    for t in range(1 if JOINT else tensor_count):  # noqa: F821
        tensor = offset(tensors, t * TENSOR_COLUMNS)
        at, tall = load(tensor, OFFSET), 1 if JOINT else load(tensor, ROWS)  # noqa: F821
        draw(settings, SETTINGS, step, at, tall * load(tensor, COLUMNS), scratch)  # noqa: F821
        rule(  # noqa: F821
            step, tall, count if JOINT else load(tensor, COLUMNS), load(tensor, KIND), count,  # noqa: F821
            offset(params, at), offset(grads, at), offset(state, at), offset(state, load(tensor, EXTRA_AT)), scratch,
            settings, learning_rate, loss,
        )  # fmt: skip
    return DONE


def joint(
    formula: str, citation: str, state: tuple[str, ...] = (), *, extra: int = 0, scratch: int = 0,
    initial: dict[str, float | str] | None = None, parts: tuple[Function, ...] = (), **defaults: float | bool,
) -> Callable[[Function], Stage]:  # fmt: skip
    """Register a rule of all parameters together, with `extra` numbers kept and `scratch` arrays of their length."""

    def register(function: Function) -> Stage:
        made = Stage(
            function.__name__, device(function), formula, citation, defaults, parts, "joint", state,
            initial=initial or {}, extra=(lambda rows, columns, kind: extra) if extra else None, scratch=scratch,
        )  # fmt: skip
        return optimizers.register(made)

    return register


def layerwise(
    formula: str, citation: str, state: tuple[str, ...] = (), *, extra: Size | None = None,
    extra_scratch: Size | None = None, initial: dict[str, float | str] | None = None, parts: tuple[Function, ...] = (),
    draws: bool = False, **defaults: float | bool,
) -> Callable[[Function], Stage]:  # fmt: skip
    """Register a rule of one tensor; what the options mean stands at `Stage`."""

    def register(function: Function) -> Stage:
        made = Stage(
            function.__name__, device(function), formula, citation, defaults, parts, "layerwise", state,
            initial=initial or {}, extra=extra, extra_scratch=extra_scratch, draws=draws,
        )  # fmt: skip
        return optimizers.register(made)

    return register


def whole(formula: str, citation: str, state: tuple[str, ...] = (), **options: Any) -> Callable[[Function], Stage]:
    """Register an optimizer with the signature of `stages.call_stage`; `options` are fields of `Stage` and defaults."""
    return lambda function: optimizers.register(_whole(function, formula, citation, state, options))


def wrapper(formula: str, citation: str, state: tuple[str, ...] = (), **options: Any) -> Callable[[Function], Stage]:
    """Register a wrapper, which is called before and behind the optimizer that it wraps; options as of `whole`."""
    return lambda function: wrappers.register(_whole(function, formula, citation, state, options))


FIELDS = (
    "extra_gradients", "initial", "extra", "extra_scratch", "scratch", "curvature", "point", "moves", "draws",
    "factors", "samples", "line_search", "parts", "limits",
)  # fmt: skip


def _whole(function: Function, formula: str, citation: str, state: tuple[str, ...], options: dict[str, Any]) -> Stage:
    fields = {name: options.pop(name) for name in FIELDS if name in options}
    name = function.__name__.removesuffix("_wrapper")
    return Stage(name, function, formula, citation, options, kind="whole", state=state, **fields)

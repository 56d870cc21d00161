"""Records of catalogue entries: what is listed, hashed and compiled for each. Imports no Numba."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mlpjit.bounds import HYPERPARAMETERS, Limits
from mlpjit.kernels.language import Function


@dataclass(frozen=True, eq=False)
class Rule:
    """A catalogue entry: what `mlpjit list` shows, and the functions that are compiled for it.

    `limits` of its parameters by name. `divisors`: parameters by which it divides together, so that one of them at
    least is `bounds.LEAST_DIVISOR` or more.
    """

    name: str
    function: Function
    formula: str
    citation: str
    defaults: dict[str, Any] = field(default_factory=dict)
    parts: tuple[Function, ...] = ()
    limits: Mapping[str, Limits] = field(default_factory=dict, kw_only=True)
    divisors: tuple[str, ...] = field(default=(), kw_only=True)

    @property
    def summary(self) -> str:
        """The first line of the function's docstring."""
        return (self.function.__doc__ or "").strip().partition("\n")[0]

    def source_hash(self) -> str:
        """Return the hash of this entry's code and options: a run that uses it is new when this changes.

        The source of a function does not show the options; what an entry is called and limited to is none.
        """
        from mlpjit.kernels.functions import function_hash

        code = " ".join(function_hash(f) for f in (self.function, *self.parts))
        given = [value for name, value in vars(self).items() if name not in Rule.__annotations__]
        options = [function_hash(getattr(value, "function", value)) if callable(value) else value for value in given]
        return f"{code} {hashlib.sha256(repr(options).encode()).hexdigest()}"


@dataclass(frozen=True, eq=False)
class Activation(Rule):
    """(z, *settings) -> (f, df, d2f). `slope_limit` is the largest |df|: below 1 % of it a unit counts as saturated.

    `settings` are the values of its parameters, compiled in; `steepest` gives the slope limit for others.
    `by_parameter`: (z, parameter) -> (df/dp, d2f/dp dz, d2f/dp2); the parameter is then learned, one for each unit,
    which begins at its setting. `bends`: d2f is a number, as Hessian-vector products need it.
    """

    slope_limit: float = 1.0
    settings: tuple[float, ...] = ()
    steepest: Callable[..., float] | None = None
    by_parameter: Function | None = None
    bends: bool = True


@dataclass(frozen=True, eq=False)
class Stage(Rule):
    """A stage of a training step: an optimizer or a clipping rule.

    `kind` names the loop that drives `function` (elementwise, layerwise, joint, whole), `state` the arrays it keeps,
    each as long as the parameters; `extra_gradients` counts gradients beyond the first that one step asks for.
    A state starts at 0 unless `initial` says otherwise: a number, the name of a hyperparameter, or "params".
    `uses_params`: the rule takes theta behind g. `decays`: its last scalar is the decay of the weight matrices.
    Hyperparameters are limited by their names (`HYPERPARAMETERS`) unless `limits` says otherwise.
    `extra` and `extra_scratch` (rows, columns, kind) -> how many numbers it keeps of a tensor, and needs for one in a
    step; `scratch` counts arrays as long as the parameters. `curvature`: it asks for Hessian-vector products. `point`:
    it reports another point than the parameters. `moves`: a wrapper that changes the parameters behind the optimizer.
    `draws`: it draws random numbers; behind its hyperparameters stand the low and the high 32 bits of the seed.
    `factors`: it reads the inputs and deltas of the batch. `samples` names the hyperparameter under which it asks for
    labels drawn from the prediction. `line_search`: it compares losses with the gradient that it is given.
    `momentum_product`: behind its hyperparameters stands 1 minus the product of all momenta that a schedule has set so
    far, 0 where none does: for elementwise rules that correct with it.
    `interleave`: how many vectors an elementwise loop works on side by side, for rules whose steps wait for each other.
    """

    kind: str = "elementwise"
    state: tuple[str, ...] = ()
    extra_gradients: int = 0
    scalars: Function | None = None
    uses_params: bool = False
    decays: bool = False
    initial: dict[str, float | str] = field(default_factory=dict)
    extra: Callable[[int, int, int], int] | None = None
    extra_scratch: Callable[[int, int, int], int] | None = None
    scratch: int = 0
    curvature: bool = False
    point: bool = False
    moves: bool = False
    draws: bool = False
    factors: bool = False
    samples: str = ""
    line_search: bool = False
    momentum_product: bool = False
    interleave: int = 1

    def __post_init__(self) -> None:
        known = {name: HYPERPARAMETERS[name] for name in self.defaults if name in HYPERPARAMETERS}
        object.__setattr__(self, "limits", {**known, **self.limits})

    @property
    def momentum(self) -> str | None:
        """The hyperparameter that `momentum_schedule` sets, `momentum` or else `b1`; None where there is none.

        An optimizer whose reported point is worked out with it needs the same one throughout.
        """
        return None if self.point else next((name for name in ("momentum", "b1") if name in self.defaults), None)

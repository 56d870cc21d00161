"""What can be wrong with a stage of the user's own, found before any run and told in lines that quote the file.

Each check sees what the checks before it passed: the signature as written, the scalars, the rule as Numba types it, the
stage as it will run, and three steps on harmless numbers.
"""

from __future__ import annotations

import hashlib
import inspect
import itertools
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from mlpjit.catalogue.registries import REGISTRIES
from mlpjit.errors import ConfigError
from mlpjit.extending.checking import rules_of
from mlpjit.extending.files import Entry
from mlpjit.extending.findings import RuleError, definition, returning, told
from mlpjit.extending.words import forbidden
from mlpjit.kernels.compiler import cache, inspection, jit
from mlpjit.kernels.entries import Stage
from mlpjit.kernels.functions import Finding, is_users, own_code
from mlpjit.kernels.stages.declare import plain_scalars
from mlpjit.kernels.stages.named_arguments import inner, kinds

MOST_STATES = 8
STEPS = 3
ENTRIES = ("elementwise", "asking")  # rules of one entry of the gradient
ASKED = {"gradient": "there", "product": "product", "diagonal": "diagonal"}  # what is called how, behind g
STAGES = ("optimizers", "wrappers", "clippings")
SHAPES = [(5, 7), (7,), (7, 3), (3,)]


def problems(entries: Sequence[Entry], dtypes: Sequence[str]) -> list[str]:
    """Return the first thing wrong with each of these entries, one line each; an empty list is a pass.

    What is no stage was checked when it was declared.
    """
    found = []
    for record in (REGISTRIES[kind][name] for kind, name in entries if kind in STAGES):
        key = _checked_as(record, dtypes)
        try:
            cache.remembered(key, partial(_passed, key, record, dtypes))
        except ConfigError as error:
            found += error.problems
    return found


def _checked_as(record: Stage, dtypes: Sequence[str]) -> str:
    """Return what a check depends on: the optimizer, the dtypes, and the compiler with everything that it links."""
    options = (record.kind, record.defaults, record.state, record.uses_params, record.decays, record.initial)
    return f"checked, raising too, {record.source_hash()} {options} {sorted(dtypes)} {jit.cache_folder().name}"


def _passed(key: str, record: Stage, dtypes: Sequence[str]) -> str:
    """Check an optimizer and return the hash of its key; ConfigError with the first thing that is wrong."""
    if first := next(_findings(record, dtypes), None):
        raise RuleError(told(first))
    return hashlib.sha256(key.encode()).hexdigest()


def _findings(record: Stage, dtypes: Sequence[str]) -> Iterator[Finding]:
    yield from _counts(record)
    yield from _written(record)
    if record.kind in ENTRIES:
        yield from _elementwise(record, dtypes)
    elif inner(record.function) is not record.function:
        for rule, dtype in itertools.product(rules_of(record), dtypes):
            yield from _compiled(record, rule, dtype, kinds(rule, dtype, record.state))
    for dtype in dtypes:
        yield from _steps(record, dtype)


def _counts(record: Stage) -> Iterator[Finding]:
    if record.function.__closure__:
        outer = ", ".join(record.function.__code__.co_freevars)
        yield Finding(record.function, 0, f"uses {outer} of the function around it: define both at the top of the file")
    if len(record.state) > MOST_STATES:
        yield Finding(record.function, 0, f"keeps {len(record.state)} states, at most {MOST_STATES} are possible")


def _written(record: Stage) -> Iterator[Finding]:
    """Find what stands in the user's functions that cannot be compiled."""
    for function in sorted(own_code(*rules_of(record), *record.parts), key=definition):
        yield from forbidden(function)


def _elementwise(record: Stage, dtypes: Sequence[str]) -> Iterator[Finding]:
    function, scalars, settings = record.function, record.scalars, tuple(record.defaults)
    asked = (ASKED[record.asks],) if record.asks else ()
    before = ("g", *asked, *(("theta",) if record.uses_params else ()), *record.state)
    assert scalars
    if scalars is plain_scalars:
        count, names = 1 + len(settings), ("learning_rate", *settings)
    else:
        given = ("learning_rate", *settings, *(("varied",) if record.momentum_product else ()))
        yield from _arguments(scalars, ("step", *given), "")
        made = inspection.returned(scalars, "float64", ["int64", *["float64"] * len(given)])
        if isinstance(made, Finding):
            yield made
            return
        count, names = len(made), ()
    rest = "" if names else f" and the {count} that {scalars.__name__} returns"
    yield from _arguments(function, (*before, *names), rest, len(before) + count)
    for dtype in dtypes:
        if record.look:
            yield from _looking(record, dtype, [dtype] * (2 + len(record.state) + count))
        yield from _compiled(record, function, dtype, [dtype] * (len(before) + count))


def _arguments(
    function: Callable[..., Any], needed: Sequence[str], rest: str, count: int | None = None
) -> Iterator[Finding]:
    """Find a wrong number of arguments, or the same names in another order."""
    given, count = list(inspect.signature(function).parameters), count or len(needed)
    listed = ", ".join(needed) + rest
    if len(given) > count and (strange := [name for name in given if name not in needed]) and not rest:
        declared = f"a state as state=({strange[0]!r},), a hyperparameter with its default, as {strange[0]}=0.9"
        yield Finding(function, 0, f"takes {strange[0]}, which its decorator does not declare: {declared}")
    if len(given) != count:
        yield Finding(function, 0, f"takes {len(given)} argument{'s' * (len(given) != 1)}, need {count}: {listed}")
    named = [name for name in given if name in needed]
    if named != [name for name in needed if name in given]:
        yield Finding(function, 0, f"takes its arguments in another order than they are given: {listed}")


def _looking(record: Stage, dtype: str, arguments: Sequence[str]) -> Iterator[Finding]:
    """Find what is wrong with the function that says where to look."""
    function: Any = record.look
    if is_users(function):
        yield from _arguments(function, ("theta", "g", *record.state), " and the scalars", len(arguments))
    made = inspection.returned(function, dtype, arguments)
    if isinstance(made, Finding):
        yield made
    elif made != (dtype,):
        yield Finding(function, returning(function), f"returns {', '.join(made) or 'nothing'}, need one {dtype}")


def _compiled(record: Stage, function: Any, dtype: str, arguments: Sequence[str]) -> Iterator[Finding]:
    made = inspection.returned(function, dtype, arguments)
    if isinstance(made, Finding):
        yield made
        return
    if dtype == "float32":
        yield from inspection.promotions(function, dtype, everywhere=record.kind in ENTRIES)
    if record.kind not in ENTRIES:
        return
    need = 1 + len(record.state)
    if len(made) != need:
        wanted = ", ".join(("the update", *record.state))
        yield Finding(function, returning(function), f"returns {len(made) or 'nothing'}, need {need}: {wanted}")
    if wrong := [kind for kind in made if kind != dtype]:
        yield Finding(function, returning(function), f"returns {wrong[0]}, need {dtype}")


def _steps(record: Stage, dtype: str) -> Iterator[Finding]:
    """Find what three steps on small random gradients write that is no number, then with zeros among them."""
    if record.name in REGISTRIES["clippings"] and REGISTRIES["clippings"][record.name] is record:
        return  # it works inside a run only
    for zeros in (False, True):
        if (step := _first_bad_step(record, dtype, zeros)) is not None:
            where = " where the gradient is 0" if zeros else ""
            at = returning(record.function) if record.kind in ENTRIES else 0
            yield Finding(inner(record.function), at, f"writes NaN or infinity at step {step} in {dtype}{where}")


def _first_bad_step(record: Stage, dtype: str, zeros: bool) -> int | None:
    random, count = np.random.default_rng(0), sum(int(np.prod(shape)) for shape in SHAPES)
    optimizer, params = _called(record), random.uniform(-0.5, 0.5, count).astype(dtype)
    state = optimizer.init(params, SHAPES)
    for step in range(1, STEPS + 1):
        grads = random.uniform(-0.1, 0.1, count).astype(dtype)
        grads[::3] *= not zeros
        params, state = optimizer.update(params, grads, state, learning_rate=1e-3, loss=1.0, **_answers(grads))
        if not all(np.isfinite(array).all() for array in (params, *state.values.values())):
            return step
    return None


def _called(record: Stage) -> Any:
    """Return an optimizer to be called: the record, or plain gradient descent in it."""
    from mlpjit.interactive.optimizer import Optimizer, Wrapper

    wraps = record.name in REGISTRIES["wrappers"] and REGISTRIES["wrappers"][record.name] is record
    return Wrapper(record)(Optimizer(REGISTRIES["optimizers"]["sgd"])) if wraps else Optimizer(record)


def _answers(grads: np.ndarray) -> dict[str, Any]:
    """Return what a rule may ask for beside a gradient: the same again, a Hessian of 1, inputs and deltas of 1."""
    pairs = [(np.ones((1, shape[0])), np.ones((1, shape[1]))) for shape in SHAPES if len(shape) == 2]
    return {
        "gradient": lambda params: (1.0, grads), "curvature": lambda params, vector: vector,
        "factors": lambda params: (grads, pairs),
    }  # fmt: skip

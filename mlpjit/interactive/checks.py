"""What can be wrong with a stage of the user's own, found before any run and told in lines that quote the file.

Each check sees what the checks before it passed: the signature as written, the scalars, the rule as Numba types it, the
stage as it will run, and three steps on harmless numbers.
"""

from __future__ import annotations

import dis
import hashlib
import inspect
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from types import CodeType, FunctionType
from typing import Any

import numpy as np

from mlpjit.catalogue.registries import REGISTRIES
from mlpjit.errors import ConfigError
from mlpjit.extending.files import Entry
from mlpjit.extending.findings import RuleError, definition, returning, told
from mlpjit.kernels.compiler import cache, inspection, jit
from mlpjit.kernels.compiler.inspection import Finding
from mlpjit.kernels.entries import Stage
from mlpjit.kernels.functions import is_users, values_read
from mlpjit.kernels.language import Kernel
from mlpjit.kernels.stages.declare import plain_scalars
from mlpjit.kernels.stages.named_arguments import inner, kinds

MOST_STATES = 8
STEPS = 3
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
    yield from _raising(record)
    if record.kind == "elementwise":
        yield from _elementwise(record, dtypes)
    elif record.kind in ("layerwise", "joint"):
        for dtype in dtypes:
            yield from _compiled(record, dtype, kinds(inner(record.function), dtype, record.state))
    for dtype in dtypes:
        yield from _steps(record, dtype)


def _counts(record: Stage) -> Iterator[Finding]:
    if record.function.__closure__:
        outer = ", ".join(record.function.__code__.co_freevars)
        yield Finding(record.function, 0, f"uses {outer} of the function around it: define both at the top of the file")
    if len(record.state) > MOST_STATES:
        yield Finding(record.function, 0, f"keeps {len(record.state)} states, at most {MOST_STATES} are possible")


def _raising(record: Stage) -> Iterator[Finding]:
    """Find a statement that raises: compiled, it would print and go on with what it has half changed."""
    for function in sorted(_own_code(inner(record.function), *record.parts), key=definition):
        raising = {line for each, line in _lines(function.__code__) if each.opname == "RAISE_VARARGS"}
        for line in sorted(raising):
            yield Finding(function, line, "raises an error, which compiled code cannot: write NaN, which ends the run")


def _lines(code: CodeType) -> Iterator[tuple[dis.Instruction, int]]:
    """Yield the instructions of a function and of those inside it, each with its line."""
    line = code.co_firstlineno
    for each in dis.get_instructions(code):
        line = each.starts_line or line
        yield each, line
    for constant in code.co_consts:
        yield from _lines(constant) if isinstance(constant, CodeType) else ()


def _own_code(*functions: Callable[..., Any]) -> set[FunctionType]:
    """Return the user's functions among these and all that they call."""
    found: set[FunctionType] = set()
    left = list(functions)
    while left:
        value = left.pop()
        value = getattr(value, "py_func", value.function if isinstance(value, Kernel) else value)
        if isinstance(value, FunctionType) and value not in found and is_users(value):
            found.add(value)
            left += [read for _, read in values_read(value)]
    return found


def _elementwise(record: Stage, dtypes: Sequence[str]) -> Iterator[Finding]:
    function, scalars, settings = record.function, record.scalars, tuple(record.defaults)
    before = ("g", *(("theta",) if record.uses_params else ()), *record.state)
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
        yield from _compiled(record, dtype, [dtype] * (len(before) + count))


def _arguments(
    function: Callable[..., Any], needed: Sequence[str], rest: str, count: int | None = None
) -> Iterator[Finding]:
    """Find a wrong number of arguments, or the same names in another order."""
    given, count = list(inspect.signature(function).parameters), count or len(needed)
    listed = ", ".join(needed) + rest
    if len(given) != count:
        yield Finding(function, 0, f"takes {len(given)} argument{'s' * (len(given) != 1)}, need {count}: {listed}")
    named = [name for name in given if name in needed]
    if named != [name for name in needed if name in given]:
        yield Finding(function, 0, f"takes its arguments in another order than they are given: {listed}")


def _compiled(record: Stage, dtype: str, arguments: Sequence[str]) -> Iterator[Finding]:
    function: Any = inner(record.function)
    made = inspection.returned(function, dtype, arguments)
    if isinstance(made, Finding):
        yield made
        return
    if dtype == "float32":
        yield from inspection.promotions(function, dtype, everywhere=record.kind == "elementwise")
    if record.kind != "elementwise":
        return
    need = 1 + len(record.state)
    if len(made) != need:
        wanted = ", ".join(("the update", *record.state))
        yield Finding(function, returning(function), f"returns {len(made) or 'nothing'}, need {need}: {wanted}")
    if wrong := [kind for kind in made if kind != dtype]:
        yield Finding(function, returning(function), f"returns {wrong[0]}, need {dtype}")


def _steps(record: Stage, dtype: str) -> Iterator[Finding]:
    """Find what three steps on small random gradients write that is no number, then with zeros among them."""
    for zeros in (False, True):
        if (step := _first_bad_step(record, dtype, zeros)) is not None:
            where = " where the gradient is 0" if zeros else ""
            at = returning(record.function) if record.kind == "elementwise" else 0
            yield Finding(inner(record.function), at, f"writes NaN or infinity at step {step} in {dtype}{where}")


def _first_bad_step(record: Stage, dtype: str, zeros: bool) -> int | None:
    from mlpjit.interactive.optimizer import Optimizer

    random, count = np.random.default_rng(0), sum(int(np.prod(shape)) for shape in SHAPES)
    optimizer, params = Optimizer(record), random.uniform(-0.5, 0.5, count).astype(dtype)
    state = optimizer.init(params, SHAPES)
    for step in range(1, STEPS + 1):
        grads = random.uniform(-0.1, 0.1, count).astype(dtype)
        grads[::3] *= not zeros
        params, state = optimizer.update(params, grads, state, learning_rate=1e-3, loss=1.0, **_answers(grads))
        if not all(np.isfinite(array).all() for array in (params, *state.values.values())):
            return step
    return None


def _answers(grads: np.ndarray) -> dict[str, Any]:
    """Return what a rule may ask for beside a gradient: the same again, a Hessian of 1, inputs and deltas of 1."""
    pairs = [(np.ones((1, shape[0])), np.ones((1, shape[1]))) for shape in SHAPES if len(shape) == 2]
    return {
        "gradient": lambda params: (1.0, grads), "curvature": lambda params, vector: vector,
        "factors": lambda params: (grads, pairs),
    }  # fmt: skip

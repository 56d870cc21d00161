"""Code generators of the elementwise optimizers' loop: parameters, gradient and any number of state arrays, kept apart.

The arrays of a step never overlap. Compilers check that at run time, pair by pair, and give up vectorizing at about
six arrays; here every access carries LLVM's `alias.scope` and `noalias` (LangRef, "noalias and alias.scope metadata"),
so nothing is checked and every rule vectorizes (tests/kernels/test_vectorization.py). Primitives are named in
`stages/stage`.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types

from mlpjit.kernels.compiler.llvm import INT64, address
from mlpjit.kernels.compiler.simd import primitive

# Parameters, gradient, then the state arrays.
FIRST_STATE = 2
PLACES = 11
LANES_PLACE = 10  # scalars of runs in lanes


def _scopes(module: ir.Module) -> list[Any]:
    """Return one scope a place, all of one domain; equal nodes are the same node within a module."""
    domain = module.add_metadata(["mlpjit arrays of a step"])
    return [module.add_metadata([f"mlpjit array {place}", domain]) for place in range(PLACES)]


def _apart(builder: ir.IRBuilder, instruction: Any, place: int) -> Any:
    """Say of a load or store that it touches the array of this place and no other."""
    scopes = _scopes(builder.module)
    others = [scope for other, scope in enumerate(scopes) if other != place]
    instruction.set_metadata("alias.scope", builder.module.add_metadata([scopes[place]]))
    instruction.set_metadata("noalias", builder.module.add_metadata(others))
    return instruction


def _state(builder: ir.IRBuilder, arguments: Any, number: int) -> Any:
    """Return the address of an entry, (state, count, index): the arrays stand one behind the other, `count` long."""
    state, count, index = arguments[:3]
    return address(builder, state, builder.mul(count, INT64(number)), index)


@primitive
def load_apart(typing: Any, pointer: Any, index: Any, place: Any) -> Any:
    """Return pointer[index] of the array of a place (a constant)."""
    if not isinstance(place, types.IntegerLiteral):
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _apart(builder, builder.load(address(builder, *arguments[:2])), place.literal_value)

    return pointer.dtype(pointer, types.int64, place), generate


@primitive
def store_apart(typing: Any, pointer: Any, index: Any, value: Any, place: Any) -> Any:
    """Set pointer[index] = value in the array of a place (a constant); the value has the element type already."""
    if not isinstance(place, types.IntegerLiteral):
        return None
    if value != pointer.dtype:
        raise TypeError(f"store of {value} through a pointer to {pointer.dtype}: convert with real(...)")

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _apart(builder, builder.store(arguments[2], address(builder, *arguments[:2])), place.literal_value)
        return context.get_dummy_value()

    return types.void(pointer, types.int64, value, place), generate


@primitive
def load_states(typing: Any, state: Any, count: Any, index: Any, states: Any) -> Any:
    """Return the entries of all state arrays at one index as a tuple; their number is a constant."""
    if not isinstance(states, types.IntegerLiteral):
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        where = [_state(builder, arguments, number) for number in range(states.literal_value)]
        values = [_apart(builder, builder.load(at), FIRST_STATE + number) for number, at in enumerate(where)]
        return context.make_tuple(builder, signature.return_type, values)

    return types.UniTuple(state.dtype, states.literal_value)(state, types.int64, types.int64, states), generate


@primitive
def store_states(typing: Any, state: Any, count: Any, index: Any, result: Any) -> Any:
    """Store all but the first of a rule's results, the new states; a rule that returns a number has none."""
    kinds: list[Any] = [] if isinstance(result, types.Number) else list(result)[1:]
    wrong = [str(kind) for kind in kinds if kind != state.dtype]
    if wrong:
        raise TypeError(f"the rule returns states of {wrong}, need {state.dtype}: write 1.0 where it says 1")

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        for number in range(len(kinds)):
            value = builder.extract_value(arguments[3], number + 1)
            at = _state(builder, arguments, number)
            _apart(builder, builder.store(value, at), FIRST_STATE + number)
        return context.get_dummy_value()

    return types.void(state, types.int64, types.int64, result), generate


@primitive
def update_of(typing: Any, result: Any) -> Any:
    """Return the first of a rule's results, or the only one."""
    several = not isinstance(result, types.Number)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.extract_value(arguments[0], 0) if several else arguments[0]

    return (result[0] if several else result)(result), generate


@primitive
def repeated(typing: Any, value: Any, times: Any) -> Any:
    """Return a tuple with a value so many times, a constant: 0 leaves it out of a call."""
    if not isinstance(times, types.IntegerLiteral):
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return context.make_tuple(builder, signature.return_type, [arguments[0]] * times.literal_value)

    return types.UniTuple(value, times.literal_value)(value, times), generate


def _in_lane(builder: ir.IRBuilder, arguments: Any, number: int) -> Any:
    """Return the address of a number of one lane: (numbers, lanes, lane)."""
    numbers, lanes, lane = arguments[:3]
    return address(builder, numbers, builder.mul(lanes, INT64(number)), lane)


@primitive
def load_lane(typing: Any, numbers: Any, lanes: Any, lane: Any, like: Any) -> Any:
    """Return a tuple, as long as another, of what `store_lane` has stored of a lane."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        where = [_in_lane(builder, arguments, number) for number in range(len(like))]
        values = [_apart(builder, builder.load(at), LANES_PLACE) for at in where]
        return context.make_tuple(builder, signature.return_type, values)

    return types.UniTuple(numbers.dtype, len(like))(numbers, types.int64, types.int64, like), generate


@primitive
def store_lane(typing: Any, numbers: Any, lanes: Any, lane: Any, values: Any) -> Any:
    """Store the numbers of a tuple for one lane, so many lanes apart."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        for number in range(len(values)):
            value = builder.extract_value(arguments[3], number)
            _apart(builder, builder.store(value, _in_lane(builder, arguments, number)), LANES_PLACE)
        return context.get_dummy_value()

    return types.void(numbers, types.int64, types.int64, values), generate

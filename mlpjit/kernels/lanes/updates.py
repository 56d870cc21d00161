"""An optimizer's step in lanes: the rule of an elementwise one, each run with its own rate and settings."""

from __future__ import annotations

from mlpjit.kernels.arithmetic.matmul import LANES
from mlpjit.kernels.lanes.group import GROUP, arrays_of, plan_of
from mlpjit.kernels.language import (
    Float64s,
    Int,
    Ints,
    Primitive,
    device,
    float64s,
    fma,
    ints,
    kernel,
    load,
    offset,
    pointer,
    real,
    reals,
    select,
    store,
)
from mlpjit.kernels.run.steps import stage_of
from mlpjit.kernels.stages.stage import GRADS_APART, PARAMS_APART
from mlpjit.kernels.tables import ARRAY, PLAN, STAGE, STAGES, TENSOR, WEIGHT

unpack, rounded, keep_loops = Primitive("unpack"), Primitive("rounded"), Primitive("keep_loops")
load_apart, store_apart = Primitive("load_apart"), Primitive("store_apart")
load_states, store_states = Primitive("load_states"), Primitive("store_states")
load_lane, store_lane = Primitive("load_lane"), Primitive("store_lane")
update_of, repeated = Primitive("update_of"), Primitive("repeated")


@pointer
def call_lane_update(group: Ints, step: Int, rates: Float64s) -> None:
    """Take a step (counted from 1) of all runs, each with its rate."""


@device
def settings_of(group, lane):
    """Return the optimizer's settings of a lane's run."""
    return float64s(stage_of(arrays_of(group, lane), STAGES.optimizer), STAGE.settings)


@kernel
def lane_update_loop(group: Ints, step: Int, rates: Float64s) -> None:
    """`elementwise_loop` in lanes."""
    params, grads, state = reals(group, GROUP.params), reals(group, GROUP.grads), reals(group, GROUP.state)
    numbers, plan, tensors = reals(group, GROUP.scalars), plan_of(group, 0), ints(arrays_of(group, 0), ARRAY.tensors)
    values = rounded(grads, scalars(step, load(rates, 0), *unpack(settings_of(group, 0), SETTINGS)))  # noqa: F821
    for lane in range(LANES):
        settings = unpack(settings_of(group, lane), SETTINGS)  # noqa: F821
        store_lane(numbers, LANES, lane, rounded(grads, scalars(step, load(rates, lane), *settings)))  # noqa: F821
    count = load(plan, PLAN.parameters)
    for t in range(load(plan, PLAN.tensor_count) if DECAYS else 1):  # noqa: F821
        tensor = offset(tensors, t * len(TENSOR))
        first = load(tensor, TENSOR.at) if DECAYS else 0  # noqa: F821
        end = first + load(tensor, TENSOR.rows) * load(tensor, TENSOR.columns) if DECAYS else count  # noqa: F821
        weighs = load(tensor, TENSOR.kind) == WEIGHT
        for i in range(first, end):
            for lane in range(LANES):
                at = i * LANES + lane
                theta, with_values = load_apart(params, at, PARAMS_APART), load_lane(numbers, LANES, lane, values)
                kept = load_states(state, count * LANES, at, STATES)  # noqa: F821
                given = load_apart(grads, at, GRADS_APART)
                result = rule(given, *repeated(theta, USES_PARAMS), *kept, *with_values)  # noqa: F821
                store_states(state, count * LANES, at, result)
                decay = select(weighs, with_values[-1], real(0.0))
                theta = fma(-decay, theta, theta) if DECAYS else theta  # noqa: F821
                store_apart(params, at, theta - update_of(result), PARAMS_APART)
    keep_loops()


@kernel
def decay_in_lanes(group: Ints, amounts: Float64s) -> None:
    """`decay_weights` of all runs, each by its amount."""
    plan, tensors = plan_of(group, 0), ints(arrays_of(group, 0), ARRAY.tensors)
    for t in range(load(plan, PLAN.tensor_count)):
        tensor = offset(tensors, t * len(TENSOR))
        if load(tensor, TENSOR.kind) == WEIGHT:
            w = offset(reals(group, GROUP.params), load(tensor, TENSOR.at) * LANES)
            for i in range(load(tensor, TENSOR.rows) * load(tensor, TENSOR.columns)):
                for lane in range(LANES):
                    at = i * LANES + lane
                    store(w, at, load(w, at) - real(load(amounts, lane)) * load(w, at))
    keep_loops()

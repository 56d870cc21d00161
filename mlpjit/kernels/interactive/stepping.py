"""Many steps of an optimizer, in a wrapper or not, on many problems: one call, and nothing of Python between steps."""

from __future__ import annotations

from typing import NamedTuple

from mlpjit.kernels.arithmetic.matrices import copy_matrix
from mlpjit.kernels.interactive.gradients import call_curvature_of, call_gradient
from mlpjit.kernels.language import (
    Float64,
    Int,
    Ints,
    device,
    float64,
    float64s,
    ints,
    kernel,
    load,
    offset,
    real,
    reals,
    select,
    store,
)
from mlpjit.kernels.stages.stage import (
    AFTER,
    DONE,
    EVALUATE,
    NEED_GRADIENT,
    NEED_HVP,
    NEED_LOSS,
    POINT,
    call_stage,
)
from mlpjit.kernels.tables import NONE_AT, STAGE, numbered


class CourseColumns(NamedTuple):
    """What is done (int64): sizes, addresses of functions, of what a step works on, of what is kept."""

    problems: int
    steps: int
    every: int
    parameters: int
    rows: int
    tensor_count: int
    gradient: int
    curvature: int
    data: int
    # A row of Stage for the optimizer and one for its wrapper, and how many numbers each keeps.
    stages: int
    optimizer_size: int
    wrapper_size: int
    # Aligned, of one problem: parameters, gradient, a spare gradient.
    params: int
    grads: int
    spare: int
    # Of all: rates, so far apart from problem to problem; float64 (lowest, highest), 0 for no bounds.
    rates: int
    rates_apart: int
    bounds: int
    # Of each problem: its start, its first states; what is kept every so many steps.
    starts: int
    optimizer_states: int
    wrapper_states: int
    point_stage: int  # which stage's point to report is kept, NONE_AT for the parameters
    kept: int
    losses: int
    kept_optimizer: int  # 0 where states are not kept
    kept_wrapper: int


COURSE = numbered(CourseColumns)
OPTIMIZER, WRAPPER = 0, 1


@device
def stage_at(course, which):
    """Return the row of the optimizer or of its wrapper."""
    return offset(ints(course, COURSE.stages), which * len(STAGE))


@kernel
def ask(course: Ints, which: Int, phase: Int, step: Int, rate: Float64, loss: Float64) -> Int:
    """Call one phase of a stage; one that is not there is done."""
    stage = stage_at(course, which)
    if load(stage, STAGE.function) == 0:
        return DONE
    return call_stage(
        load(stage, STAGE.function), phase, step, load(course, COURSE.rows), load(course, COURSE.parameters),
        reals(course, COURSE.params), reals(course, COURSE.grads), reals(stage, STAGE.state),
        reals(stage, STAGE.scratch), float64s(stage, STAGE.settings), rate, loss, ints(stage, STAGE.tensors),
        load(course, COURSE.tensor_count),
    )  # fmt: skip


@kernel
def gradient_to(course: Ints, problem: Int, step: Int, into: Int) -> Float64:
    """Write the gradient at the parameters to one of the arrays; return the loss."""
    return call_gradient(
        load(course, COURSE.gradient), ints(course, COURSE.data), problem, step, load(course, COURSE.parameters),
        reals(course, COURSE.params), reals(course, into),
    )  # fmt: skip


@kernel
def serve(course: Ints, which: Int, first: Int, problem: Int, step: Int, rate: Float64, loss: Float64) -> Float64:
    """Call a stage phase by phase and give it what it asks for; return the latest loss."""
    phase, latest, count = first, loss, load(course, COURSE.parameters)
    while True:
        wanted = ask(course, which, phase, step, rate, latest)
        if wanted == DONE:
            return latest
        if wanted == NEED_GRADIENT:
            latest = gradient_to(course, problem, step, COURSE.grads)
        elif wanted == NEED_LOSS:
            latest = gradient_to(course, problem, step, COURSE.spare)
        elif wanted == NEED_HVP:
            vector = reals(stage_at(course, which), STAGE.scratch)
            call_curvature_of(
                load(course, COURSE.curvature), ints(course, COURSE.data), problem, step, count,
                reals(course, COURSE.params), vector, offset(vector, count),
            )  # fmt: skip
        phase += 1


@kernel
def take_one_step(course: Ints, problem: Int, step: Int) -> None:
    """The gradient, the wrapper's first phases, the optimizer's, the wrapper's last; then back within the bounds."""
    rate = load(float64s(course, COURSE.rates), problem * load(course, COURSE.rates_apart) + step - 1)
    loss = gradient_to(course, problem, step, COURSE.grads)
    loss = serve(course, WRAPPER, 0, problem, step, rate, loss)
    loss = serve(course, OPTIMIZER, 0, problem, step, rate, loss)
    serve(course, WRAPPER, AFTER, problem, step, rate, loss)
    if load(course, COURSE.bounds) != 0:
        bounds, theta = float64s(course, COURSE.bounds), reals(course, COURSE.params)
        low, high = real(load(bounds, 0)), real(load(bounds, 1))
        for i in range(load(course, COURSE.parameters)):
            entry = load(theta, i)
            entry = select(entry < low, low, entry)
            store(theta, i, select(entry > high, high, entry))


@kernel
def keep_state(course: Ints, which: Int, size: Int, kept: Int, place: Int) -> None:
    """Copy a stage's state to where states are kept, if they are."""
    if load(course, kept) != 0:
        state = reals(stage_at(course, which), STAGE.state)
        copy_matrix(size, state, offset(reals(course, kept), place * size))


@kernel
def keep_entry(course: Ints, problem: Int, done: Int) -> None:
    """Keep what stands after `done` steps: parameters or the point to report, the loss there, states."""
    count, step = load(course, COURSE.parameters), max(1, min(done + 1, load(course, COURSE.steps)))
    place = problem * (load(course, COURSE.steps) // load(course, COURSE.every) + 1) + done // load(
        course, COURSE.every
    )
    into = offset(reals(course, COURSE.kept), place * count)
    store(float64s(course, COURSE.losses), place, gradient_to(course, problem, step, COURSE.spare))
    copy_matrix(count, reals(course, COURSE.params), into)
    which = load(course, COURSE.point_stage)
    if which != NONE_AT and done > 0 and ask(course, which, EVALUATE, done, float64(0), float64(0)) == POINT:
        copy_matrix(count, reals(course, COURSE.grads), into)
    keep_state(course, OPTIMIZER, load(course, COURSE.optimizer_size), COURSE.kept_optimizer, place)
    keep_state(course, WRAPPER, load(course, COURSE.wrapper_size), COURSE.kept_wrapper, place)


@kernel
def take_steps(course: Ints) -> None:
    """Every problem from its start, one after the other."""
    count, every = load(course, COURSE.parameters), load(course, COURSE.every)
    first, second = load(course, COURSE.optimizer_size), load(course, COURSE.wrapper_size)
    optimizer, wrapper = reals(stage_at(course, OPTIMIZER), STAGE.state), reals(stage_at(course, WRAPPER), STAGE.state)
    for problem in range(load(course, COURSE.problems)):
        copy_matrix(count, offset(reals(course, COURSE.starts), problem * count), reals(course, COURSE.params))
        copy_matrix(first, offset(reals(course, COURSE.optimizer_states), problem * first), optimizer)
        copy_matrix(second, offset(reals(course, COURSE.wrapper_states), problem * second), wrapper)
        keep_entry(course, problem, 0)
        for step in range(1, load(course, COURSE.steps) + 1):
            take_one_step(course, problem, step)
            if step % every == 0:
                keep_entry(course, problem, step)

"""Every table that kernels share with Python, declared once: what stands in it, by name.

A kernel reads `load(plan, PLAN.layer_count)`, which compiles to a load at a constant offset; `len(LAYER)` is the width
of a row. Python fills a table with `filled(PLAN, {...})`, where a name that is missing or unknown is an error. Columns
that end in `_at` are places: among the packed parameters, or in the workspace; NONE_AT where there is none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

if TYPE_CHECKING:
    import numpy as np

Table = TypeVar("Table", bound=tuple[int, ...])
NONE_AT = -1


def numbered(kind: type[Table]) -> Table:
    """Return a table's columns, numbered in the order in which they are declared."""
    fields: tuple[str, ...] = kind._fields  # type: ignore[attr-defined]
    return kind(*range(len(fields)))


@cache
def _reader(kind: type) -> tuple[frozenset[str], Callable[[Any], tuple[Any, ...]]]:
    """Return the names of a table's columns, and what reads them in their order."""
    fields: tuple[str, ...] = kind._fields  # type: ignore[attr-defined]
    return frozenset(fields), itemgetter(*fields)


def filled_rows(table: tuple[int, ...], rows: Sequence[Mapping[str, Any]], dtype: str = "int64") -> np.ndarray:
    """Return rows with these values by column; an array stands for its address. ValueError unless all are named."""
    import numpy as np

    names, read = _reader(type(table))
    for row in rows:
        if row.keys() != names:
            told = f"missing {sorted(names - row.keys())}, unknown {sorted(row.keys() - names)}"
            raise ValueError(f"a row of {type(table).__name__}: {told}")
    return np.array([[v.ctypes.data if isinstance(v, np.ndarray) else v for v in read(row)] for row in rows], dtype)


def filled(table: tuple[int, ...], values: Mapping[str, Any], dtype: str = "int64") -> np.ndarray:
    """Return one row, as `filled_rows` does."""
    row: np.ndarray = filled_rows(table, [values], dtype)[0]
    return row


class Plan(NamedTuple):
    """What a run is (int64)."""

    layer_count: int
    tensor_count: int
    parameters: int
    running_size: int  # numbers of running statistics
    inputs: int
    outputs: int
    softmax_output: int
    train_rows: int
    validation_rows: int
    test_rows: int
    batch: int
    chunk: int  # rows of an evaluation at a time
    steps_per_epoch: int
    total_steps: int
    last_step: int  # where a call ends
    evaluate_every: int
    shuffle: int
    order_seed: int
    draw_seed: int
    dropout: int  # the threshold of random bits
    classification: int
    # Addresses of functions, 0 for none.
    loss: int
    loss_tangent: int
    loss_sample: int
    curvature: int
    clock: int
    clock_id: int
    point_stage: int  # which stage reports another point than the parameters, NONE_AT for none
    momentum_at: int  # which of the optimizer's settings a schedule sets before each step, NONE_AT for none
    product_at: int  # and which is 1 minus the product of all that it has set, NONE_AT where no rule asks
    # Places in the workspace, and how wide the widest layer is there.
    widest: int
    ones_at: int
    peaks_at: int  # of each unit of each layer: the largest |df|
    saturated_at: int  # and how often it was small
    kept_at: int  # the weights before an update
    spare_at: int  # room for the weights of one layer
    targets_at: int  # the targets of a batch


class Array(NamedTuple):
    """Addresses of the arrays of a run (int64)."""

    params: int
    grads: int  # and the point to report, while it is evaluated
    moments: int  # running statistics
    point_moments: int  # those of the point to report
    best_params: int
    best_moments: int
    workspace: int
    x_train: int
    y_train: int
    x_validation: int
    y_validation: int
    x_test: int
    y_test: int
    order: int
    layers: int
    tensors: int
    stages: int
    curvature_layers: int
    curvature_workspace: int
    numbers: int
    loss_settings: int
    slope_limits: int  # of each layer's activation
    rates: int
    decays: int
    momenta: int
    carry: int
    records: int
    memory: int  # what records keep from one recorded step to the next
    control: int
    residuals: int  # of each output, summed over a set
    unit_sums: int  # of each layer, a row of UnitSum
    spare: int  # a number that nobody reads
    # Of a run that an experiment steers, else 0: shares of each step's update (steps, tensors); parameters before it.
    shares: int
    noted: int


class Layer(NamedTuple):
    """A layer (int64)."""

    fan_in: int
    fan_out: int
    weight_at: int
    bias_at: int
    gamma_at: int
    beta_at: int
    alpha_at: int  # the parameters of a learned activation
    running_at: int
    input_at: int
    input_stride: int
    output_at: int
    slope_at: int
    stride: int
    panels_at: int
    transposed_at: int
    effective_at: int
    normalized_at: int
    inverse_at: int
    learned_at: int  # df by the parameters of a learned activation
    gradient_at: int  # dL/da, where a layer needs it
    residual: int
    # Addresses of functions, 0 for none; what a normalization does to W before the products, to z, to delta, to dW.
    activation: int
    reweigh: int
    normalize: int
    normalize_back: int
    reweigh_back: int
    mask: int  # address of the matrix that a and df are multiplied with in training, 0 for none


class Tensor(NamedTuple):
    """A tensor of the parameters, as a stage sees it (int64)."""

    at: int
    rows: int
    columns: int
    kind: int
    extra_at: int  # its own part of the stage's state
    # Of its layer, counted from the stage's scratch: the inputs and the deltas of the batch.
    inputs_at: int
    inputs_stride: int
    deltas_at: int
    deltas_stride: int


class Stage(NamedTuple):
    """A stage of a step (int64): addresses of its function (0: there is no such stage) and of what is its own."""

    function: int
    state: int
    scratch: int
    settings: int
    tensors: int


class Stages(NamedTuple):
    """Which stage is which."""

    clip: int
    optimizer: int
    wrapper: int


class Number(NamedTuple):
    """Numbers of a run (float64). A plateau's factor is 0 where none is watched."""

    l1: int
    l2: int
    decay: int
    loss_factor: int
    plateau_factor: int
    plateau_patience: int
    plateau_threshold: int
    plateau_cooldown_evaluations: int
    plateau_final: int


class Carry(NamedTuple):
    """What a run carries from piece to piece (float64)."""

    step: int
    loss_sum: int
    rows_seen: int
    rows_written: int
    start_loss: int
    times_over: int
    best_loss: int
    best_epoch: int
    last_finite_loss: int
    final_train_loss: int
    gradients: int
    skipped: int
    diverged_step: int
    train_seconds: int
    evaluate_seconds: int
    test_loss: int
    test_score: int
    best_test_loss: int
    best_test_score: int
    rate_factor: int
    plateau_best: int
    plateau_bad: int
    plateau_rest: int


class ControlColumns(NamedTuple):
    """What other threads read and write while a run goes on (int64)."""

    progress: int
    stop: int
    seconds: int  # the clock's answer, a C timespec: nanoseconds stand behind
    nanoseconds: int
    # Of runs that one call makes one after the other: how many have ended; after how many nanoseconds no more is begun,
    # 0 for no limit; which is to be left because its time is up, NONE_AT for none; whether a stop is meant for all.
    ended: int
    budget: int
    overdue: int
    all: int


class UnitSum(NamedTuple):
    """Sums over the outputs of a layer (float64)."""

    values: int
    squares: int


class Status(NamedTuple):
    """What a run's call returns."""

    running: int
    finished: int
    diverged: int
    stopped: int


class Residual(NamedTuple):
    """What a layer's skip does: nothing; a = f(z + a_below); a = f(z) + a_below."""

    none: int
    post: int
    pre: int


class Mode(NamedTuple):
    """What a forward pass is for: running statistics; those of the batch; these, and dropout."""

    evaluation: int
    statistics: int
    training: int


PLAN, ARRAY = numbered(Plan), numbered(Array)
LAYER, TENSOR = numbered(Layer), numbered(Tensor)
STAGE, STAGES = numbered(Stage), numbered(Stages)
NUMBER, CARRY, CONTROL = numbered(Number), numbered(Carry), numbered(ControlColumns)
UNIT_SUM = numbered(UnitSum)
STATUS, RESIDUAL, MODE = numbered(Status), numbered(Residual), numbered(Mode)

DIVERGENCE_FACTOR = 10_000
WEIGHT, BIAS, GAMMA, BETA, ALPHA, FROZEN = range(6)  # kinds of tensors; penalties and decay know what is frozen

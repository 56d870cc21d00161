"""Where things stand in the tables and arrays that kernels share with Python."""

from __future__ import annotations

from typing import NamedTuple

# Columns of the table of layers (int64). "At" columns are offsets: of the packed parameters, or of the workspace.
FAN_IN, FAN_OUT, WEIGHT_AT, BIAS_AT, GAMMA_AT, BETA_AT = 0, 1, 2, 3, 4, 5
INPUT_AT, INPUT_STRIDE, OUTPUT_AT, SLOPE_AT, STRIDE = 6, 7, 8, 9, 10
PANELS_AT, TRANSPOSED_AT, NORMALIZED_AT, INVERSE_AT, RUNNING_AT, ACTIVATION = 11, 12, 13, 14, 15, 16
EFFECTIVE_AT = 17
# Addresses of what a normalization does, 0 for nothing: to W before the products, to z, to delta, to dW.
REWEIGH, NORMALIZE, NORMALIZE_BACK, REWEIGH_BACK = 18, 19, 20, 21
# A learned activation: its parameters, and df by them. Where dL/da stays, if a layer needs it. RESIDUAL: what the layer
# below is added to. MASK: address of the matrix that a and df are multiplied with in training, 0 for none.
ALPHA_AT, LEARNED_AT, GRADIENT_AT, RESIDUAL, MASK = 22, 23, 24, 25, 26
LAYER_COLUMNS = 27
NONE_AT = -1
NO_SKIP, POST, PRE = 0, 1, 2  # nothing; a = f(z + a_below); a = f(z) + a_below
# What `training` says of a forward pass: running statistics; those of the batch; these, and dropout.
EVALUATION, STATISTICS, TRAINING = 0, 1, 2

# The plan of a run (int64). MOMENTUM_AT: which of the numbers a schedule sets before each step, 0 for none.
(
    LAYER_COUNT, TENSOR_COUNT, PARAMETERS, STATE_SIZE, RUNNING_SIZE, INPUTS, OUTPUTS, SOFTMAX_OUTPUT,
    TRAIN_ROWS, VALIDATION_ROWS, TEST_ROWS, BATCH, STEPS_PER_EPOCH, FIRST_STEP, LAST_STEP, EVALUATE_EVERY, CHUNK,
    SHUFFLE, ORDER_SEED, CLASSIFICATION, LOSS, CLIP, OPTIMIZER, WRAPPER, CLIP_SCRATCH, OPTIMIZER_SCRATCH,
    WRAPPER_SCRATCH, CURVATURE, LOSS_TANGENT, POINT_STAGE, CLOCK, CLOCK_ID, SCRATCH_AT, TOTAL_STEPS, WIDEST,
    MOMENTUM_AT, LOSS_SAMPLE, DRAW_SEED, DROPOUT, PLAN_SIZE,
) = range(40)  # fmt: skip

# Addresses of the arrays of a run (int64). A point to report that differs from the parameters stands one slot behind
# them, with its own running statistics one slot behind theirs.
(
    PARAMS, GRADS, CLIP_STATE, STATE, WRAPPER_STATE, MOMENTS, POINT_MOMENTS, WORKSPACE, X_TRAIN, Y_TRAIN, X_VALIDATION,
    Y_VALIDATION, X_TEST, Y_TEST, BEST_PARAMS, BEST_MOMENTS, ORDER, LAYERS, TENSORS, NUMBERS, RATES, DECAYS, CARRY,
    RECORDS, CONTROL, SUMS, CURVATURE_TABLES, CURVATURE_WORKSPACE, MOMENTA, ARRAY_COUNT,
) = range(30)  # fmt: skip

# The stages of a step, in the order of their columns in the plan (CLIP ..., CLIP_SCRATCH ...) and of their states.
CLIP_STAGE, OPTIMIZER_STAGE, WRAPPER_STAGE = 0, 1, 2

# Numbers of a run (float64): penalties, decay, settings of the loss, of each stage and of a plateau (factor 0: none is
# watched), each layer's slope limit.
L1, L2, DECAY, LOSS_SETTINGS, STAGE_SETTINGS, MOST_SETTINGS, PLATEAU_SETTINGS, NUMBERS_SIZE = 0, 1, 2, 3, 7, 16, 55, 60
PLATEAU_FACTOR, PLATEAU_PATIENCE, PLATEAU_THRESHOLD, PLATEAU_COOLDOWN, PLATEAU_FINAL = range(55, 60)

# The state that a run carries from piece to piece (float64).
(
    STEP, LOSS_SUM, ROWS_SEEN, ROWS_WRITTEN, START_LOSS, TIMES_OVER, BEST_LOSS, BEST_EPOCH, LAST_FINITE_LOSS,
    GRADIENTS, DIVERGED_STEP, TRAIN_SECONDS, EVALUATE_SECONDS, TEST_LOSS, TEST_SCORE, BEST_TEST_LOSS,
    BEST_TEST_SCORE, FINAL_TRAIN_LOSS, RATE_FACTOR, PLATEAU_BEST, PLATEAU_BAD, PLATEAU_REST, SKIPPED, CARRY_SIZE,
) = range(24)  # fmt: skip

# The control array that other threads read and write while a run goes on (int64).
PROGRESS, STOP, CONTROL_SIZE = 0, 1, 4  # two more hold the clock's answer

# A row of the records (float64): these, then the diagnostics of each layer. The training loss holds the penalties,
# as the steps saw them; the validation loss does not.
(
    RECORD_EPOCH, RECORD_STEP, RECORD_TRAIN_LOSS, RECORD_VALIDATION_LOSS, RECORD_VALIDATION_SCORE, RECORD_HEAD,
) = range(6)  # fmt: skip
DIAGNOSTICS = (
    "gradient_norm", "activation_mean", "activation_std", "dead_fraction", "saturated_fraction", "weight_norm",
    "update_ratio",
)  # fmt: skip
(
    GRADIENT_NORM, ACTIVATION_MEAN, ACTIVATION_STD, DEAD_FRACTION, SATURATED_FRACTION, WEIGHT_NORM, UPDATE_RATIO,
    DIAGNOSTIC_COUNT,
) = range(8)  # fmt: skip

# What a run's call returns.
RUNNING, FINISHED, DIVERGED, STOPPED = 0, 1, 2, 3
DIVERGENCE_FACTOR = 10_000


WEIGHT, BIAS, GAMMA, BETA, ALPHA = 0, 1, 2, 3, 4


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


TENSOR = Tensor(*range(9))

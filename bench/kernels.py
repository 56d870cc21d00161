"""Single kernels through the table of cases (`mlpjit.measure.cases`): a hundred repeats in one compiled call.

A commit that has no such table, or not that rule yet, is left out of a curve rather than failing.
"""

from __future__ import annotations

from typing import Any

REPEATS = 100


def work_of(name: str) -> Any:
    """Return a case, compiled and prepared; where there is none NotImplementedError, which asv takes for "not here"."""
    try:
        from mlpjit.errors import ConfigError
        from mlpjit.measure.cases.table import case
    except ImportError as error:
        raise NotImplementedError("no table of cases yet") from error
    try:
        return case(name).make()
    except ConfigError as error:
        raise NotImplementedError(str(error)) from error


class _Case:
    def prepare(self, name: str) -> None:
        self.run = work_of(name).run
        self.run(REPEATS)


class Products(_Case):
    """64 x n times n x n in its three forms."""

    params = (
        ["forward_product", "input_gradient", "weight_gradient"],
        [16, 64, 256, 37, 128],
        ["float32", "float64"],
    )
    param_names = ("product", "width", "dtype")

    def setup(self, product: str, width: int, dtype: str) -> None:
        self.prepare(f"product/{product}/{width}/{dtype}")

    def time_hundred(self, product: str, width: int, dtype: str) -> None:
        self.run(REPEATS)


class Activations(_Case):
    """f and df of 2,048 numbers."""

    params = (
        [
            "sigmoid", "tanh", "relu", "leaky_relu", "elu", "gelu", "gelu_tanh", "selu", "celu", "silu", "mish",
            "softplus", "softsign", "hard_sigmoid", "hard_tanh", "hard_swish", "relu6", "relu_squared", "sine", "snake",
            "erf", "lecun_tanh",
        ],
        ["float32"],
    )  # fmt: skip
    param_names = ("activation", "dtype")

    def setup(self, activation: str, dtype: str) -> None:
        self.prepare(f"activation/{activation}/{dtype}")

    def time_hundred(self, activation: str, dtype: str) -> None:
        self.run(REPEATS)


class Losses(_Case):
    """Value and gradient of 64 rows of 10 outputs."""

    params = (["mse", "cross_entropy", "binary_cross_entropy", "mae", "huber", "log_cosh", "hinge"], ["float32"])
    param_names = ("loss", "dtype")

    def setup(self, loss: str, dtype: str) -> None:
        self.prepare(f"loss/{loss}/{dtype}")

    def time_hundred(self, loss: str, dtype: str) -> None:
        self.run(REPEATS)


class Optimizers(_Case):
    """One update of 5,578 parameters."""

    params = (
        [
            "sgd", "momentum", "nesterov", "rmsprop", "adam", "adagrad", "adadelta", "centered_rmsprop", "rprop",
            "madgrad", "adamw", "amsgrad", "adamax", "nadam", "radam", "adabelief", "yogi", "adabound", "amsbound",
            "adan", "laprop", "adopt", "ademamix", "lion", "sign_sgd", "signum", "muon", "shampoo", "soap", "psgd_kron",
        ],
        ["float32"],
    )  # fmt: skip
    param_names = ("optimizer", "dtype")

    def setup(self, optimizer: str, dtype: str) -> None:
        self.prepare(f"optimizer/{optimizer}/{dtype}")

    def time_hundred(self, optimizer: str, dtype: str) -> None:
        self.run(REPEATS)


class Pieces(_Case):
    """What else a step, an epoch and a run are made of."""

    params = (
        [
            "clipping/global_norm", "clipping/value", "normalization/batch_forward", "normalization/batch_backward",
            "pass/gather", "pass/refresh_weights", "pass/forward", "pass/gradient", "random/uniform",
            "random/permutation", "pass/column_sums", "run/evaluate", "schedule/cosine", "init/orthogonal",
            "normalization/rows_forward", "normalization/rows_backward",
        ],
        ["float32"],
    )  # fmt: skip
    param_names = ("piece", "dtype")

    def setup(self, piece: str, dtype: str) -> None:
        self.prepare(f"{piece}/{dtype}")

    def time_hundred(self, piece: str, dtype: str) -> None:
        self.run(REPEATS)


class ShareOfPeak:
    """Useful FLOP over time, as a share of the FMA rate measured in turns with it: it stays put where times do not."""

    params = (
        [
            "product/forward_product/64", "product/forward_product/128", "product/forward_product/256",
            "product/weight_gradient/64", "product/input_gradient/64", "step/4x64/tanh/adam/b64",
            "step/4x128/tanh/adam/b64", "step/4x256/tanh/adam/b64",
        ],
    )  # fmt: skip
    param_names = ("case",)
    unit = "of the FMA rate"

    def setup(self, name: str) -> None:
        try:
            from mlpjit.measure.cases.table import case
            from mlpjit.measure.readings import measure
        except ImportError as error:
            raise NotImplementedError("no measured FMA rate yet") from error
        self.case, self.measure = case(f"{name}/float32"), measure

    def track_share(self, name: str) -> float:
        (reading,) = self.measure([self.case], 40, 1e-3, lambda done, total: None)
        return float(reading.shares["fma"].median)

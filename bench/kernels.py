"""Single kernels: products, activations, optimizer updates; and the products' share of the FMA rate."""

from __future__ import annotations

import time

import numpy as np


def filled(*shape: int, dtype: str = "float32") -> np.ndarray:
    count = int(np.prod(shape))
    return (((np.arange(count) * 0.7548776662466927) % 1.0) - 0.5).reshape(shape).astype(dtype)


class Products:
    """64 x n times n x n in its three forms."""

    params = (["forward_product", "input_gradient", "weight_gradient"], [16, 64, 256], ["float32", "float64"])
    param_names = ("product", "width", "dtype")

    def setup(self, product: str, width: int, dtype: str) -> None:
        from mlpjit.kernels import jit, matmul

        a, w, z, bias = filled(64, width), filled(width, width), np.zeros((64, width)), np.zeros(width)
        self.arrays = [x.astype(dtype) for x in (a, w, z, bias)]
        a, w, z, bias = (x.ctypes.data for x in self.arrays)
        lanes = 16 if dtype == "float32" else 8
        self.arguments = {
            "forward_product": (64, width, width, a, width, w, width, lanes, bias, z, width),
            "input_gradient": (64, width, width, a, width, w, z, width, z, width),
            "weight_gradient": (width, 64, width, a, width, a, width, w),
        }[product]
        self.call = jit.load(getattr(matmul, product), dtype).call
        self.call(*self.arguments)

    def time_product(self, product: str, width: int, dtype: str) -> None:
        self.call(*self.arguments)


class Activations:
    """f and df of 4,096 numbers."""

    params = (["sigmoid", "tanh", "relu", "leaky_relu", "elu", "gelu"], ["float32", "float64"])
    param_names = ("activation", "dtype")

    def setup(self, activation: str, dtype: str) -> None:
        from mlpjit import compiled

        self.a, self.given, self.z = (filled(4096, dtype=dtype) for _ in range(3))
        self.call = compiled.activation(activation, dtype).call
        self.time_forward(activation, dtype)

    def time_forward(self, activation: str, dtype: str) -> None:
        self.z[:] = self.given  # the loop leaves df where z was
        self.call(4096, self.a.ctypes.data, self.z.ctypes.data)


class Optimizers:
    """One update of 17,000 parameters."""

    params = (["sgd", "momentum", "nesterov", "rmsprop", "adam"], ["float32", "float64"])
    param_names = ("optimizer", "dtype")

    def setup(self, optimizer: str, dtype: str) -> None:
        from mlpjit import compiled
        from mlpjit.single_step import optimizers

        defaults = optimizers[optimizer].hyperparameters.values()
        self.arrays = [filled(17_000, dtype=dtype), filled(17_000, dtype=dtype), np.zeros(34_000, dtype)]
        self.settings = np.array([*map(float, defaults), 0.0])
        self.tensors = np.array([0, 1, 17_000, 0])
        params, grads, state = (x.ctypes.data for x in self.arrays)
        self.call = compiled.optimizer(optimizer, dtype).call
        self.arguments = (
            0, 1, 17_000, params, grads, state, state, self.settings.ctypes.data, 1e-3, 1.0,
            self.tensors.ctypes.data, 1,
        )  # fmt: skip
        self.call(*self.arguments)

    def time_update(self, optimizer: str, dtype: str) -> None:
        self.call(*self.arguments)


class ShareOfPeak:
    """Useful FLOP of the forward product over its time, in GFLOP/s."""

    params = (64, 128, 256)
    param_names = ("width",)
    unit = "GFLOP/s"

    def track_forward(self, width: int) -> float:
        product = Products()
        product.setup("forward_product", width, "float32")
        best = min(self._seconds(product) for _ in range(200))
        return 2 * 64 * width * width / best / 1e9

    def _seconds(self, product: Products) -> float:
        start = time.perf_counter()
        for _ in range(20):
            product.call(*product.arguments)
        return (time.perf_counter() - start) / 20

"""What `mj.steps` can go down: listed gradients, quadratics, functions of one's own, a network's loss on its data."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from mlpjit.errors import ConfigError, shown
from mlpjit.extending.checking import check_arrays
from mlpjit.interactive.passes import Passes
from mlpjit.kernels.compiler import inspection, jit
from mlpjit.kernels.functions import function_hash
from mlpjit.kernels.interactive.gradients import (
    LISTED,
    NETWORK,
    QUADRATIC,
    listed_gradient,
    network_gradient,
    objective_loop,
    quadratic_gradient,
    quadratic_product,
)
from mlpjit.kernels.language import Kernel, device, written
from mlpjit.kernels.tables import filled
from mlpjit.registry import suggestion
from mlpjit.training import linking

if TYPE_CHECKING:
    from mlpjit.interactive.network import Network

Shape = tuple[int, ...]
UNKNOWN = np.full(1, np.nan)


@runtime_checkable
class Slope(Protocol):
    """What can be gone down. `anywhere`: it knows the gradient at any parameters, `curved` its Hessian too."""

    anywhere: bool
    curved: bool

    def leading(self, count: int) -> Shape:
        """Return the shape in front of the parameters that it was given for: (), (steps,), (problems, steps)."""
        ...

    def linked(self, dtype: str, shape: Shape) -> Linked:
        """Return it ready for (problems, steps, count)."""
        ...


class Linked:
    """Addresses of compiled functions, their data, and arrays that must outlive the call."""

    def __init__(self, gradient: int, data: np.ndarray, curvature: int = 0, kept: Sequence[Any] = ()) -> None:
        self.gradient, self.data, self.curvature, self.kept = gradient, data, curvature, kept


def _spread(given: np.ndarray, dtype: str, shape: Shape) -> tuple[np.ndarray, list[int]]:
    """Return numbers in a dtype, and how many of them lie between those of neighbours along each axis of a shape."""
    made = np.ascontiguousarray(given, dtype)
    if not made.size:  # of no steps: the loss at the start looks at what a step would have, and finds zeros
        made = np.zeros(shape[-1], dtype)
    strides = np.broadcast_to(made, shape).strides
    return made, [stride // made.itemsize for stride in strides]


class Listed:
    """Gradients (n,), (steps, n) or (problems, steps, n), an axis of length 1 standing for all, whatever params are."""

    anywhere = curved = False

    def __init__(self, gradients: Any) -> None:
        self.gradients = numbers_of("gradient", gradients, (1, 2, 3))

    def leading(self, count: int) -> Shape:
        """Return the shape in front of the parameters."""
        return _leading("gradient", self.gradients, count)

    def linked(self, dtype: str, shape: Shape) -> Linked:
        """Return it ready to be called."""
        made, (problem, step, _) = _spread(self.gradients, dtype, shape)
        data = {"gradients": made, "problem_apart": problem, "step_apart": step, "unknown": UNKNOWN}
        return Linked(jit.load(listed_gradient, dtype).address, filled(LISTED, data), kept=[made])


class Quadratic:
    """theta' H theta / 2 - b' theta, whose gradient is H theta - b, of one or of many problems.

    matrix: H, (n, n) or (problems, n, n), symmetric; or diagonal: (n,) or (problems, n). linear: b, (n,), (steps, n) or
    (problems, steps, n), 0 without it; an axis of length 1 stands for all. Raises ConfigError for other shapes.
    """

    anywhere = curved = True

    def __init__(self, matrix: Any = None, *, diagonal: Any = None, linear: Any = None) -> None:
        if (matrix is None) == (diagonal is None):
            raise ConfigError("Quadratic: give either matrix or diagonal")
        self.dense = matrix is not None
        self.h = numbers_of("matrix", matrix, (2, 3)) if self.dense else numbers_of("diagonal", diagonal, (1, 2))
        if self.dense and self.h.shape[-1] != self.h.shape[-2]:
            raise ConfigError(f"matrix: got shape {self.h.shape}, need (n, n) or (problems, n, n)")
        self.linear = np.zeros(self.h.shape[-1]) if linear is None else numbers_of("linear", linear, (1, 2, 3))

    def leading(self, count: int) -> Shape:
        """Return the shape in front of the parameters."""
        own = self.h.shape[:-2] if self.dense else _leading("diagonal", self.h, count)
        if self.h.shape[-1] != count:
            raise ConfigError(f"matrix: got shape {self.h.shape}, params have {count}")
        return broadcast("matrix and linear", (*own, 1) if own else (), _leading("linear", self.linear, count))

    def linked(self, dtype: str, shape: Shape) -> Linked:
        """Return it ready to be called."""
        problems, _, count = shape
        h, apart = _spread(self.h, dtype, (problems, *([count] * (1 + self.dense))))
        linear, (problem, step, _) = _spread(self.linear, dtype, shape)
        data = {
            "dense": self.dense, "matrix": h, "matrix_apart": apart[0], "linear": linear, "problem_apart": problem,
            "step_apart": step,
        }  # fmt: skip
        product = jit.load(quadratic_product, dtype).address
        return Linked(jit.load(quadratic_gradient, dtype).address, filled(QUADRATIC, data), product, [h, linear])


class Objective:
    """A function of one's own, compiled: see `objective`."""

    anywhere, curved = True, False
    arguments = ("problem", "step", "count", "params", "grads")

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        try:
            inspect.getsource(function)
        except OSError:
            line = "its source cannot be read: define it in a file or a notebook"
            raise ConfigError(f"{function.__name__}: {line}") from None
        except TypeError:
            raise ConfigError(f"objective: got {shown(function)}, need a function written in Python") from None
        wanted = list(inspect.signature(function).parameters)
        if unknown := [name for name in wanted if name not in self.arguments]:
            raise ConfigError(f"{function.__name__} takes {unknown[0]!r}{suggestion(unknown[0], self.arguments)}")
        scope = {"own": device(function)}
        called = [f"return own({', '.join(wanted)})"]
        self.rule = device(
            written(f"{function.__name__}_objective", self.arguments, called, scope, function.__module__)
        )
        self.wanted = wanted

    def leading(self, count: int) -> Shape:
        """It takes any number of parameters."""
        return ()

    def linked(self, dtype: str, shape: Shape) -> Linked:
        """Return it compiled; ConfigError with the line that is wrong."""
        kinds = ["int64" if name in self.arguments[:3] else f"*{dtype}" for name in self.wanted]
        made = inspection.returned(self.function, dtype, kinds)
        if isinstance(made, inspection.Finding):
            from mlpjit.interactive.checks import told

            raise ConfigError(told(made))
        if len(made) != 1:
            raise ConfigError(f"{self.function.__name__} returns {len(made) or 'nothing'}, need one number: the loss")
        check_arrays(self.function)
        loop = Kernel(
            f"objective_{self.function.__name__}", objective_loop.function, objective_loop.parameters, "Float64"
        )
        compiled = jit.load(loop, dtype, {"rule": self.rule}, function_hash(self.function))
        return Linked(compiled.address, np.zeros(1, np.int64), kept=[compiled])


def objective(function: Callable[..., Any]) -> Objective:
    """Have a function of one's own gone down by `mj.steps`: it writes its gradient and returns its loss.

    It may take, by name, params and grads (pointers, read and written with `load` and `store` of `mlpjit.extending`),
    count (how many), problem (from 0) and step (from 1), and is compiled as a rule is: the same functions may be
    called, and it must give grads all of their numbers. Raises ConfigError for other arguments; what cannot be compiled
    is told, with its line, when it is first used.
    """
    return Objective(function)


class NetworkLoss:
    """A network's mean loss over all rows of x: `Network.objective(x, y)`. Each call has buffers of its own."""

    anywhere, curved = True, False

    def __init__(self, net: Network, x: np.ndarray, targets: np.ndarray) -> None:
        self.net, self.x, self.targets = net, np.array(x), np.array(targets)

    def leading(self, count: int) -> Shape:
        """It is one problem, of as many parameters as the network has."""
        if count != self.net.parameter_count:
            raise ConfigError(f"params: got {count}, the network has {self.net.parameter_count}")
        return ()

    def linked(self, dtype: str, shape: Shape) -> Linked:
        """Return it ready to be called; ConfigError for parameters of another dtype than the network's."""
        net = self.net
        if dtype != net.dtype:
            raise ConfigError(f"params: got {dtype}, the network is of {net.dtype}")
        work, settings = Passes(net, np.zeros(net.parameter_count), self.x), net.loss_settings
        data = {
            "rows": len(work.x), "mode": work.training, "softmax": net.softmax, "layer_count": len(net.layout),
            "layers": work.space.layers, "moments": work.moments, "workspace": work.workspace,
            "loss": linking.loss(net.loss.name, dtype).address, "targets": self.targets, "settings": settings,
        }  # fmt: skip
        return Linked(jit.load(network_gradient, dtype).address, filled(NETWORK, data), kept=[work, settings])


def numbers_of(name: str, value: Any, dimensions: Sequence[int]) -> np.ndarray:
    """Return an array of numbers of so many dimensions; ConfigError for anything else."""
    made = np.asarray(value)
    if made.dtype.kind not in "fiu" or made.ndim not in dimensions:
        allowed = " or ".join(f"{n}-D" for n in dimensions)
        raise ConfigError(f"{name}: got {made.dtype} {made.shape}, need a {allowed} array of numbers")
    return made


def _leading(name: str, array: np.ndarray, count: int) -> Shape:
    if array.shape[-1] != count:
        raise ConfigError(f"{name}: got shape {array.shape}, params have {count}")
    return array.shape[:-1]


def broadcast(name: str, *shapes: Shape) -> Shape:
    """Return the shape that these make together; ConfigError where they do not fit."""
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        raise ConfigError(f"{name}: shapes {', '.join(map(str, shapes))} of problems and steps do not fit") from None

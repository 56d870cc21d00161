"""Activations, optimizers and wrappers by name, ready to be called: on arrays, and one step at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from mlpjit.catalogue import registries
from mlpjit.errors import ConfigError
from mlpjit.interactive.activation import Activation
from mlpjit.interactive.optimizer import Optimizer, Wrapper
from mlpjit.kernels.entries import Stage

KINDS = ("elementwise", "layerwise", "joint", "whole")


class _Catalogue:
    """A registry by name; iterating gives the names."""

    kind = ""

    def __iter__(self) -> Iterator[str]:
        return iter(registries.REGISTRIES[self.kind])

    def __len__(self) -> int:
        return len(registries.REGISTRIES[self.kind])

    def __contains__(self, name: object) -> bool:
        return name in registries.REGISTRIES[self.kind]


class Optimizers(_Catalogue):
    """The optimizers by name: `optimizers["adam"]`."""

    kind = "optimizers"

    def register(self, function: Callable[..., Any] | None = None, *, kind: str = "elementwise", **options: Any) -> Any:
        """Register a function as an optimizer and return it: `register(signum, state=("mu",), momentum=0.9)`, or with
        options alone as a decorator. What a function must be, and the options, stand at `mlpjit.extending`.

        kind: "elementwise", "layerwise", "joint" or "whole". Raises ConfigError with the line that is wrong, and where
        a built-in optimizer has the name; another of your own is replaced. It then runs in this process.
        """
        from mlpjit import extending

        if kind not in KINDS:
            raise ConfigError(f"kind: got {kind!r}, need {', '.join(map(repr, KINDS))}")
        declare = getattr(extending, kind)(**options)

        def register(given: Callable[..., Any]) -> Optimizer:
            return _checked_optimizer(declare(given))

        return register if function is None else register(function)

    def __getitem__(self, name: str) -> Optimizer:
        return Optimizer(registries.optimizers[name])


def _checked_optimizer(record: Stage) -> Optimizer:
    """Return an optimizer that has just been registered; taken out again where its checks find something."""
    from mlpjit.interactive.checks import problems

    if found := problems([("optimizers", record.name)], ["float32"]):
        registries.optimizers.remove(record.name)
        raise ConfigError(found)
    return Optimizer(record)


class Wrappers(_Catalogue):
    """The wrappers by name: `wrappers["lookahead"](optimizers["adam"])`."""

    kind = "wrappers"

    def __getitem__(self, name: str) -> Wrapper:
        return Wrapper(registries.wrappers[name])


class Activations(_Catalogue):
    """The activations by name, as functions: `activations["gelu"](z)`, `activations["gelu"].derivative(z)`."""

    kind = "activations"

    def __getitem__(self, name: str) -> Activation:
        return Activation(registries.activations[name])


activations, optimizers, wrappers = Activations(), Optimizers(), Wrappers()

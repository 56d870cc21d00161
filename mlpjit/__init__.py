"""mlpjit: a Numba-JIT research benchmark suite for multi-layer perceptrons.

`train(RunConfig(...))` trains one network, `Study.load("quick").run()` a whole comparison; `Network` and
`optimizers` give the compiled kernels one call at a time. Names are loaded when first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlpjit.config import RunConfig
    from mlpjit.errors import ConfigError, DatasetError, MlpjitError, StoreError
    from mlpjit.extending import elementwise, layerwise
    from mlpjit.model import Network
    from mlpjit.registries import activations, initializers, losses, schedules
    from mlpjit.result import Control, RunResult
    from mlpjit.run import train
    from mlpjit.single_step import optimizers, wrappers
    from mlpjit.study import Study

__version__ = "0.1.0"
_HOMES = {
    "ConfigError": "errors", "Control": "result", "DatasetError": "errors", "MlpjitError": "errors", "Network": "model",
    "RunConfig": "config", "RunResult": "result", "StoreError": "errors", "Study": "study", "activations": "registries",
    "elementwise": "extending", "initializers": "registries", "layerwise": "extending", "losses": "registries",
    "optimizers": "single_step", "schedules": "registries", "train": "run", "wrappers": "single_step",
}  # fmt: skip
__all__ = [
    "ConfigError", "Control", "DatasetError", "MlpjitError", "Network", "RunConfig", "RunResult", "StoreError",
    "Study", "activations", "elementwise", "initializers", "layerwise", "losses", "optimizers", "schedules",
    "train", "wrappers",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"mlpjit.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'mlpjit' has no attribute {name!r}")

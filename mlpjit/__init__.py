"""mlpjit: a Numba-JIT research benchmark suite for multi-layer perceptrons.

`train(RunConfig(...))` trains one network, `Study.load("quick").run()` a whole comparison; `Network` and
`optimizers` give the compiled kernels one call at a time. Names are loaded when first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import mlpjit.host  # noqa: F401  (at first: it notes when this process began to read the package)

if TYPE_CHECKING:
    from mlpjit.catalogue.registries import initializers, losses, schedules
    from mlpjit.config.memory import Dataset
    from mlpjit.config.run_config import RunConfig
    from mlpjit.errors import ConfigError, DatasetError, MlpjitError, StoreError
    from mlpjit.extending import activation, elementwise, initializer, joint, layerwise, loss, schedule, wrapper
    from mlpjit.interactive.catalogue import activations, optimizers, wrappers
    from mlpjit.interactive.network import Network
    from mlpjit.interactive.objectives import Quadratic, objective
    from mlpjit.interactive.stepping import Trajectories, steps
    from mlpjit.models.model import Model, load
    from mlpjit.notebook.result import RunResult, train
    from mlpjit.notebook.study import Study, StudyResults
    from mlpjit.training.result import Control

__version__ = "0.1.0"
_HOMES = {
    "ConfigError": "errors", "Control": "training.result", "Dataset": "config.memory", "DatasetError": "errors",
    "MlpjitError": "errors", "Model": "models.model", "Network": "interactive.network",
    "Quadratic": "interactive.objectives", "RunConfig": "config.run_config", "RunResult": "notebook.result",
    "StoreError": "errors", "Study": "notebook.study", "StudyResults": "notebook.study",
    "Trajectories": "interactive.stepping", "activation": "extending", "activations": "interactive.catalogue",
    "elementwise": "extending", "initializer": "extending", "initializers": "catalogue.registries",
    "joint": "extending", "layerwise": "extending", "load": "models.model", "loss": "extending",
    "losses": "catalogue.registries", "objective": "interactive.objectives", "optimizers": "interactive.catalogue",
    "schedule": "extending", "schedules": "catalogue.registries", "steps": "interactive.stepping",
    "train": "notebook.result", "wrapper": "extending", "wrappers": "interactive.catalogue",
}  # fmt: skip
__all__ = [
    "ConfigError", "Control", "Dataset", "DatasetError", "MlpjitError", "Model", "Network", "Quadratic",
    "RunConfig", "RunResult", "StoreError", "Study", "StudyResults", "Trajectories", "activation", "activations",
    "elementwise", "initializer", "initializers", "joint", "layerwise", "load", "loss", "losses", "objective",
    "optimizers", "schedule", "schedules", "steps", "train", "wrapper", "wrappers",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"mlpjit.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'mlpjit' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})  # what has not been used yet is completed too

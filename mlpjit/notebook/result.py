"""One run from Python: its result shows itself, predicts, draws, and is taken away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mlpjit.display import lines, pairs
from mlpjit.training import result

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mlpjit.config.run_config import RunConfig
    from mlpjit.models.model import Model
    from mlpjit.training.steering import Params


@dataclass(repr=False)
class RunResult(result.RunResult):
    """What a run leaves.

    status: "done", "diverged" or "stopped". params: packed 1-D array. history: arrays with one row an evaluation
    (epoch 0 first, the last epoch always last); per-layer ones are (evaluations, layers). metrics, timings (seconds)
    and counts by name. `train_loss` is the mean of the epoch's step losses, each before its update and with the
    penalties (L1, L2), if any; validation and test losses are without them. counts: steps, gradients, and `skipped`
    where the clipping rule left out some of the steps. statistics: the running ones of batch normalization, for each
    hidden layer its means, then its variances. steered: the arguments of `mj.train` that no config names; such a run
    has no id.
    """

    statistics: np.ndarray = field(default_factory=lambda: np.zeros(0))
    steered: tuple[str, ...] = ()

    @property
    def run_id(self) -> str | None:
        """The id of the run, by which a study would store it; None where the config is not all that it depends on."""
        return None if self.steered else self.config.run_id

    @cached_property
    def model(self) -> Model:
        """What it has learned, with the scaling of the data and the names of the classes."""
        from mlpjit.models.learned import model_of

        return model_of(self.config, self.params, self.statistics, self.run_id)

    def predict(self, x: Any) -> np.ndarray:
        """Return the class of each row of x, or its number in the target's units: `Model.predict`."""
        return self.model.predict(x)

    def save(self, path: Path | str) -> Path:
        """Write the model to a .npz file, which `mj.load` reads, and return its path."""
        return self.model.save(path)

    def plot(self, name: str = "validation_loss", width: float = 3.3) -> Figure:
        """Return a figure of a record of `history` against the epoch, `width` inches wide; of layers a curve each.

        Raises ConfigError for an unknown record.
        """
        from mlpjit.notebook.pictures import history_figure

        return history_figure(self.history, name, width)

    def __repr__(self) -> str:
        return lines(self._title(), self._told())

    def _repr_html_(self) -> str:
        return pairs(self._title(), self._told())

    def _title(self) -> str:
        named = self.run_id or f"without an id (own {', '.join(self.steered)})"
        return f"Run {named}: {self.status}"

    def _told(self) -> list[tuple[str, Any]]:
        """Return what was run, how good it is, and what it took."""
        given = self.config.factors()
        score = "accuracy" if self.config.data.task == "classification" else "R^2"
        shape = "-".join(map(str, self.config.hidden)) or "none"
        return [
            ("data", given["dataset"]), ("hidden layers", f"{shape}, {given['activation']}"),
            ("optimizer", f"{given['optimizer']}, learning rate {self.config.learning_rate:g}"),
            ("validation loss", self.metrics["final_validation_loss"]), (f"test {score}", self.test_score),
            ("steps", f"{self.counts['steps']} in {self.seconds:.3g} s"),
        ]  # fmt: skip


def train(
    config: RunConfig, *, params: Params | None = None, learning_rates: Any = None, loss_factor: float = 1.0,
    frozen: Sequence[int] = (), bias: bool = True,
) -> RunResult:  # fmt: skip
    """Train one network as configured and return its result (the Python entry point).

    Divergence is a result (status "diverged"), not an error. With any of what follows, which no config can name, the
    run has no id: its `run_id` is None, and no study would store it.

    params: where it begins, in place of what `init` draws: a packed array, or by layer as `Network.layers` gives them;
    a mapping {0: {"W": ...}} names some, and the others are drawn. learning_rates: of each step, (steps,) or (steps,
    layers), in place of `learning_rate` and `schedule`; at 0 nothing moves. Of layers a step is made at the largest
    rate, and each goes its share of the way: where steps are proportional to the rate it is a rate of its own.
    loss_factor: of the training loss and its gradient (0.5 makes mse half of it), in front of penalties; evaluations
    are without it. frozen: layers, numbered from 0, that stay as they begin: their gradients count as 0, penalties and
    decay leave them out. bias: False for a network whose b are all 0.

    Raises ConfigError where shapes do not fit, and for rules that cannot move layers apart: those that report another
    point than the parameters, and with rates by layer those that search along a line.
    """
    from mlpjit.models.learned import statistics_of
    from mlpjit.training.run import Run
    from mlpjit.training.steering import Steering
    from mlpjit.training.values import shared, values_of
    from mlpjit.training.warm import prepare_once

    values = values_of(config)
    spent = prepare_once(shared(values), config)
    steering = Steering(params, learning_rates, loss_factor, frozen, bias)
    run = Run(config, values=values, steering=steering if steering.given() else None)
    run.advance()
    return RunResult(**vars(run.result(spent)), statistics=statistics_of(run), steered=steering.given())

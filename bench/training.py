"""Whole runs: the training step, an epoch, and what the run arrives at."""

from __future__ import annotations

from typing import Any

TARGET = 0.3
DIGITS = {"dataset": "digits", "learning_rate": 1e-3, "seed": 0}


def config(**given: Any) -> Any:
    from mlpjit.config.run_config import RunConfig

    return RunConfig(**{**DIGITS, **given})


class Step:
    """Seconds of one training step inside the compiled run, without evaluation (the run's own clock)."""

    params = (
        [
            "4x16 tanh",
            "4x32 tanh",
            "4x64 relu",
            "4x64 gelu",
            "4x128 tanh",
            "16x64 tanh",
            "2x32 tanh b1",
            "2x64 tanh b8",
        ],
        ["sgd", "adam"],
    )
    param_names = ("network", "optimizer")
    unit = "seconds"

    def setup(self, network: str, optimizer: str) -> None:
        from mlpjit.training.run import measure_step

        shape, activation, *batch = network.split()
        depth, width = map(int, shape.split("x"))
        size = int(batch[0][1:]) if batch else 64
        self.settings = config(
            depth=depth, width=width, activation=activation, optimizer=optimizer, batch_size=size, epochs=2
        )
        self.measure = measure_step

    def track_step(self, network: str, optimizer: str) -> float:
        return float(self.measure(self.settings, 5)["low_seconds"])


class Epochs:
    """Five epochs with their evaluations, everything from configuration to result."""

    params = (["none", "batch"], [1, 8])
    param_names = ("normalization", "depth")

    def setup(self, normalization: str, depth: int) -> None:
        from mlpjit.training.run import execute

        self.settings = config(depth=depth, width=64, normalization=normalization, optimizer="adam", epochs=5)
        self.execute = execute
        self.execute(self.settings)

    def time_run(self, normalization: str, depth: int) -> None:
        self.execute(self.settings)


class Quality:
    """What a fixed run arrives at: exactly the same on every machine, so any change is a change of the numbers."""

    params = ("sgd", "momentum", "rmsprop", "adam")
    param_names = ("optimizer",)

    def setup(self, optimizer: str) -> None:
        from mlpjit.training.run import execute

        rate = {"sgd": 0.3, "momentum": 0.03, "rmsprop": 1e-3, "adam": 1e-3}[optimizer]
        settings = config(depth=4, width=64, activation="gelu", optimizer=optimizer, learning_rate=rate, epochs=10)
        self.result = execute(settings)

    def track_final_validation_loss(self, optimizer: str) -> float:
        return float(self.result.metrics["final_validation_loss"] or float("nan"))

    def track_test_accuracy(self, optimizer: str) -> float:
        return float(self.result.metrics["test_score"] or float("nan"))

    def track_steps_to_target(self, optimizer: str) -> float:
        """Return the steps until validation loss is at most 0.3, by the epoch; NaN where it never is."""
        history = self.result.history
        reached = history["step"][history["validation_loss"] <= TARGET]
        return float(reached[0]) if len(reached) else float("nan")

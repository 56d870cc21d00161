"""Whole sweeps: plan, runs, store. Small ones, and many small runs of one shape and of 80."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

STUDY = """
name = "bench"
dataset = "digits"
width = 32
epochs = 2
[sweep]
optimizer = ["sgd", "adam"]
activation = ["relu", "gelu"]
depth = [1, 4]
learning_rate = [0.001, 0.01, 0.1]
seed = [0, 1]
"""


HEAD = """
name = "bench"
dataset = "two_moons"
width = 8
batch_size = 64
epochs = 2
"""
RATES = [10.0 ** (-4.0 + 3.5 * place / 39.0) for place in range(40)]
# Parts of the studies of bench/evidence/small_cases.py, as they were when this was written: results stay comparable.
SMALL = {
    "one_shape": f"""{HEAD}
depth = 2
activation = "tanh"
init = "xavier_normal"
optimizer = "adam"
[sweep]
learning_rate = {RATES}
seed = {list(range(20))}
""",
    "mixed": f"""{HEAD}
[sweep]
optimizer = ["sgd", "momentum", "adagrad", "rmsprop", "adam"]
activation = ["relu", "tanh", "gelu", "sigmoid"]
init = ["lecun_normal", "he_normal"]
depth = [1, 2, 3, 4]
learning_rate = [0.001, 0.003, 0.01, 0.03, 0.1]
seed = [0]
""",
}


class Sweep:
    timeout = 300
    number = 1
    repeat = 5
    warmup_time = 0

    def setup(self) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="mlpjit-bench-")
        self.study = Path(self.folder.name) / "bench.toml"
        self.study.write_text(STUDY)
        self.time_forty_eight_runs()

    def teardown(self) -> None:
        self.folder.cleanup()

    def time_forty_eight_runs(self) -> None:
        from mlpjit.study.study import Study

        Study.load(self.study).run(out=tempfile.mkdtemp(dir=self.folder.name), threads=2)


class SmallRuns:
    """800 runs of 22 steps each, on one thread, from the study to the store: what asv tracks is better when smaller."""

    params = ("one_shape", "mixed")
    param_names = ("study",)
    timeout = 300

    def setup(self, study: str) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="mlpjit-bench-")
        self.study = Path(self.folder.name) / "bench.toml"
        self.study.write_text(SMALL[study])
        self.seconds()

    def teardown(self, study: str) -> None:
        self.folder.cleanup()

    def seconds(self) -> float:
        from mlpjit.study.study import Study

        start = time.process_time()
        Study.load(self.study).run(out=tempfile.mkdtemp(dir=self.folder.name), threads=1)
        return time.process_time() - start

    def track_core_microseconds_per_run(self, study: str) -> float:
        return 1e6 / 800 * min(self.seconds() for _ in range(5))

    track_core_microseconds_per_run.unit = "us"


class Harness:
    timeout = 300

    def track_microseconds_per_run_with_the_gil(self) -> float:
        from mlpjit.measure.harness import TOTAL, measure

        return 1e6 * next(part.held.median for part in measure(3) if part.name == TOTAL)

    track_microseconds_per_run_with_the_gil.unit = "us"

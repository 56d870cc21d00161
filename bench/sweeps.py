"""A whole small sweep: plan, runs on two threads, store."""

from __future__ import annotations

import tempfile
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

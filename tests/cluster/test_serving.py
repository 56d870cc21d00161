"""What a worker does with a chunk: the bits of one machine, time limits, an end after some seconds or when told."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlpjit.cluster import serving
from mlpjit.cluster.crew import _check_own
from mlpjit.cluster.parcels import Answer, packed, unpacked
from mlpjit.config.run_config import RunConfig
from mlpjit.errors import ConfigError
from mlpjit.extending.files import load
from mlpjit.study.chunks import Task
from mlpjit.training.chunk import make
from mlpjit.training.result import Control


def tasks(*groups: int, **given: Any) -> list[Task]:
    """Runs of several groups, which differ in their width."""
    configs = [RunConfig(**{"dataset": "wine", "hidden": [4 + g], "epochs": 2, "seed": i} | given)
               for i, g in enumerate(groups)]  # fmt: skip
    return [Task(10 + i, config, 0.001, group) for i, (config, group) in enumerate(zip(configs, groups, strict=True))]


def made(chunk: list[Task], seconds: float = 60.0, token: str = "study") -> Answer:
    answer: Answer = unpacked(serving.make(token, packed((chunk, seconds))))
    return answer


def test_a_chunk_of_several_groups_has_the_bits_of_runs_alone():
    chunk = tasks(0, 0, 0, 1, 1)
    answer = made(chunk)
    assert sorted(index for some in answer.made for index in some.indices) == [10, 11, 12, 13, 14]
    for some in answer.made:
        for place, index in enumerate(some.indices):
            alone = make([chunk[index - 10].config], Control())
            assert some.results is not None
            for name, column in alone.history(0).items():
                np.testing.assert_array_equal(some.results.history(place)[name], column)


def test_no_other_run_begins_once_the_seconds_have_passed():
    assert sum(len(some.indices) for some in made(tasks(*[0] * 300), 0.0).made) < 300


def test_a_run_whose_time_is_up_is_told_and_the_others_are_made():
    slow = tasks(0, epochs=100_000, timeout=0.05)
    (cut, whole) = made([*slow, *tasks(1)]).made
    assert (cut.results, cut.error) == (None, None)
    assert whole.results is not None


def test_a_study_that_was_stopped_makes_nothing():
    asyncio.run(serving.stop("stopped"))
    assert made(tasks(0, 0), token="stopped").made == []
    assert made(tasks(0, 0)).made != []


EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
OWN = {
    "greedy_step": {"optimizer": "greedy_step"},
    "flat_minima": {"optimizer": "sgd", "wrapper": "flat_minima"},
    "bent_line": {"activation": "bent_line"},
    "bent_line of a layer": {"activation": [{"name": "bent_line", "width": 2.0}, "relu"]},
    "soft_square": {"loss": "soft_square"},
    "random_signs": {"init": "random_signs"},
    "late_fall": {"schedule": "late_fall"},
    "late_fall of the decay": {"weight_decay": 1e-4, "weight_decay_schedule": "late_fall"},
    "late_fall of the momentum": {"momentum_schedule": "late_fall"},
}


@pytest.mark.usefixtures("own_records_are_forgotten")
@pytest.mark.parametrize("case", OWN)
def test_what_a_user_has_written_is_refused(case):
    name = case.partition(" ")[0]
    load(EXAMPLES / f"{name}.py")
    config = RunConfig(dataset="diabetes", **{"hidden": [4, 4], "epochs": 1, "optimizer": "momentum"} | OWN[case])
    with pytest.raises(ConfigError, match=f"--dask: {name}: what you have written yourself runs on this machine alone"):
        _check_own([RunConfig(dataset="wine"), config])


def test_without_dask_there_is_one_clear_line():
    code = "import sys; sys.modules['distributed'] = None; from mlpjit.cluster import running"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "ConfigError: --dask needs dask.distributed: pip install 'mlpjit[cluster]'" in done.stderr

"""The committed results of the built-in studies can be had again, bit for bit."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlpjit.study.study import built_in
from mlpjit.verify import verify
from mlpjit.verify.kept import ExportedRuns

REFERENCE = Path(__file__).parents[1] / "results" / "reference"
STUDIES = [name for name in built_in() if (REFERENCE / name).is_dir()]


def test_no_folder_is_forgotten():
    assert {path.name for path in REFERENCE.iterdir() if path.is_dir()} == set(STUDIES) >= {"quick", "pathologies"}


@pytest.mark.parametrize("name", STUDIES)
def test_reference_runs_have_the_ids_of_this_code(name):
    kept = ExportedRuns(REFERENCE / name)
    told = f"made by older code: mlpjit verify results/reference/{name} --all --adopt, or run it again"
    # A default that is also the best setting has two rows, of one run.
    assert kept.run_ids == list(dict.fromkeys(config.run_id for config in kept.configs)), told


@pytest.mark.parametrize("name", STUDIES)
def test_a_sample_of_runs_has_the_same_bits(name):
    found = verify(REFERENCE / name, sample=12)
    assert len(found.checked) == 12
    assert found.wrong == []

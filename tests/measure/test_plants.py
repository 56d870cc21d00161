"""The planted slowdowns still find their places in the sources, and each adds work and nothing else."""

from __future__ import annotations

import ast
import importlib.util
import shutil
import sys
from pathlib import Path

import pytest

from mlpjit.measure.cases.table import cases

ROOT = Path(__file__).parents[2]


def _plants():
    spec = importlib.util.spec_from_file_location("bench_plants", ROOT / "bench/evidence/plants.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


plants = _plants()


def test_twenty_places():
    places = {(p.file, p.function, p.name) for p in plants.PLANTS}
    assert len(places) == len(plants.PLANTS) == 20


@pytest.mark.parametrize("what", plants.PLANTS, ids=lambda p: p.name)
def test_every_place_has_a_case_of_its_own(what):
    assert any(name.startswith(what.shows) for name in cases())


@pytest.mark.parametrize("what", plants.PLANTS, ids=lambda p: p.name)
@pytest.mark.parametrize("parts", [10, 33])
def test_every_place_is_there(what, parts, tmp_path):
    (tmp_path / what.file).parent.mkdir(parents=True)
    shutil.copy(ROOT / what.file, tmp_path / what.file)
    plants.plant(tmp_path, what, parts)
    changed = (tmp_path / what.file).read_text()
    before = (ROOT / what.file).read_text().splitlines()
    assert ast.dump(ast.parse(changed)) != ast.dump(ast.parse("\n".join(before)))
    rest = iter(changed.splitlines())
    assert all(line in rest for line in before)  # every line is still there, in its order


def test_a_place_that_is_gone_is_told(tmp_path):
    what = plants.PLANTS[0]
    (tmp_path / what.file).parent.mkdir(parents=True)
    (tmp_path / what.file).write_text("def other():\n    pass\n")
    with pytest.raises(ValueError, match="forward product: 0 functions"):
        plants.plant(tmp_path, what, 10)

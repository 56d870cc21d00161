"""Every case can be made and run, every registered rule has one, and the table costs nothing to read."""

from __future__ import annotations

import subprocess
import sys

import pytest

from mlpjit.catalogue import registries
from mlpjit.errors import ConfigError
from mlpjit.measure.cases.table import case, cases

KINDS = {
    "activation": registries.activations, "loss": registries.losses, "optimizer": registries.optimizers,
    "clipping": registries.clippings,
}  # fmt: skip


@pytest.mark.parametrize("name", cases())
def test_every_case_runs(name):
    work = case(name).make()
    work.run(1)
    work.run(3)
    assert work.moved > 0
    assert work.resident > 0


def test_float64_has_the_same_cases():
    assert [name.rpartition("/")[0] for name in cases("float64")] == [name.rpartition("/")[0] for name in cases()]
    case("product/forward_product/37/float64").make().run(1)


@pytest.mark.parametrize("kind", KINDS)
def test_every_registered_rule_has_a_case(kind):
    assert [c.name.split("/")[1] for c in cases().values() if c.group == kind] == list(KINDS[kind])


def test_steps_go_on_where_a_run_ends():
    work = case("step/2x64/tanh/adam/b8/float32").make()
    steps = work.run.__self__
    steps.done = steps.training.steps - 2
    work.run(5)
    assert steps.done == 6  # the first step of the new run, then five


def test_unknown_names_are_told():
    with pytest.raises(ConfigError, match=r"did you mean 'optimizer/adam/float32'\?"):
        case("optimizer/adm/float32")


def test_the_table_imports_no_numba():
    code = "import sys\nfrom mlpjit.measure.cases.table import cases\ncases()\nsys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0

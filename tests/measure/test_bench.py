"""`mlpjit bench` and `mlpjit warm`: shares, files, errors; everything small."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mlpjit.cli import app
from mlpjit.cli.bench import SECTIONS as NAMED
from mlpjit.errors import MlpjitError
from mlpjit.measure import machine_limits, readings, scaling, startup
from mlpjit.measure.bench import SECTIONS
from mlpjit.measure.cases.table import Case, case
from mlpjit.measure.clock import Timed, spread

TINY = """
name = "tiny"
width = 4
epochs = 1
[sweep]
seed = [0, 1]
"""


@pytest.fixture(autouse=True)
def small_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Caches of a size that needs no memory to speak of."""
    monkeypatch.setattr(machine_limits, "CACHES", tmp_path / "none")
    monkeypatch.setattr(machine_limits, "TYPICAL", {"L1": 32 << 10, "L2": 64 << 10, "L3": 128 << 10})
    machine_limits.levels.cache_clear()
    machine_limits.fastest.cache_clear()
    yield
    machine_limits.levels.cache_clear()
    machine_limits.fastest.cache_clear()


def mlpjit(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments))


def ignore(done: int, total: int) -> None:
    pass


def test_the_limit_itself_is_at_its_limit():
    """The same work as case and as limit: the share is 1, whatever else the machine does."""
    fma = Case("fma", "product", "float32", lambda: machine_limits.arithmetic("fma", "float32"))
    (found,) = readings.measure([fma], 9, 1e-3, ignore)
    assert found.shares["fma"].median == pytest.approx(1.0, abs=0.25)
    assert found.bound == "fma"
    assert found.flops == found.flop / found.seconds.median


def test_an_update_is_held_to_memory_and_its_units():
    (found,) = readings.measure([case("optimizer/adam/float32")], 3, 3e-4, ignore)
    assert set(found.shares) == {"fma", "memory", "units"}
    assert found.bound in ("memory", "units")
    assert all(0 < share.low <= share.median <= share.high for share in found.shares.values())


def test_a_sample_has_as_many_repeats_as_it_needs():
    work = machine_limits.arithmetic("fma", "float32")
    assert Timed(work, 2e-3).repeats > 2 * Timed(work, 2e-4).repeats
    assert spread([3.0, 1.0, 2.0]).median == 2.0


def test_bench_prints_and_writes(tmp_path: Path):
    out = tmp_path / "out"
    options = ("--rounds", "1", "--only", "/37/", "--out", str(out))
    result = mlpjit("bench", "limits", "kernels", *options)
    assert result.exit_code == 0, result.output
    assert "product/weight_gradient/37/float32" in result.stdout
    assert "product: " in result.stdout
    assert "measuring kernels" in result.stderr
    assert {path.name for path in out.iterdir()} == {"limits.json", "kernels.json", "roofline.svg", "roofline.png"}
    assert [row["name"] for row in json.loads((out / "kernels.json").read_text())["kernels"]] == [
        f"product/{name}/37/float32" for name in ("forward_product", "input_gradient", "weight_gradient")
    ]
    ElementTree.parse(out / "roofline.svg")
    again = json.loads(mlpjit("bench", "limits", "--json", *options).stdout)
    assert {limit["name"] for limit in again["limits"]} >= {"fma/float32", "triad/L2", "scale/DRAM"}
    assert again["kernels"] == []


def test_the_command_names_every_section():
    assert tuple(SECTIONS) == NAMED


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("kernel",), "unknown section 'kernel': did you mean 'kernels'?"),
        (("kernels", "--only", "nothing"), "no case has 'nothing' in its name"),
        (("--threads", "0"), "threads: got 0"),
    ],
)
def test_mistakes_are_lines(arguments: tuple[str, ...], line: str):
    result = mlpjit("bench", *arguments)
    assert result.exit_code == 2
    assert line in result.stderr


def test_start_ups_are_processes(monkeypatch: pytest.MonkeyPatch):
    parts = '{"import": 1, "kernels": 2, "step": 3, "loaded": 4, "compiled": 5}'
    monkeypatch.setattr(startup, "FIRST_STEP", f"print('{parts}')")
    cold, warm = startup.measure(2)
    assert (cold.cache, warm.cache) == ("empty", "full")
    assert (warm.imports.median, warm.kernels.median, warm.step.median) == (1, 2, 3)
    assert (warm.loaded, warm.compiled) == (4, 5)
    assert warm.process.median > 0
    monkeypatch.setattr(startup, "FIRST_STEP", "raise ValueError('no luck')")
    with pytest.raises(MlpjitError, match="no luck"):
        startup.measure(1)


def test_scaling_counts_runs(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(scaling, "WIDTHS", (16,))
    (found,) = scaling.measure(threads=2, rounds=1, seconds=0.003)
    assert found.network == "4x16 tanh adam"
    assert found.share.median == pytest.approx(found.together.median / found.alone.median / 2)


def test_warm_says_what_it_had_to_compile(tmp_path: Path):
    (tmp_path / "tiny.toml").write_text(TINY)
    mlpjit("warm", str(tmp_path / "tiny.toml"))
    again = json.loads(mlpjit("warm", str(tmp_path / "tiny.toml"), "--json").stdout)
    assert again["compiled"] == 0
    assert again["kernels"] == again["from_cache"] > 20


def test_warm_refuses_what_it_does_not_know():
    assert "did you mean 'quick'" in mlpjit("warm", "quik").stderr
    assert mlpjit("warm", "--dtype", "float16").exit_code == 2


def test_what_is_not_counted_is_bound_by_nothing():
    (found,) = readings.measure([case("random/uniform/float32")], 1, 1e-4, ignore)
    assert found.bound == ""

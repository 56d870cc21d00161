"""Optimizers of the user's own: their files, the trial beside a stored study, worker processes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import mlpjit as mj
from mlpjit.catalogue import registries
from mlpjit.cli import app
from mlpjit.config.run_config import RunConfig
from mlpjit.errors import ConfigError
from mlpjit.extending import files, fma
from mlpjit.extending.source import source_of
from mlpjit.interactive import checks as dry_run
from mlpjit.store import Store
from mlpjit.study.own_sources import sources
from mlpjit.study.pool import Unfinished
from mlpjit.study.study import Study
from mlpjit.study.trial import trial
from mlpjit.study.tried import rates_of
from mlpjit.study.worker import WorkerCrashed
from mlpjit.study.workers import working
from mlpjit.training.result import Control

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "soft_sign.py"
TINY = """
name = "tiny"
width = 8
epochs = 1
[[sweep]]
optimizer = "sgd"
learning_rate = [0.03, 0.3]
depth = [1, 2]
seed = [0, 1]
[[sweep]]
optimizer = "adam"
learning_rate = [0.003, 0.03]
depth = [1, 2]
seed = [0, 1]
[final]
per = "optimizer"
seeds = [100, 101]
"""


pytestmark = pytest.mark.usefixtures("own_records_are_forgotten")


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    (tmp_path / "tiny.toml").write_text(TINY)
    return tmp_path / "tiny.toml"


def written(folder: Path, text: str, name: str = "mine.py") -> Path:
    (folder / name).write_text(text)
    return folder / name


def mlpjit(*arguments: str | Path) -> str:
    """Return what a command prints in a process of its own; it must end well."""
    code = "import sys; sys.argv[0] = 'mlpjit'; from mlpjit.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_a_trial_tunes_on_the_grid_of_the_study(tiny: Path) -> None:
    base = Study.load(tiny)
    made = trial(base, files.load(EXAMPLE))
    own = [config for config in made.configs() if config.optimizer["name"] == "soft_sign"]
    assert rates_of(base) == made.rates == (0.003, 0.03, 0.3)
    assert made.runs.run_ids[: len(base.runs)] == base.runs.run_ids
    assert len(own) == len(made.configs()) - len(base.runs) == 3 * 2 * 2  # once, though two blocks have these axes
    assert {(c.depth, c.seed) for c in own} == {(1, 0), (1, 1), (2, 0), (2, 1)}
    assert {c.width for c in own} == {8}


def test_rates_can_be_given(tiny: Path) -> None:
    made = trial(Study.load(tiny), files.load(EXAMPLE), [0.1, 0.01, 0.1])
    assert made.rates == (0.01, 0.1)
    assert made.command(Path("results/tiny")).endswith("soft_sign.py " + str(tiny) + " --rates 0.01,0.1")
    with pytest.raises(ConfigError, match=r"rates: got -1.0, need a positive number"):
        trial(Study.load(tiny), files.OwnFile(EXAMPLE, "", (("optimizers", "soft_sign"),)), [-1.0])


def lacking(out: Path, study: Path) -> str:
    alone = f"this makes them alone: mlpjit run {study} --out {out}"
    return f"{out} lacks 20 runs of 'tiny', which are made first; {alone}"


def test_what_is_lacking_is_told_before_a_file_is_refused(tiny: Path, tmp_path: Path) -> None:
    wrong = written(tmp_path, EXAMPLE.read_text().replace("import ", "import fmaa, "))
    done = CliRunner().invoke(app, ["try", str(wrong), str(tiny), "--out", str(tmp_path / "out")])
    told, error = done.stderr.splitlines()
    assert told == lacking(tmp_path / "out", tiny)
    assert error.startswith("error: mine.py")
    assert not (tmp_path / "out").exists()


def test_the_whole_comparison(tiny: Path, tmp_path: Path) -> None:
    """The study is run first, stored runs are not made again, and the page names what is tried."""
    out = tmp_path / "out"
    first = mlpjit("try", EXAMPLE, tiny, "--out", out)
    assert lacking(out, tiny) in first.splitlines()
    assert "soft_sign: rates 0.003, 0.03, 0.3 (every rate of 'tiny'" in first
    assert re.search(r"^34 runs \(34 done\), 14 made now", first, re.MULTILINE)  # 20 of the study, 12 + 2 of the trial
    assert {line.split()[0] for line in first.splitlines() if " to " in line} >= {"adam", "sgd", "soft_sign"}
    with Store.open(out, readonly=True) as store:
        kept = {row[0]: row[1] for row in store.rows(("run_id", "finished_at"))}
        assert store.study()["tried"] == ["soft_sign"]
    again = json.loads(
        mlpjit("try", EXAMPLE, tiny, "--out", out, "--json", "--no-report").partition("\nsoft_sign: rates")[0]
    )
    assert again["ran"] == 0
    (tried,) = again["tries"]
    assert {(one["control"], one["competitor"]) for one in tried["verdicts"]} == {
        ("adam", "soft_sign"),
        ("sgd", "soft_sign"),
    }
    assert re.search(r"^sgd  .* 4\*  (better|worse|not enough)", first, re.MULTILINE)  # its rates times depths
    changed = written(tmp_path, EXAMPLE.read_text().replace("momentum=0.9", "momentum=0.8"), "soft_sign.py")
    third = mlpjit("try", changed, tiny, "--out", out, "--no-report")
    assert "34 runs (34 done), 14 made now" in third
    with Store.open(out, readonly=True) as store:
        now = {row[0]: row[1] for row in store.rows(("run_id", "finished_at"))}
        texts = [source["texts"]["soft_sign.py"] for source in sources(store)]
    assert texts == [EXAMPLE.read_text(), changed.read_text()]
    assert sum(now.get(run_id) == finished for run_id, finished in kept.items()) == 20


def test_the_source_of_an_edited_file_is_not_taken_for_what_ran(tmp_path: Path) -> None:
    file = files.load(written(tmp_path, EXAMPLE.read_text()))
    written(tmp_path, EXAMPLE.read_text() + "# more")
    assert source_of(file) is None


def test_the_example_is_the_one_of_the_documentation() -> None:
    page = (EXAMPLE.parents[1] / "try.md").read_text()
    assert EXAMPLE.read_text() in page
    assert len(EXAMPLE.read_text().split("\n\n\n")[1].splitlines()) <= 10


def test_every_example_of_the_page_works(tmp_path: Path) -> None:
    page = (EXAMPLE.parents[1] / "try.md").read_text()
    blocks = [part.partition("```")[0] for part in page.split("```python\n")[1:]]
    assert len(blocks) == 4
    checks = """
from mlpjit.interactive.checks import problems
assert not problems([("optimizers", name) for name in ("soft_sign", "my_adam", "matrix_momentum")], ["float32"])
"""
    file = written(tmp_path, "\n".join([*blocks, checks]), "page.py")
    done = subprocess.run([sys.executable, "-W", "error", file], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


CRASHES = """
from mlpjit.extending import layerwise, load, real, store

@layerwise
def crashing(rows, columns, params, grads, learning_rate):
    if learning_rate > 0.5:
        store(params, 1 << 50, real(0.0))
    for i in range(rows * columns):
        store(params, i, load(params, i) - learning_rate * load(grads, i))
"""


def test_a_crash_ends_its_run_alone(tmp_path: Path) -> None:
    file = files.load(written(tmp_path, CRASHES))
    good, bad = (RunConfig(optimizer="crashing", hidden=[8], epochs=1, learning_rate=rate) for rate in (0.1, 1.0))
    with working([file]) as workers:
        with pytest.raises(WorkerCrashed, match=r"worker crashed \(SIG(SEGV|BUS)\)"):
            workers.execute([bad], Control())
        result = workers.execute([good], Control())
    assert result.states == ["done"]


def test_a_file_that_changes_is_told(tmp_path: Path) -> None:
    file = files.load(written(tmp_path, EXAMPLE.read_text()))
    with (
        working([replace(file, digest="other")]) as workers,
        pytest.raises(ConfigError, match="changed while the study"),
    ):
        workers.prepare([RunConfig(optimizer="soft_sign")], print)


def test_a_stop_that_came_early_is_kept(tmp_path: Path) -> None:
    file = files.load(EXAMPLE)
    control = Control()
    control.stop()
    with working([file]) as workers, pytest.raises(Unfinished):
        workers.execute([RunConfig(optimizer="soft_sign", epochs=3)], control)


ERRORS = {
    "def f(:\n": "mine.py, line 1: `def f(:`: invalid syntax",
    "x = 1\n": "mine.py: nothing is declared in it: decorate a function with @elementwise, @activation",
    "y = 2\nz = y / 0\n": "mine.py, line 2: `z = y / 0`: ZeroDivisionError: division by zero",
    "from mlpjit.extending import elementwise\n@elementwise\ndef adam(g, learning_rate):\n    return g\n":
        "mine.py, line 2: `@elementwise`: optimizer 'adam' is built in: give yours another name",
}  # fmt: skip


@pytest.mark.parametrize("text", ERRORS)
def test_a_file_that_cannot_be_used_gets_one_line(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = CliRunner().invoke(app, ["try", str(written(tmp_path, text)), "quick", "--out", str(tmp_path / "out")])
    assert (result.exit_code, result.stdout) == (2, "")
    _, error = result.stderr.splitlines()  # below what the study lacks
    assert error.startswith(f"error: {ERRORS[text]}")
    assert not (tmp_path / "out").exists()


def test_a_file_that_is_missing_is_told(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["try", "nothing.py", "quick"])
    assert (result.exit_code, "nothing.py: there is no such file" in result.stderr) == (2, True)


HEAD = "from mlpjit.extending import Float64, elementwise, fma, layerwise, load, select, sqrt, store\n"
MOMENTUM = (
    HEAD
    + """
@elementwise(state=("mu",), momentum=0.9)
def mine(g, mu, learning_rate, momentum):
    mu = fma(momentum, mu, (1.0 - momentum) * g)
    return learning_rate * mu, mu
"""
)
# What is changed in a rule that is right, and the line that tells.
MISTAKES = {
    "arguments": (("g, mu, learning_rate, momentum", "g, learning_rate, momentum"),
        "line 4: `def mine(g, learning_rate, momentum):`: mine takes 3 arguments, need 4: g, mu, learn"),
    "order": (("g, mu, learning_rate, momentum", "g, mu, momentum, learning_rate"),
        "line 4: `def mine(g, mu, momentum, learning_rate):`: mine takes its arguments in another order than they are"),
    "returns": (("learning_rate * mu, mu", "learning_rate * mu"),
        "line 6: `return learning_rate * mu`: mine returns 1, need 2: the update, mu"),
    "double": (("(1.0 - momentum)", "(1 - momentum)"),
        "line 5: `mu = fma(momentum, mu, (1 - momentum) * g)`: mine computes in double, not float32: write 1.0"),
    "name": (("fma(momentum", "fmadd(momentum"),
        "line 5: `mu = fmadd(momentum, mu, (1.0 - momentum) * g)`: mine uses fmadd, which is not defined: did you"),
    "types": (("learning_rate * mu, mu", "'a' * mu, mu"),
        "line 6: `return 'a' * mu, mu`: mine holds a text: it works with numbers alone"),
    "zero": (("learning_rate * mu, mu", "learning_rate * mu / sqrt(mu * mu), mu"),
        "writes NaN or infinity at step 1 in float32 where the gradient is 0"),
    "nan": (("learning_rate * mu, mu", "learning_rate * sqrt(-mu * mu), mu"),
        "line 6: `return learning_rate * sqrt(-mu * mu), mu`: mine writes NaN or infinity at step 1 in float32"),
    "no return": (("return learning_rate * mu, mu", "learning_rate * mu"),
        "mine returns nothing, need 2: the update, mu"),
    "state of whole numbers": (("learning_rate * mu, mu", "learning_rate * mu, 1"),
        "line 6: `return learning_rate * mu, 1`: mine returns int64, need float32"),
    "raise": (("    return learning", "    if g > 1e3:\n        raise ValueError\n    return learning"),
        "line 7: `raise ValueError`: mine raises an error, which compiled code cannot: write NaN, which ends the run"),
    "assert": (("    return learning", "    assert g < 1e3\n    return learning"),
        "line 6: `assert g < 1e3`: mine raises an error"),
    "many states": (("(\"mu\",)", "tuple('abcdefghi')"), "mine keeps 9 states, at most 8 are possible"),
}  # fmt: skip


def told_of(path: Path) -> str:
    """Return the line that is told of a file, when it is read or checked."""
    try:
        (problem,) = dry_run.problems(files.load(path).entries, ["float32"])
    except ConfigError as error:
        (problem,) = error.problems
    return problem


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_gets_one_line_that_quotes_it(name: str, tmp_path: Path) -> None:
    (old, new), line = MISTAKES[name]
    assert old in MOMENTUM
    problem = told_of(written(tmp_path, MOMENTUM.replace(old, new)))
    assert problem.startswith("mine.py, line ")
    assert line in problem
    assert "\n" not in problem


def test_double_in_a_layers_loop_is_told(tmp_path: Path) -> None:
    body = "    for i in range(count):\n        store(params, i, load(params, i) - learning_rate * load(grads, i))\n"
    file = files.load(
        written(tmp_path, f"{HEAD}@layerwise\ndef mine(count, params, grads, learning_rate: Float64):\n{body}")
    )
    (problem,) = dry_run.problems(file.entries, ["float32"])
    assert "mine.py, line 5: `store(params, i, " in problem
    assert problem.endswith("convert with real(...)")


def test_what_is_right_passes_once_and_compiles_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = files.load(written(tmp_path, MOMENTUM))
    assert dry_run.problems(file.entries, ["float32", "float64"]) == []
    monkeypatch.setattr(dry_run, "_findings", None)
    assert dry_run.problems(file.entries, ["float32", "float64"]) == []


PROCESS = """
import sys
import mlpjit as mj
from mlpjit.extending import files as optimizer_files; from mlpjit.catalogue import registries
from mlpjit.kernels.compiler import jit

optimizer_files.load(sys.argv[1])
for name in ("soft_sign", "adam", "lars"):
    mj.train(mj.RunConfig(
        hidden=[8], epochs=1, optimizer=name, schedule="one_cycle", clip="global_norm", wrapper="lookahead"
    ))
print(*sorted(kernel.name for kernel in jit.loaded() if not kernel.from_cache), sep="\\n")
"""


def fresh_kernels(file: Path) -> list[str]:
    """Return what a process of its own had to compile for runs with a file's optimizer and with built-in ones."""
    done = subprocess.run(
        [sys.executable, "-c", PROCESS, str(file)], capture_output=True, text=True, timeout=300, check=True
    )
    return done.stdout.split()


def test_a_second_process_compiles_nothing(tmp_path: Path) -> None:
    """Neither of what is built in nor of an unchanged file, wherever it lies; an edit compiles its own loop alone."""
    fresh_kernels(EXAMPLE)
    assert fresh_kernels(EXAMPLE) == []
    text = EXAMPLE.read_text()
    assert fresh_kernels(written(tmp_path, text)) == []
    number = time.time_ns()  # none that an earlier test has left in the cache
    edited = text.replace("learning_rate * mu", f"(0.0 * {number}.0 + learning_rate) * mu")
    assert fresh_kernels(written(tmp_path, edited)) == ["optimizer_soft_sign"]
    assert fresh_kernels(tmp_path / "mine.py") == []


@pytest.mark.parametrize("name", registries.optimizers)
def test_built_in_optimizers_pass(name: str) -> None:
    """They are written in what users write, and pass the same checks."""
    assert [dry_run.told(finding) for finding in dry_run._findings(registries.optimizers[name], ["float32"])] == []


def test_mistakes_end_before_anything_runs(tiny: Path, tmp_path: Path) -> None:
    mine = written(tmp_path, MOMENTUM.replace("(1.0 -", "(1 -"))
    result = CliRunner().invoke(app, ["try", str(mine), str(tiny), "--out", str(tmp_path / "out")])
    assert (result.exit_code, (tmp_path / "out").exists()) == (2, False)
    assert result.stderr.splitlines()[-1].startswith(
        "error: mine.py, line 5: `mu = fma(momentum, mu, (1 - momentum) * g)`"
    )


def test_a_crash_in_the_check_is_told(tmp_path: Path) -> None:
    file = files.load(written(tmp_path, CRASHES.replace("> 0.5", "> 0.0")))
    with (
        working([file]) as workers,
        pytest.raises(ConfigError, match="crashing: worker crashed"),
    ):
        workers.check(file.entries, ["float32"])


def fading(g: float, mu: float, learning_rate: float, momentum: float) -> tuple[float, float]:
    mu = fma(momentum, mu, g)
    return learning_rate * mu, mu


def test_an_optimizer_is_registered_in_python() -> None:
    """It is plain momentum, bit for bit; hyperparameters are as of a built-in one."""
    own = mj.optimizers.register(fading, state=("mu",), momentum=0.9)
    configs = [RunConfig(optimizer=name, hidden=[8], epochs=2, learning_rate=0.05) for name in ("fading", "momentum")]
    mine, theirs = (mj.train(config) for config in configs)
    assert (mine.params == theirs.params).all()
    assert configs[0].run_id != configs[1].run_id
    assert repr(own(momentum=0.5)) == "fading(momentum=0.5)"  # it has neither formula nor source
    assert repr(mj.wrappers["lookahead"](own)).splitlines()[1].startswith("  in: ")


def test_another_of_the_same_name_takes_its_place() -> None:
    mj.optimizers.register(fading, state=("mu",), momentum=0.9)
    config = RunConfig(optimizer="fading", hidden=[8], epochs=1)
    before, first = config.run_id, mj.train(config)
    mj.optimizers.register(fading, state=("mu",), initial={"mu": 0.25}, momentum=0.9)
    again = RunConfig(optimizer="fading", hidden=[8], epochs=1)
    assert again.run_id != before
    assert (mj.train(again).params != first.params).any()


def test_registering_tells_mistakes_and_keeps_nothing() -> None:
    with pytest.raises(ConfigError, match=r"test_try.py, line \d+: `def fading.* takes momentum, which its decorator"):
        mj.optimizers.register(fading, state=("mu",))
    assert "fading" not in mj.optimizers
    with pytest.raises(ConfigError, match=r"fading: got momentum='a': hyperparameters are numbers"):
        mj.optimizers.register(fading, momentum="a")


FAILING = CRASHES.replace("> 0.5", "> 0.1")


def test_runs_that_crash_are_stored_as_failed_and_the_rest_go_on(tiny: Path, tmp_path: Path) -> None:
    mine, out = written(tmp_path, FAILING), str(tmp_path / "out")
    result = CliRunner().invoke(app, ["try", str(mine), str(tiny), "--out", out, "--no-report"])
    assert result.exit_code == 1
    assert "error: 4 runs failed: WorkerCrashed: worker crashed (SIG" in result.stderr
    with Store.open(out, readonly=True) as store:
        rows = list(store.rows(("optimizer", "learning_rate", "state")))
    assert {row[2] for row in rows if row[0] == "crashing" and row[1] > 0.1} == {"failed"}
    assert {row[2] for row in rows if row[0] != "crashing" or row[1] < 0.1} == {"done"}


NAMED = (
    HEAD
    + """
@layerwise(state=("mu",), momentum=0.9)
def mine(rows, columns, params, grads, mu, learning_rate, momentum):
    for i in range(rows * columns):
        store(mu, i, fma(momentum, load(mu, i), load(grads, i)))
        store(params, i, load(params, i) - learning_rate * load(mu, i))
"""
)


def test_a_layerwise_rule_takes_what_it_names(tmp_path: Path) -> None:
    """It is plain momentum, bit for bit."""
    file = files.load(written(tmp_path, NAMED))
    assert dry_run.problems(file.entries, ["float32", "float64"]) == []
    configs = [RunConfig(optimizer=name, hidden=[8, 8], epochs=2, learning_rate=0.05) for name in ("mine", "momentum")]
    mine, theirs = (mj.train(config) for config in configs)
    assert (mine.params == theirs.params).all()


LAYER_MISTAKES = {
    ("mu, learning_rate", "nu, learning_rate"): "line 3: `@layerwise(state=(\"mu\",), momentum=0.9)`: mine takes 'nu'",
    (
        "learning_rate * load(mu, i)",
        "2 * load(mu, i)",
    ): "line 7: `store(params, i, load(params, i) - 2 * load(mu, i))`",
    (
        "- learning_rate * load(mu, i)",
        "/ (load(grads, i) - load(grads, i))",
    ): "line 4: `def mine(rows, columns, par",
}


@pytest.mark.parametrize("change", LAYER_MISTAKES)
def test_its_mistakes_get_one_line_too(change: tuple[str, str], tmp_path: Path) -> None:
    assert change[0] in NAMED
    try:
        file = files.load(written(tmp_path, NAMED.replace(*change)))
        (problem,) = dry_run.problems(file.entries, ["float32"])
    except ConfigError as error:
        problem = str(error)
    assert problem.startswith(f"mine.py, {LAYER_MISTAKES[change]}")


DOUBLES = """
from mlpjit.extending import Float64, float64, joint, real, store


def lost(x):
    return real((x - float64(real(x))) * 1e9)


@joint(state=("seen",), plain=0.1, wide=0.1)
def mine(seen, loss, learning_rate: Float64, plain, wide: Float64):
    store(seen, 0, lost(loss))
    store(seen, 1, lost(learning_rate))
    store(seen, 2, lost(plain))
    store(seen, 3, lost(wide))
"""


@pytest.mark.parametrize("first", ["", "from __future__ import annotations\n"])
def test_an_argument_may_be_double(tmp_path: Path, first: str) -> None:
    """Annotated Float64 it has all its digits, without it those of the run's dtype."""
    files.load(written(tmp_path, first + DOUBLES))
    optimizer, zeros = mj.optimizers["mine"], np.zeros(4, "float32")
    _, state = optimizer.update(zeros, zeros, optimizer.init(zeros), learning_rate=0.1, loss=0.1)
    assert (state.values["seen"] != 0).tolist() == [False, True, False, True]


WHOLE = """
from __future__ import annotations
from mlpjit.extending import DONE, Float64, Float64s, Int, Ints, Real, Reals, fma, kernel, load, real, store, whole


def pulled(rate, g, theta):
    return fma(-rate, g, FACTOR * theta)


@kernel
def average(count: Int, rate: Real, grads: Reals, params: Reals) -> None:
    for i in range(count):
        store(params, i, pulled(rate, load(grads, i), load(params, i)))


@whole
def mine(
    phase: Int, step: Int, rows: Int, count: Int, params: Reals, grads: Reals, state: Reals, scratch: Reals,
    settings: Float64s, learning_rate: Float64, loss: Float64, tensors: Ints, tensor_count: Int,
) -> Int:
    average(count, real(learning_rate), grads, params)
    return DONE
"""


def test_a_whole_rule_with_a_kernel_of_its_own(tmp_path: Path) -> None:
    """The kernel has the name of one of the package's, and what it calls may change alone: neither is mixed up."""
    params, found = np.ones(3, "float32"), []
    for factor in ("1.0", "0.5"):
        file = files.load(written(tmp_path, WHOLE.replace("FACTOR", factor)))
        assert dry_run.problems(file.entries, ["float32"]) == []
        optimizer = mj.optimizers["mine"]
        found.append(optimizer.update(params, params, optimizer.init(params), learning_rate=0.25)[0][0])
    assert found == [0.75, 0.25]


def test_a_whole_rule_needs_the_types_of_its_arguments(tmp_path: Path) -> None:
    without = WHOLE.replace("from __future__ import annotations\n", "").replace("@kernel\n", "")
    with pytest.raises(ConfigError, match=r"`@whole`: mine: its arguments are not annotated as those of `call_stage`"):
        files.load(written(tmp_path, without.replace("FACTOR", "1.0")))

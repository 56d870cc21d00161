"""Entries of a user's own besides optimizers: declared, checked, tried, named in a study, known by their hash."""

from __future__ import annotations

import re
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import mlpjit as mj
from mlpjit.cli import app
from mlpjit.config.run_config import RunConfig
from mlpjit.errors import ConfigError
from mlpjit.extending import absolute, copysign, files, real, select
from mlpjit.study import workers
from mlpjit.study.pool import Overdue
from mlpjit.study.study import Study
from mlpjit.study.toml import read_toml
from mlpjit.study.trial import trial
from mlpjit.study.worker import WorkerCrashed
from mlpjit.training.result import Control

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
ACTIVATION = EXAMPLES / "bent_line.py"
pytestmark = pytest.mark.usefixtures("own_records_are_forgotten")
TINY = """
name = "tiny"
width = 8
epochs = 1
[sweep]
optimizer = "sgd"
activation = ["relu", "tanh"]
learning_rate = [0.03, 0.3]
seed = [0, 1]
[final]
per = "activation"
seeds = [100, 101]
"""


def written(folder: Path, text: str, name: str = "mine.py") -> Path:
    (folder / name).write_text(text)
    return folder / name


def run(*arguments: str | Path) -> str:
    """Return what a command prints; it must end well."""
    result = CliRunner().invoke(app, [str(each) for each in arguments])
    assert result.exit_code == 0, result.output
    return result.output


def test_an_activation_is_tried(tmp_path: Path) -> None:
    study = written(tmp_path, TINY, "tiny.toml")
    told = run("try", ACTIVATION, study, "--out", tmp_path / "out", "--cap", "3", "--no-report")
    assert "bent_line: rates 0.03, 0.3 (as 'tiny' has them" in told
    assert re.search(r"^18 runs \(18 done\), 6 made now", told, re.MULTILINE)  # 12 of the study; 4 + 2
    assert {line.split()[0] for line in told.splitlines() if re.search(r" 3  .* 2  not enough", line)} == {
        "relu",
        "tanh",
    }


def test_its_runs_are_those_of_the_study_but_for_it(tmp_path: Path) -> None:
    base = Study.load(written(tmp_path, TINY, "tiny.toml"))
    made = trial(base, files.load(ACTIVATION), tune={"width": [0.5, 1.0]})
    own = [config for config in made.configs() if str(config.activation).startswith("bent_line")]
    assert len(own) == len(made.configs()) - len(base.runs) == 2 * 2 * 2
    assert {config.activation for config in own} == {"bent_line", "bent_line(width=0.5)"}
    assert {config.learning_rate for config in own} == {0.03, 0.3}


KINDS = {
    "bent_line": ("activation", {"width": [0.5, 1.0]}), "soft_square": ("loss", {}), "soft_sign": ("optimizer", {}),
    "late_fall": ("schedule", {"share": [0.1, 0.5]}), "random_signs": ("init", {"gain": [1.0, 2.0]}),
    "flat_minima": ("wrapper", {"rho": [0.01, 0.1]}),
}  # fmt: skip


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_takes_the_place_of_its_own(name: str) -> None:
    """All else is as in the study: its axes, the rates of each of its optimizers, its seeds."""
    field, tune = KINDS[name]
    blocks = [
        {"optimizer": "sgd", "learning_rate": [0.1, 1.0], "depth": [1, 2], "seed": [0, 1]},
        {"optimizer": "adam", "learning_rate": [0.001], "depth": [1, 2], "seed": [0, 1]},
    ]
    base = Study.from_table({"name": "x", "sweep": blocks, "final": {"per": "optimizer", "seeds": [9]}})
    made = trial(base, files.load(EXAMPLES / f"{name}.py"), tune=tune if field != "loss" else None)
    own = [c for c in made.configs() if made.runs.run_ids and c.run_id not in base.runs.run_ids]
    assert made.per == (field,)
    assert {c.factors()[field].partition("(")[0] for c in own} == {name}
    settings = {(c.optimizer["name"], c.learning_rate) for c in own}
    if field == "optimizer":
        assert settings == {(name, 0.1), (name, 1.0), (name, 0.001)}
    else:
        assert settings == {("sgd", 0.1), ("sgd", 1.0), ("adam", 0.001)}
        assert len(own) == 3 * 2 * 2 * (2 if tune else 1)


def test_losses_compare_on_the_data_set(tmp_path: Path) -> None:
    base = Study.load(written(tmp_path, TINY.replace('activation = ["relu", "tanh"]', ""), "tiny.toml"))
    made = trial(base, workers.read(EXAMPLES / "soft_square.py"), cap=2)
    made.try_out(tmp_path / "out")
    (judged,) = made.verdicts(tmp_path / "out")
    compared = judged.compared
    assert (compared.competitor, compared.control, compared.problem) == (
        "loss soft_square", "loss cross_entropy", "digits",
    )  # fmt: skip
    assert judged.measure.unit == "points"


EVERYTHING = """
name = "used"
use = ["bent_line.py", "soft_square.py", "late_fall.py", "random_signs.py", "soft_sign.py", "flat_minima.py"]
width = 8
epochs = 1
[sweep]
activation = [{ name = "bent_line", width = 0.5 }, "relu"]
loss = "soft_square"
schedule = ["late_fall"]
init = "random_signs"
optimizer = "soft_sign"
wrapper = "flat_minima"
learning_rate = 0.01
seed = [0, 1]
"""


def test_a_study_names_files_of_its_users_own(tmp_path: Path) -> None:
    """Their paths are relative to the study's; another process makes its runs, which have the same ids here."""
    for name in KINDS:
        written(tmp_path, (EXAMPLES / f"{name}.py").read_text(), f"{name}.py")
    study = written(tmp_path, EVERYTHING, "used.toml")
    assert "4 runs (4 done), 4 made now" in run("run", study, "--out", tmp_path / "out", "--no-report")
    loaded = Study.load(study)
    ids = loaded.runs.run_ids
    assert len(loaded.canonical()["use"]) == 6
    assert {block.fixed["timeout"] for block in loaded.blocks} == {60.0}
    assert "nothing left to run" in run("run", study, "--out", tmp_path / "out", "--no-report")
    uses = [word for name in KINDS for word in ("--use", tmp_path / f"{name}.py")]
    assert "4 runs of 4 made again, 4 with the same bits" in run("verify", tmp_path / "out", *uses)
    run("bundle", tmp_path / "out")
    with zipfile.ZipFile(tmp_path / "out.zip") as bundle:
        bundle.extractall(tmp_path / "sent")
    assert Study.load(tmp_path / "sent" / "study.toml").runs.run_ids == ids
    for name in KINDS:
        files.load(tmp_path / f"{name}.py")
    assert Study.from_table({k: v for k, v in read_toml(EVERYTHING, "").items() if k != "use"}).runs.run_ids == ids


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("bent_line", "0.5 * (z + root)", "0.5 * (root + z)"), ("bent_line", "width=1.0", "width=1.5"),
        ("soft_square", "0.5 * d * d", "d * d * 0.5"), ("soft_square", "scale=1.0", "scale=1.5"),
        ("late_fall", "left / share", "left / (share * 1.0)"), ("late_fall", "share=0.25", "share=0.5"),
        ("random_signs", "-gain)", "-1.0 * gain)"), ("random_signs", "gain=1.4142", "gain=1.5"),
        ("flat_minima", "if size > 0.0", "if size > 1.0"),
        ("flat_minima", "load(scratch, i))", "1.0 * load(scratch, i))"), ("flat_minima", "rho=0.05", "rho=0.5"),
    ],
)  # fmt: skip
def test_an_edit_makes_another_run(name: str, old: str, new: str, tmp_path: Path) -> None:
    field, _ = KINDS[name]
    text = (EXAMPLES / f"{name}.py").read_text()
    assert old in text
    ids = []
    for each in (text, text.replace("\n\n\n@", "\n\n# a comment\n@"), text.replace(old, new)):
        files.load(written(tmp_path, each))
        ids.append(RunConfig(**{field: name}).run_id)
    assert ids[0] == ids[1] != ids[2]


@pytest.mark.parametrize(
    ("use", "line"),
    [
        ('"nothing.py"', "used.toml, use[0]: "),
        ("3", "used.toml, use: got 3, need a list of Python files"),
        ('["a.py", "b.py"]', "used.toml, use[1]: b.py: 'bent_line' is declared in a.py too"),
        ('["empty.py"]', "used.toml, use[0]: empty.py: nothing is declared in it"),
    ],
)
def test_files_that_cannot_be_used_are_told(use: str, line: str, tmp_path: Path) -> None:
    for name in ("a.py", "b.py"):
        written(tmp_path, ACTIVATION.read_text(), name)
    written(tmp_path, "x = 1\n", "empty.py")
    study = written(tmp_path, f"use = {use}\n{TINY}", "used.toml")
    with pytest.raises(ConfigError) as raised:
        Study.load(study)
    assert str(raised.value).startswith(line)
    assert "\n" not in str(raised.value)


def test_two_files_of_one_name_are_told_apart(tmp_path: Path) -> None:
    for folder, name in (("a", "bent_line"), ("b", "soft_sign"), ("b/c", "late_fall")):
        (tmp_path / folder).mkdir()
        written(tmp_path / folder, (EXAMPLES / f"{name}.py").read_text(), "mine.py")
    study = written(tmp_path, f'use = ["a/mine.py", "b/mine.py", "b/../b/c/mine.py"]\n{TINY}', "used.toml")
    loaded = Study.load(study)
    digests = [file.digest for file in loaded.use]
    names = ["a/mine.py", "b/mine.py", "b/c/mine.py"]
    assert loaded.canonical()["use"] == dict(zip(names, digests, strict=True))
    assert len(set(digests)) == 3


RULE = """
from mlpjit.extending import elementwise
from helper import FACTOR, shrunk


@elementwise
def rule_{0}(g, learning_rate):
    return learning_rate * FACTOR * shrunk(g)
"""


def test_files_of_two_folders_import_each_what_lies_beside_it(tmp_path: Path) -> None:
    for name, factor in (("a", "0.5"), ("b", "0.25")):
        (tmp_path / name).mkdir()
        helper = f"FACTOR = {factor}\n\n\ndef shrunk(g):\n    return {factor} * g\n"
        written(tmp_path / name, helper, "helper.py")
        written(tmp_path / name, RULE.format(name), f"mine_{name}.py")
    table = {"dataset": "wine", "width": 4, "epochs": 1, "learning_rate": 0.1}
    own = {"use": ["a/mine_a.py", "b/mine_b.py"], "sweep": {"optimizer": ["rule_a", "rule_b"]}}
    alike = {"sweep": [{"optimizer": "sgd", "learning_rate": 0.1 * factor} for factor in (0.5**2, 0.25**2)]}
    losses = [
        Study.from_table({**table, **each}, folder=tmp_path).run(tmp_path / f"out{at}").frame()["final_train_loss"]
        for at, each in enumerate((own, alike))
    ]
    assert losses[0].tolist() == pytest.approx(losses[1].tolist(), rel=1e-6)
    assert losses[0].nunique() == 2


def test_a_file_beside_the_package_has_no_helper_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a clone: what the file imports of the package first is not forgotten for a file from elsewhere."""
    (tmp_path / "mlpjit").symlink_to(Path(mj.__file__).parent)
    (tmp_path / "b").mkdir()
    written(tmp_path, "FACTOR = 0.5\n\n\ndef shrunk(g):\n    return 0.5 * g\n", "helper.py")
    first = written(tmp_path, f"import mlpjit.measure.startup\n{RULE.format('a')}", "mine.py")
    monkeypatch.delitem(sys.modules, "mlpjit.measure.startup", raising=False)
    files.load(first)
    files.load(written(tmp_path / "b", INITIALIZER))
    assert "mlpjit.measure.startup" in sys.modules
    assert "helper" not in sys.modules


def test_an_initializer_with_random_numbers_of_its_own_is_refused(tmp_path: Path) -> None:
    drawn = "np.random.normal(size=(draw.fan_in, draw.fan_out))"
    text = (
        INITIALIZER.partition("@")[0] + f"import numpy as np\n\n\n@initializer\ndef mine(draw):\n    return {drawn}\n"
    )
    with pytest.raises(ConfigError, match=r"mine returns other numbers on a second call: take them from draw.normal"):
        workers.read(written(tmp_path, text))


@pytest.mark.parametrize(
    ("made", "kind"),
    [
        ("(-1.0 + 0j) ** 0.5 * draw.normal()", "complex128"),
        ("draw.normal().astype(str)", "<U32"),
        ("draw.normal().astype(object)", "object"),
    ],
)
def test_an_initializer_returns_real_numbers(made: str, kind: str, tmp_path: Path) -> None:
    text = f"from mlpjit.extending import initializer\n\n\n@initializer\ndef mine(draw):\n    return {made}\n"
    told = f"line 6: `return {made}`: mine returns values of type {kind}, need real numbers"
    with pytest.raises(ConfigError, match=re.escape(told)):
        workers.read(written(tmp_path, text))


def test_an_initializer_takes_its_parameters_by_their_names(tmp_path: Path) -> None:
    text = (
        INITIALIZER.partition("@")[0] + "\n\n@initializer(gain=1.0)\ndef mine(draw, gian):\n    return draw.normal()\n"
    )
    with pytest.raises(ConfigError, match="mine takes draw, gian, need draw, gain"):
        workers.read(written(tmp_path, text))


def test_what_a_worker_tells_names_the_same_runs() -> None:
    told = workers.read(ACTIVATION)
    specs = ["bent_line", {"name": "bent_line", "width": 2.0}]
    by_word = [RunConfig(activation=spec).run_id for spec in specs]
    assert files.load(ACTIVATION) == told
    assert [RunConfig(activation=spec).run_id for spec in specs] == by_word
    assert len(set(by_word)) == 2


def test_a_file_of_two_kinds_is_used_but_not_tried(tmp_path: Path) -> None:
    both = ACTIVATION.read_text() + (EXAMPLES / "soft_sign.py").read_text()
    file = files.load(written(tmp_path, both))
    assert dict(file.entries) == {"optimizers": "soft_sign", "activations": "bent_line"}
    with pytest.raises(ConfigError, match=r"mine.py: it holds optimizers and activations: a try compares one kind"):
        trial(Study.from_table({"name": "x"}), file)


def test_an_activation_is_that_of_the_catalogue_bit_for_bit() -> None:
    @mj.activation
    def my_square_root_of_squares(z):
        size = absolute(z)
        return size, copysign(real(1.0), z)

    @mj.activation
    def again(z):
        return select(z > 0.0, z, 0.0 * z), select(z > 0.0, 1.0 + 0.0 * z, 0.0 * z)

    configs = [RunConfig(activation=name, hidden=[8], epochs=2) for name in ("again", "relu")]
    mine, theirs = (mj.train(config) for config in configs)
    assert (mine.params == theirs.params).all()
    assert np.isfinite(mj.train(RunConfig(activation="my_square_root_of_squares", hidden=[8], epochs=1)).params).all()


def test_hessian_vector_products_need_a_second_derivative() -> None:
    @mj.activation
    def straight(z):
        return 2.0 * z, 2.0 + 0.0 * z

    with pytest.raises(ConfigError, match=r"optimizer 'adahessian' with activation 'straight': it asks for Hessian"):
        RunConfig(activation="straight", optimizer="adahessian")
    assert RunConfig(activation="straight", optimizer="adam").run_id


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_every_example_stands_on_its_page(path: Path) -> None:
    pages = [(EXAMPLES.parent / name).read_text() for name in ("try.md", "own_ideas.md")]
    assert any(path.read_text() in page for page in pages)


INITIALIZER = """
import os
from mlpjit.extending import initializer
@initializer
def mine(draw):
    while draw.seed == 7:
        pass
    if draw.seed == 8:
        os._exit(3)
    return draw.normal()
"""


def test_an_initializer_that_hangs_or_crashes_ends_its_run_alone(tmp_path: Path) -> None:
    file = workers.read(written(tmp_path, INITIALIZER))
    hangs, crashes, fine = (RunConfig(init="mine", hidden=[8], epochs=1, timeout=0.3, init_seed=s) for s in (7, 8, 9))
    with workers.working([file]) as some:
        with pytest.raises(Overdue):
            some.execute([hangs], Control())
        with pytest.raises(WorkerCrashed, match="exit code 3"):
            some.execute([crashes], Control())
        assert some.execute([fine], Control()).states == ["done"]


LOOPS = {
    "loss": "@loss\ndef mine(output, target):\n    while output * 0.0 == 0.0:\n        output += 0.0\n"
    "    return output - target, output",
    "initializer": "@initializer\ndef mine(draw):\n    while True:\n        pass",
}


@pytest.mark.parametrize("kind", LOOPS)
def test_what_never_ends_is_given_up_when_it_is_read(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers.processes, "LOAD_SECONDS", 0.5)
    with pytest.raises(ConfigError, match=r"mine.py: still runs after 0.5 s: need a file that ends"):
        workers.read(written(tmp_path, f"from mlpjit.extending import {kind}\n{LOOPS[kind]}\n"))


def test_code_that_is_elsewhere_is_not_run_here() -> None:
    workers.read(ACTIVATION)
    with pytest.raises(ConfigError, match=r"bent_line cannot be run in this process: bent_line.py is run in worker"):
        mj.train(RunConfig(activation="bent_line", hidden=[8], epochs=1))
    files.load(ACTIVATION)
    with pytest.raises(ConfigError, match=r"no model of a network with activation 'bent_line': a model predicts with"):
        mj.train(RunConfig(activation="bent_line", hidden=[8], epochs=1)).save("x.npz")

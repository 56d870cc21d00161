"""A run's id follows the code that makes its numbers, and nothing else."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mlpjit.catalogue.registries import REGISTRIES
from mlpjit.config import code_hash, identity
from mlpjit.config.run_config import RunConfig
from mlpjit.kernels import sources
from mlpjit.kernels.syntax import taken_apart

WATCHER = Path(__file__).with_name("watch_runs.py")
TEXTS = sources.texts()
# Runs that together go through as much of the code as a few runs can.
WATCHED = [
    {"dataset": "two_moons", "hidden": [9, 9], "activation": "gelu", "optimizer": "adam", "schedule": "cosine",
     "clip": "global_norm", "init": "he_normal", "normalization": "batch", "residual": "post", "dropout": 0.1},
    {"dataset": "linear_regression", "hidden": [8, 7], "optimizer": "kfac", "init": "orthogonal", "batch_size": 33,
     "schedule": "reduce_on_plateau", "l1": 1e-4, "dtype": "float64"},
    {"dataset": "digits", "hidden": [6], "activation": "prelu", "optimizer": "sophia", "weight_decay": 0.1,
     "batch_size": 1, "init": "lsuv", "normalization": "layer", "wrapper": "lookahead"},
    {"dataset": "xor", "optimizer": "momentum", "momentum_schedule": "linear", "loss": "mse", "hidden": [5, 600],
     "output_activation": "softmax", "batch_size": "full", "normalization": "weight"},
]  # fmt: skip


class Hashes(dict):
    """What `code_hash.hashes` returns, each made when it is asked for."""

    def __init__(self, changed: dict[str, str]) -> None:
        self.code = sources.Code({**TEXTS, **changed}, code_hash.homes())

    def __missing__(self, entry: str) -> str:
        return self.code.shared if entry == code_hash.SHARED else self.code.entry(*dict(code_hash.entries())[entry])


def run_id(given: dict, changed: dict[str, str] | None = None) -> str:
    """The id that a run has where the package's files read as `changed` says."""
    config, found = RunConfig(**given), Hashes(changed or {})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(code_hash, "own_hashes", lambda: found)
        identity._source_hash.cache_clear()
        named = config.run_id
    identity._source_hash.cache_clear()
    return named


@pytest.fixture(scope="module")
def watched(tmp_path_factory) -> list[dict[str, list[int]]]:
    """For each run, by file, the first lines of the functions that it executes or compiles."""
    environment = {**os.environ, "MLPJIT_CACHE_DIR": str(tmp_path_factory.mktemp("cache"))}
    command = [sys.executable, str(WATCHER), json.dumps(WATCHED)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    found: list[dict[str, list[int]]] = json.loads(done.stdout.splitlines()[-1])
    return found


def with_a_statement(path: str, line: int) -> str:
    """A file with one statement more in the function that begins in a line."""
    tree = ast.parse(TEXTS[path])
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and min(n.lineno for n in (node, *node.decorator_list)) == line:
            node.body.append(ast.parse("edited = 0").body[0])
            return ast.unparse(tree)
        if isinstance(node, ast.Lambda) and node.lineno == line:
            node.body = ast.Tuple([node.body, ast.Constant(0)])
            return ast.unparse(tree)
    raise AssertionError(f"{path}: no function begins in line {line}")


def test_runs_go_through_files_that_their_ids_cover(watched):
    assert all(len(files) > 40 for files in watched)
    # How a file of the compile cache is written and how an error is worded is no number's business.
    assert {path for files in watched for path in files} - set(TEXTS) <= {"files.py", "errors.py"}


def test_an_edit_of_whatever_a_run_executes_or_compiles_makes_it_another_run(watched):
    """Of every file that a run was seen to go through, one function after the other."""
    runs = {
        (path, line): given
        for given, files in zip(WATCHED, watched, strict=True)
        for path in files
        for line in files[path]
    }
    before = {id(given): run_id(given) for given in WATCHED}
    same = [
        place for place, given in runs.items()
        if place[0] in TEXTS and run_id(given, {place[0]: with_a_statement(*place)}) == before[id(given)]
    ]  # fmt: skip
    assert len(runs) > 500
    assert same == []


def test_without_one_of_the_folders_edits_would_go_unseen(watched):
    """What the test above would say if a folder were left out of the hash."""
    for folder in ("kernels", "catalogue", "training", "registry.py"):
        assert any(path.startswith(folder) for files in watched for path in files)


MOVED = [
    # a comment, a docstring, the order of imports
    ("kernels/run/steps.py", lambda text: text + "\n# a comment\n"),
    ("kernels/run/steps.py", lambda text: "import itertools\n" + text.replace('"""One training step', '"""A step')),
    ("training/run.py", lambda text: text.replace("numpy as np", "numpy as n_p").replace("np.", "n_p.")),
]  # fmt: skip


@pytest.mark.parametrize(("path", "change"), MOVED)
def test_what_means_the_same_is_the_same_run(path, change):
    assert change(TEXTS[path]) != TEXTS[path]
    assert run_id(WATCHED[0], {path: change(TEXTS[path])}) == run_id(WATCHED[0])


def test_a_file_that_moves_changes_no_run(monkeypatch):
    """With everything that imports from it."""
    old, new = "mlpjit.kernels.arithmetic.random", "mlpjit.kernels.chance"
    moved = {path.replace("arithmetic/random", "chance"): _renamed(text, old, new) for path, text in TEXTS.items()}
    before = run_id(WATCHED[0])
    monkeypatch.setitem(globals(), "TEXTS", moved)
    assert run_id(WATCHED[0]) == before


def _renamed(text: str, old: str, new: str) -> str:
    text = text.replace(f"{old} import", f"{new} import")
    return text.replace("from mlpjit.kernels.arithmetic import random", "from mlpjit.kernels import chance as random")


def test_another_function_of_the_same_name_makes_another_run():
    """Imports are left out, but not what they lead to."""
    path, text = next((p, t) for p, t in TEXTS.items() if "arithmetic.trigonometric import cos" in t and "kernels" in p)
    other = text.replace("arithmetic.trigonometric import cos", "arithmetic.other import cos")
    added = {"kernels/arithmetic/other.py": TEXTS["kernels/arithmetic/trigonometric.py"].replace("0.63", "0.64")}
    assert run_id(WATCHED[0], {path: other, **added}) != run_id(WATCHED[0], added)


def test_what_the_face_of_extending_leads_to_counts():
    """Entries import what they are written with through it."""
    face = "extending/__init__.py"
    other = TEXTS[face].replace(
        "scalars import larger, one_minus_power, sign",
        "scalars import larger, sign\nfrom mlpjit.kernels.arithmetic.scalars import larger as one_minus_power",
    )
    assert other != TEXTS[face]
    assert run_id(WATCHED[0], {face: other}) != run_id(WATCHED[0])


ENTRY = '''

@register("f", "-")
def fresh_entry(x, y):
    """One more."""
    return fresh_number * x


fresh_number = 2.0
'''


def entry_files() -> list[str]:
    return sorted(code_hash.homes())


@pytest.mark.parametrize("path", entry_files())
def test_one_more_entry_changes_no_run(path):
    assert run_id(WATCHED[0], {path: TEXTS[path] + ENTRY}) == run_id(WATCHED[0])


def test_an_entry_that_a_run_does_not_use_may_change():
    """And of those that it uses, every one makes it another run."""
    used = {f"{kind} {name}" for kind, name in identity.records_used(RunConfig(**WATCHED[0]).__dict__)}
    before = run_id(WATCHED[0])
    edited = {entry: _edited(*place) for entry, place in code_hash.entries()}
    changed = {entry for entry, (path, text) in edited.items() if run_id(WATCHED[0], {path: text}) != before}
    assert used <= changed
    # An entry that another one, which is used, is written with.
    assert len(changed - used) <= 3, changed - used


def _edited(path: str, name: str) -> tuple[str, str]:
    tree = ast.parse(TEXTS[path])
    node = next(n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == name)
    node.body.append(ast.parse("edited = 0").body[0])
    return path, ast.unparse(tree)


def test_what_tells_of_an_entry_is_not_hashed():
    path, text = next((p, t) for p, t in TEXTS.items() if p.endswith("optimizers/adams.py"))
    assert run_id(WATCHED[0], {path: text.replace("Kingma & Ba 2015", "Kingma and Ba, 2015")}) == run_id(WATCHED[0])


def test_a_local_variable_refers_to_nothing():
    statements = taken_apart("def f(momentum):\n    rate = momentum\n    return rate + other\n").statements
    assert statements[0].refers == (("", "other"),)


def test_every_entry_has_a_home_in_the_package():
    named = {entry for entry, _ in code_hash.entries()}
    assert {f"{kind} {name}" for kind, registry in REGISTRIES.items() for name in registry} <= named


def test_the_hashes_are_kept_on_disk_and_follow_the_sources(monkeypatch):
    made: list[Callable] = []
    monkeypatch.setattr(code_hash, "remembered", lambda key, make: made.append(key) or make())
    code_hash.own_hashes.cache_clear()
    first = code_hash.own_hashes()
    edited = {**TEXTS, "registry.py": TEXTS["registry.py"] + "\nedited = 0\n"}
    monkeypatch.setattr(code_hash, "texts", lambda: edited)
    code_hash.own_hashes.cache_clear()
    assert code_hash.own_hashes() != first
    assert made[0] != made[1]
    code_hash.own_hashes.cache_clear()


def test_the_seed_names_a_run_only_where_something_draws():
    """Where all three seeds that it sets are given."""
    given = {"dataset": "two_moons", "split_seed": 1, "init_seed": 2, "order_seed": 3}

    def named(optimizer) -> int:
        return len({RunConfig(**given, optimizer=optimizer, seed=seed).run_id for seed in (0, 1)})

    found = {name: named(name) for name in ("adam", "adahessian", "sophia", "kfac")}
    assert found == {"adam": 1, "adahessian": 2, "sophia": 2, "kfac": 2}
    assert named({"name": "kfac", "sampled": False}) == 1


EDITED_WHILE_RUNNING = """
import sys
from pathlib import Path
from mlpjit.config.run_config import RunConfig
import mlpjit
from mlpjit.errors import MlpjitError

assert mlpjit.__file__.startswith(sys.argv[1])
rule = Path(sys.argv[1], "mlpjit", "kernels", "optimizers", "adams.py")
rule.write_text(rule.read_text() + "\\nEDITED = 1\\n")
try:
    print(RunConfig().run_id)
except MlpjitError as error:
    print(error)
"""


def test_what_was_edited_after_it_was_read_gets_no_id(tmp_path):
    """The process runs what it read; the hash of the files would be that of something else."""
    shutil.copytree(sources.PACKAGE, tmp_path / "mlpjit", ignore=shutil.ignore_patterns("__pycache__"))
    surroundings = {**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", EDITED_WHILE_RUNNING, str(tmp_path)],
        capture_output=True, text=True, env=surroundings, cwd=tmp_path, check=True, timeout=120,
    )  # fmt: skip
    assert done.stdout == "mlpjit/kernels/optimizers/adams.py changed after this process began: start it again\n"

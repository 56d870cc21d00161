"""The compile cache: hits in a second process, notices edits, damage and races, and is private."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mlpjit.kernels.compiler import cache, jit

PACKAGE = Path(__file__).parents[3] / "mlpjit"
PROBE = """
import json, sys
from mlpjit.kernels.compiler import jit; from mlpjit.kernels.arithmetic import matmul
from mlpjit.kernels.arithmetic.mapping import compiled, evaluate
import numpy as np
values = evaluate("exp", np.linspace(-3, 3, 50, dtype=np.float32))
kernels = [jit.load(matmul.pack_panels, "float32"), compiled("exp", "float32")]
print(json.dumps({"values": values.tolist(), "hits": [k.from_cache for k in kernels],
                  "folder": str(jit.cache_folder())}))
"""


def probe(cache: Path, path: Path | None = None, code: str = PROBE, **env: str) -> dict:
    variables = {**os.environ, "MLPJIT_CACHE_DIR": str(cache), **env}
    if path is not None:
        variables["PYTHONPATH"] = str(path)
    done = subprocess.run(
        [sys.executable, "-c", code], env=variables, capture_output=True, text=True, check=False,
        cwd=path or Path.home(),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def filled(tmp_path_factory) -> tuple[Path, dict]:
    cache = tmp_path_factory.mktemp("kernels") / "cache"
    return cache, probe(cache)


@pytest.fixture
def copy(filled, tmp_path) -> tuple[Path, dict]:
    """A cache of one's own to damage."""
    cache, first = filled
    shutil.copytree(cache, tmp_path / "cache")
    return tmp_path / "cache", first


def kernel_folder(cache: Path, name: str = "map_exp-float32") -> Path:
    """Of the sources as they are: other tests leave generations of edited ones beside them."""
    return cache / jit.cache_folder().name / name


def test_a_second_process_compiles_nothing(filled):
    cache, first = filled
    second = probe(cache)
    assert first["hits"] == [False, False]
    assert second["hits"] == [True, True]
    assert second["values"] == first["values"]


def test_a_whole_run_in_a_second_process_compiles_nothing(tmp_path):
    code = """
import json
from mlpjit.config.run_config import RunConfig
from mlpjit.kernels.compiler import cache; from mlpjit.kernels.compiler import jit
from mlpjit.training.run import execute
result = execute(RunConfig(hidden=[8], activation="gelu", optimizer="adam", epochs=1, normalization="batch",
                           init="orthogonal", schedule="cosine", clip="global_norm"))
import sys
print(json.dumps({"missed": [k.name for k in jit.loaded() if not k.from_cache], "count": sum(jit.counted()),
                  "numba": "numba" in sys.modules,
                  "loss": result.metrics["test_loss"]}))
"""
    first, second = (probe(tmp_path / "cache", code=code) for _ in range(2))
    # From an empty cache a second process may have compiled the rules already.
    assert 20 < len(first["missed"]) <= first["count"] == second["count"]
    assert (second["missed"], second["numba"]) == ([], False)
    assert second["loss"] == first["loss"]


@pytest.mark.parametrize("damage", ["truncate", "flip", "remove", "checksums", "empty"])
def test_a_damaged_entry_is_dropped_and_compiled_again(copy, damage):
    cache, first = copy
    folder = kernel_folder(cache)
    data = folder / "kernel.o"
    if damage == "truncate":
        data.write_bytes(data.read_bytes()[:100])
    elif damage == "flip":
        content = bytearray(data.read_bytes())
        content[len(content) // 2] ^= 1
        data.write_bytes(bytes(content))
    elif damage == "remove":
        data.unlink()
    elif damage == "checksums":
        (folder / "checksums.json").write_text("{")
    else:
        (folder / "checksums.json").write_text("{}")
    second = probe(cache)
    assert second["hits"] == [True, False]
    assert second["values"] == first["values"]
    assert probe(cache)["hits"] == [True, True]


def test_an_interrupted_write_leaves_nothing_to_trust(copy):
    cache, first = copy
    folder = kernel_folder(cache)
    folder.rename(folder.with_name(".writing-map_exp-float32-left"))
    second = probe(cache)
    assert second["hits"] == [True, False]
    assert second["values"] == first["values"]


def test_what_is_published_while_it_is_looked_for_is_there(tmp_path, monkeypatch):
    folder = tmp_path / "kernel-float32"
    exists = Path.exists

    def publish_first(path: Path) -> bool:
        if not exists(folder):
            with cache.writing(folder) as written:
                (written / "kernel.o").write_bytes(b"code")
        return exists(path)

    assert cache.contents(folder) == {}
    monkeypatch.setattr(Path, "exists", publish_first)
    assert cache.contents(folder) == {"kernel.o": b"code"}


def test_an_edit_to_any_kernel_file_gives_the_new_result(filled, tmp_path):
    """e^x through another module's constant: Numba's own cache would return the old numbers."""
    cache, first = filled
    shutil.copytree(PACKAGE, tmp_path / "mlpjit")
    elementary = tmp_path / "mlpjit/kernels/arithmetic/elementary.py"
    text = elementary.read_text()
    assert "LOG2E = 1.4426950408889634" in text
    assert probe(cache, tmp_path)["hits"] == [True, True]
    elementary.write_text(text.replace("LOG2E = 1.4426950408889634", "LOG2E = 1.0"))
    edited = probe(cache, tmp_path)
    assert edited["hits"] == [False, False]
    assert edited["values"] != first["values"]
    here, there = (cache / Path(each["folder"]).name / "map_exp-float32" for each in (edited, first))
    shutil.rmtree(here)
    shutil.copytree(there, here)  # as it was written, in the place of another
    assert probe(cache, tmp_path) == {**edited, "hits": [True, False]}
    elementary.write_text(text + "\n# a comment changes nothing\n")
    assert probe(cache, tmp_path) == {**first, "hits": [True, True]}


def fill_in(folders: list[Path], scalars, **numbers) -> None:
    """Note where an elementwise optimizer with these scalars would be kept."""
    from mlpjit.kernels.entries import Stage
    from mlpjit.kernels.language import device, device_float64
    from mlpjit.kernels.stages.stage import elementwise_loop, linked_names

    record = Stage("tried", device(rule), "-", "-", numbers, (device_float64(scalars),), scalars=scalars)
    key = record.source_hash()
    folders.append(jit._folder(elementwise_loop, "float32", linked_names(record), key))


def rule(g, rate):
    return rate * g


def test_a_change_of_scalars_or_of_a_count_alone_has_a_folder_of_its_own():
    """The rule's own hash comes first in the key: cut short, the key would say nothing else."""

    def plain(step, learning_rate):
        return (learning_rate,)

    def doubled(step, learning_rate):
        return (2.0 * learning_rate,)

    folders: list[Path] = []
    fill_in(folders, plain)
    fill_in(folders, doubled)
    fill_in(folders, plain, b1=0.9)
    assert len(set(folders)) == 3
    fill_in(folders, plain)
    assert folders[3] == folders[0]


DAY = 24 * 3600.0
# What lies in the cache, how old it is in days, and whether a compilation leaves it there.
LYING = [
    ("a" * 24 + "/.writing-map_exp-x", 2, False), ("a" * 24 + "/.writing-map_exp-y", 0.5, True),
    ("a" * 24 + "/.dropped-x", 2, False), ("a" * 24 + "/train-float32", 400, True), (".dropped-y", 2, False),
    ("b" * 24, 31, False), ("c" * 24, 29, True), ("a" * 24, 31, True), ("notes", 400, True),
]  # fmt: skip


def test_what_is_left_over_or_unused_goes(tmp_path):
    for name, _, _ in LYING:
        (tmp_path / name).mkdir(parents=True, exist_ok=True)
        (tmp_path / name / "file").write_text("")
    for name, days, _ in LYING:
        then = time.time() - days * DAY
        os.utime(tmp_path / name, (then, then))
    cache.sweep.__wrapped__(tmp_path / ("a" * 24))
    assert [(tmp_path / name).exists() for name, _, _ in LYING] == [stays for _, _, stays in LYING]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a" * 24, "c" * 24, "notes"]


def test_a_use_makes_a_generation_young(tmp_path):
    os.utime(tmp_path, (0, 0))
    cache.touch.__wrapped__(tmp_path)
    assert time.time() - tmp_path.stat().st_mtime < 60
    cache.touch.__wrapped__(tmp_path / "none")


def test_an_old_generation_goes_with_the_next_compilation(copy):
    cache, _ = copy
    old = cache / ("0" * 24)
    old.mkdir()
    os.utime(old, (0, 0))
    shutil.rmtree(kernel_folder(cache))
    assert probe(cache)["hits"] == [True, False]
    assert not old.exists()


def test_sixteen_processes_on_an_empty_cache_agree(tmp_path, filled):
    _, first = filled
    variables = {**os.environ, "MLPJIT_CACHE_DIR": str(tmp_path / "cache")}
    started = [
        subprocess.Popen([sys.executable, "-c", PROBE], env=variables, stdout=subprocess.PIPE, text=True)
        for _ in range(16)
    ]
    answers = [json.loads(process.communicate()[0]) for process in started]
    assert all(process.returncode == 0 for process in started)
    assert all(answer["values"] == first["values"] for answer in answers)
    assert probe(tmp_path / "cache")["hits"] == [True, True]
    assert not list((tmp_path / "cache").glob("*/.writing-*"))


def test_the_folder_depends_on_the_cpu(filled):
    cache, first = filled
    generic = probe(cache, NUMBA_CPU_NAME="generic", NUMBA_CPU_FEATURES="")
    assert generic["folder"] != first["folder"]
    assert generic["hits"] == [False, False]
    assert generic["values"] == first["values"]


def test_the_cache_is_private(filled):
    cache, _ = filled
    assert cache.stat().st_mode & 0o777 == 0o700


def test_a_folder_that_others_can_write_is_not_used(tmp_path):
    cache = tmp_path / "open"
    cache.mkdir()
    cache.chmod(0o777)
    answer = probe(cache)
    assert not answer["folder"].startswith(str(cache))


def test_where_nothing_is_writable_a_temporary_folder_serves(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    answer = probe(blocked / "below", code=PROBE)
    assert not answer["folder"].startswith(str(tmp_path))
    assert not Path(answer["folder"]).exists()


def test_without_room_for_kernels_they_are_compiled_for_the_process_alone(filled, tmp_path):
    """No file may grow beyond 100 bytes, so that some are written in part."""
    limited = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n{PROBE}"
    done = subprocess.run(
        [sys.executable, "-c", limited], env={**os.environ, "MLPJIT_CACHE_DIR": str(tmp_path / "cache")},
        capture_output=True, text=True,
    )  # fmt: skip
    found = json.loads(done.stdout)
    assert (found["values"], found["hits"]) == (filled[1]["values"], [False, False])
    assert done.stderr.count("no kernel can be kept here (File too large): going on without") == 1
    assert [path.name for path in (tmp_path / "cache").glob("*/*")] == []


def test_what_is_remembered_is_made_once_and_again_when_damaged(tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "root", lambda: tmp_path)
    made = []

    def make() -> str:
        made.append(1)
        return "ab" * 32

    assert [cache.remembered("key", make) for _ in range(3)] == ["ab" * 32] * 3
    assert len(made) == 1
    (kept,) = tmp_path.iterdir()
    for damage in ("", "cd" * 32, kept.read_text().replace("ab", "cd", 1)):
        kept.write_text(damage)
        made.clear()
        assert cache.remembered("key", make) == "ab" * 32
        assert made
    cache.remembered("another key", make)
    assert len(list(tmp_path.iterdir())) == 2

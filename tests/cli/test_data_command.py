"""`mlpjit data fetch`, with scikit-learn's download replaced: nothing here uses the network."""

from __future__ import annotations

import json
import socket
import urllib.error
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import scipy.sparse
import sklearn.datasets
from typer.testing import CliRunner

from mlpjit.catalogue.datasets import load
from mlpjit.cli import app

X, Y = np.arange(60.0).reshape(20, 3), np.array(["a", "b"] * 10, dtype=object)


@pytest.fixture
def openml(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the fake OpenML holds, by name, and what was asked of it."""
    held: dict[str, Any] = {"asked": []}

    def fetch_openml(name: str, **options: Any) -> Any:
        held["asked"].append((name, options["version"]))
        if isinstance(held[name], Exception):
            raise held[name]
        return SimpleNamespace(data=held[name], target=Y)

    monkeypatch.setattr(sklearn.datasets, "fetch_openml", fetch_openml)
    return held


def fetch(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["data", "fetch", *arguments])


@pytest.mark.parametrize("values", [X, scipy.sparse.csr_matrix(X)], ids=["dense", "sparse"])
def test_what_is_fetched_can_be_used(openml, tmp_path, monkeypatch, values) -> None:
    monkeypatch.chdir(tmp_path)
    openml["things"] = values
    done = fetch("things", "--version", "3")
    assert (done.exit_code, done.stdout) == (0, "things.npz\n"), done.output
    assert openml["asked"] == [("things", 3)]
    data = load("things.npz")
    np.testing.assert_array_equal(data.x, X)
    assert data.classes == ("a", "b")


def test_the_file_may_lie_elsewhere(openml, tmp_path) -> None:
    openml["things"] = X
    path = tmp_path / "new" / "mine.npz"
    done = fetch("things", "--out", str(path), "--json")
    assert json.loads(done.stdout) == {"path": str(path)}
    assert openml["asked"] == [("things", "active")]
    assert path.exists()


def test_the_path_told_is_the_one_written(openml, tmp_path) -> None:
    openml["things"] = X
    assert fetch("things", "--out", str(tmp_path / "things.v1")).stdout == f"{tmp_path / 'things.v1.npz'}\n"
    assert [path.name for path in tmp_path.iterdir()] == ["things.v1.npz"]


def test_a_file_that_cannot_be_written(openml, tmp_path) -> None:
    openml["things"] = X
    (tmp_path / "file").write_text("")
    done = fetch("things", "--out", str(tmp_path / "file" / "things.npz"))
    assert done.exit_code == 3
    assert "cannot be written" in done.stderr


@pytest.mark.parametrize(
    ("values", "line"),
    [
        (ValueError("No known dataset\nmore"), "OpenML dataset 'things': cannot be fetched (No known dataset)"),
        (OSError("no route to host"), "OpenML dataset 'things': cannot be fetched (no route to host)"),
        (np.array([["red", 1]] * 20, dtype=object), "OpenML dataset 'things': has columns of text"),
        (np.full((20, 3), np.nan), "OpenML dataset 'things': has missing values"),
    ],
)
def test_what_cannot_be_fetched(openml, tmp_path, monkeypatch, values, line) -> None:
    monkeypatch.chdir(tmp_path)
    openml["things"] = values
    done = fetch("things")
    assert done.exit_code == 2
    assert done.stderr.startswith(f"error: {line}")
    assert not list(tmp_path.iterdir())


def test_a_failed_connection_is_told_in_words(openml, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    openml["things"] = urllib.error.URLError(socket.gaierror(-2, "Name or service not known"))
    assert fetch("things").stderr == "error: OpenML dataset 'things': cannot be fetched (Name or service not known)\n"


@pytest.mark.parametrize("name", ["", "..", "../x", "/etc/x", "a\\b", "a\0b"])
def test_a_name_that_leads_out_of_the_folder(openml, tmp_path, monkeypatch, name) -> None:
    monkeypatch.chdir(tmp_path)
    done = fetch(name)
    assert (done.exit_code, openml["asked"]) == (2, [])
    assert "need a name without slashes, as mnist_784" in done.stderr

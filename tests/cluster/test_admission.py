"""Who may make runs: workers with the same code, packages and data; and where they are looked for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mlpjit.cluster import connecting, serving
from mlpjit.cluster.parcels import Question, packed, versions
from mlpjit.config.run_config import RunConfig
from mlpjit.errors import ConfigError

CONFIG = RunConfig(dataset="wine", hidden=[4], epochs=1)


def asked(config: RunConfig = CONFIG, **other: str) -> list[str]:
    return serving.admit(packed(Question(versions() | other, [config]))).problems


def test_a_worker_of_this_version_is_admitted():
    assert asked() == []


@pytest.mark.parametrize("name", ["mlpjit", "numba", "llvmlite", "numpy"])
def test_a_worker_of_another_version_is_refused_with_the_reason(name):
    assert asked(**{name: "0.0"}) == [f"{name} {versions()[name]}, need 0.0"]


def test_a_worker_with_other_data_is_refused():
    other = CONFIG.model_copy()
    other.__dict__["data"] = replace(CONFIG.data, data_hash="0" * 64)
    assert asked(other) == ["dataset 'wine': other data than were planned with"]


def test_a_worker_without_the_file_is_refused(tmp_path):
    path = tmp_path / "own.npz"
    np.savez(path, x=np.random.default_rng(0).normal(size=(40, 3)), y=np.arange(40) % 2)
    config = RunConfig(dataset=str(path), hidden=[4], epochs=1)
    path.unlink()
    (reason,) = asked(config)
    assert "own.npz" in reason


def test_what_cannot_be_read_is_a_reason_and_no_error():
    (reason,) = serving.admit(b"junk").problems
    assert "UnpicklingError" in reason


@pytest.mark.parametrize("text", ["", "no json", "[]", "{}", '{"address": 3}', "\x00"])
def test_a_file_without_a_schedulers_address_is_one_clear_error(text, tmp_path):
    path = tmp_path / "scheduler.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match="not a file that a scheduler wrote"), connecting.connected(str(path)):
        pass


@pytest.mark.parametrize("address", ["nothing", "other://x", "host:x"])
def test_an_address_that_is_none_is_told_without_a_client_that_would_be_long_to_go(address, monkeypatch):
    monkeypatch.setattr(connecting, "Client", lambda *given, **named: pytest.fail("a client was made"))
    with pytest.raises(ConfigError, match="no scheduler answers"), connecting.connected(address):
        pass


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nothing", "missing.json", "local:0", "local:9999"])
def test_where_no_workers_can_be_is_one_clear_error(address, monkeypatch):
    monkeypatch.setattr(connecting, "CONNECT_SECONDS", 0.5)
    with pytest.raises(ConfigError), connecting.connected(address):
        pass

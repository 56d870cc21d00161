"""Rows of many runs that share most values: each is stored as a run alone is, and its seal is over what is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlpjit.kernels.run.records import LAYER_RECORDS, RUN_RECORDS
from mlpjit.store import Rows, Store
from mlpjit.store.rows import WORTH_A_STATEMENT, literal
from mlpjit.store.schema import WRITTEN
from mlpjit.store.seals import all_sound

SHARED: dict[str, Any] = {
    "dataset": "it's \"my\", ?", "hidden": "8-8", "depth": 2**63 - 1, "width": None, "activation": "a\0b", "init": "ü",
    "optimizer": "x" * 10_000, "dropout": 0.1, "shuffle": True, "l1": 5e-324, "l2": 1.7976931348623157e308,
    "weight_decay": 0.30000000000000004, "epochs": -(2**63), "evaluate_every": -7, "wrapper": "",
}  # fmt: skip


@pytest.mark.parametrize("count", [1, WORTH_A_STATEMENT - 1, WORTH_A_STATEMENT, 200])
def test_shared_values_are_stored_as_they_are(tmp_path: Path, count: int) -> None:
    rates, losses = (np.random.default_rng(0).normal(size=(2, count))).tolist()
    losses[-1] = float("nan")
    columns = {"run_id": [f"run {place}" for place in range(count)], "learning_rate": rates, "test_loss": losses}
    records = np.ones((count, 2, len(RUN_RECORDS) + len(LAYER_RECORDS)))
    with Store.open(tmp_path) as store:
        store.put_all(Rows.of(columns, SHARED, records, [1 + place % 2 for place in range(count)], 1))
        store.flush()
        assert all_sound(store.connection)
        found = store.connection.execute(f"SELECT {', '.join(WRITTEN)} FROM runs ORDER BY rowid").fetchall()
    wanted = {name: [SHARED.get(name)] * count for name in WRITTEN} | columns | {"test_loss": [*losses[:-1], None]}
    assert found == list(zip(*(wanted[name] for name in WRITTEN), strict=True))


@pytest.mark.parametrize("value", [0.5, "a\0b", "ü", "x" * 10_000, 2**63 - 1, -(2**63), b"x"])
def test_what_sql_may_change_is_handed_over(value: Any) -> None:
    assert literal(value) == ""

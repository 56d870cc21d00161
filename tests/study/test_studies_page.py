"""docs/studies.md names every key with its default, and everything that is stored."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from mlpjit.config.fields import FACTORS
from mlpjit.config.run_config import FIELDS, RunConfig
from mlpjit.store.arrays import CURVES, LAYER_CURVES
from mlpjit.store.schema import READ
from mlpjit.study.estimate import competing
from mlpjit.study.file import FINAL_KEYS, HEAD_KEYS, TIMING_KEYS, TUNING_KEYS
from mlpjit.study.study import Study

PAGE = (Path(__file__).parents[2] / "docs" / "studies.md").read_text(encoding="utf-8")
ROWS = {
    key: cells[1].strip()
    for line in PAGE.partition("## The keys of a run")[2].partition("\n## ")[0].splitlines()
    if line.startswith("| `")
    for cells in [line.strip("|").split("|")]
    for key in re.findall(r"`(\w+)`", cells[0])
}


def test_every_key_has_a_row():
    assert set(ROWS) == set(FIELDS)
    for key in (*HEAD_KEYS, *FINAL_KEYS, *TIMING_KEYS, *TUNING_KEYS):
        assert f"`{key}`" in PAGE.partition("## The keys of a run")[0]


@pytest.mark.parametrize("text", re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL), ids=lambda text: text[:20])
def test_the_studies_shown_can_be_run(text):
    study = Study.from_table(tomllib.loads(text))
    (settings,) = competing(study).values()
    assert settings == {"adam(eps=1e-08)": 75, "lion": 25, "rmsprop": 25, "sgd": 25}
    assert len(study.defaults or ()) == 4 * 10


@pytest.mark.parametrize("key", [key for key in ROWS if key not in ("depth", "width")])
def test_the_default_is_the_one_told(key):
    default = RunConfig.model_fields[key].default
    told = {None: "none", True: "true"}.get(default, f"`{default!r}`".replace("'", '"'))
    told = f"{default}" if isinstance(default, int | float) and not isinstance(default, bool) else told
    told = "`[64]`" if key == "hidden" else "by the task" if key == "loss" else told
    assert ROWS[key] == ("`seed`" if key.endswith("_seed") else told)


def test_everything_stored_is_named():
    told = set(re.findall(r"`(\w+)`", PAGE.partition("## What is stored")[2]))
    assert {*(name for name in READ if name not in FACTORS), *CURVES, *LAYER_CURVES} <= told

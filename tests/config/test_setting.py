"""What is said once for all configs of a setting is what would be said of each."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys

import pytest

from mlpjit.catalogue.specs import parse_spec
from mlpjit.config import fields, setting
from mlpjit.config.run_config import RunConfig

CONFIGS = [
    {},
    {"hidden": [8, 9], "activation": ["tanh", "relu"], "learning_rate": 1e-7, "seed": 3, "init_seed": 2**62},
    {
        "optimizer": {"name": "adam", "b1": 0.8},
        "hidden": [8, 8],
        "residual": "pre",
        "dropout": 0.1,
        "momentum_schedule": "cosine",
    },
    {"dataset": "diabetes", "wrapper": "lookahead", "clip": "global_norm", "batch_size": "full", "split_seed": 1},
]


@pytest.mark.parametrize("given", CONFIGS)
@pytest.mark.parametrize("looked_at", [False, True])
def test_a_setting_says_what_its_config_says(given, looked_at):
    config = RunConfig(**given)
    assert not looked_at or config.data
    for _ in range(2):  # made, then found
        canonical, factors = fields.canonical(config.__dict__), fields.factors(config.__dict__)
        assert list(config.canonical().items()) == list(canonical.items())
        assert list(config.factors().items()) == list(factors.items())
        found = setting.setting_of(config.__dict__)
        assert found.text(config.__dict__) == json.dumps(canonical, separators=(",", ":"))


def test_rate_and_seeds_are_left_open():
    config = RunConfig(l2=0.1)
    same, other = ({**config.__dict__, "data": config.data, **more} for more in ({"learning_rate": 0.5}, {"l2": 0.2}))
    assert setting.setting_of(same) is setting.setting_of({**same, "seed": 5})
    assert setting.setting_of(same) is not setting.setting_of(other)


def test_equal_numbers_of_other_bits_are_other_settings():
    values = {**RunConfig().__dict__, "data": RunConfig().data}
    texts = [setting.setting_of({**values, "l1": number}).text(values) for number in (0.0, -0.0)]
    assert ['"l1":0.0' in texts[0], '"l1":-0.0' in texts[1]] == [True, True]


def test_a_list_of_the_canonical_form_is_the_callers_own():
    config = RunConfig(hidden=[4, 5])
    assert config.data
    config.canonical()["hidden"].append(6)
    assert config.canonical()["hidden"] == [4, 5]


def test_a_spec_from_another_process_is_found_among_our_own():
    """There texts have other hashes."""
    code = (
        "import pickle, sys; from mlpjit.catalogue.specs import parse_spec\n"
        "spec = parse_spec('optimizers', 'adam'); hash(spec)\n"
        "sys.stdout.buffer.write(pickle.dumps(spec))"
    )
    theirs = pickle.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)
    assert theirs in {parse_spec("optimizers", "adam")}

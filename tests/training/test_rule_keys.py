"""Keys of rules: the hash of the source, whether it was worked out or kept, and never another's."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mlpjit.catalogue.registries import activations, clippings, losses, optimizers, schedules, wrappers
from mlpjit.kernels.language import device
from mlpjit.training import rule_keys

RECORDS = [
    record for each in (activations, clippings, losses, optimizers, schedules, wrappers) for record in each.records()
]


def hash_of(record) -> str:
    return record.source_hash().replace(" ", "-")


def rule(g, rate):
    return rate * g


def test_the_key_is_the_hash_whether_kept_or_not():
    for record in RECORDS:
        assert rule_keys.key_of(record) == rule_keys.key_of(record) == hash_of(record)


def test_all_of_the_packages_own_are_kept_and_told_apart():
    words = [tuple(rule_keys._words(record) or ()) for record in RECORDS]
    assert () not in words
    assert len(set(words)) == len(RECORDS)


@pytest.mark.parametrize(
    "change", [{"function": device(rule)}, {"scalars": rule}, {"parts": (rule,)}, {"extra": lambda *sizes: 0}]
)
def test_what_holds_code_of_a_users_own_is_hashed_anew(change):
    """Its code may change while all that the cache's folder stands for is the same."""
    record = replace(optimizers["adam"], **change)
    assert rule_keys._words(record) is None
    assert rule_keys.key_of(record) == hash_of(record)


@pytest.mark.parametrize("change", [{"interleave": 2}, {"defaults": {"b1": 0.5}}, {"uses_params": True}])
def test_an_option_alone_makes_another_key(change):
    adam = optimizers["adam"]
    rule_keys.key_of(adam)
    record = replace(adam, **change)
    assert rule_keys._words(record) != rule_keys._words(adam)
    assert rule_keys.key_of(record) == hash_of(record)

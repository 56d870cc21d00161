"""Operations of rules, against counts by hand."""

from __future__ import annotations

import pytest

from mlpjit.kernels.rules import device, fma, select, sqrt
from mlpjit.measure.counting import Count, activation, update
from mlpjit.registries import activations, optimizers

UPDATES = {
    "sgd": Count(1 + 1),  # rate g; theta - update
    "momentum": Count(2 + 1 + 1),  # fma; rate u; theta - update
    "nesterov": Count(2 + 2 + 1 + 1),
    # fma with two products; rate g; v + eps_root, root, + eps, quotient; theta - update
    "rmsprop": Count(2 + 2 + 1 + 1 + 1 + 1 + 1 + 1, roots=1, divisions=1),
    # fma with one product; fma with two; fma for the correction, root, + eps, rate mu, quotient; theta - update
    "adam": Count((2 + 1) + (2 + 2) + 2 + 1 + 1 + 1 + 1 + 1, roots=1, divisions=1),
}


@pytest.mark.parametrize("name", UPDATES)
def test_updates(name):
    assert update(optimizers[name], "float32") == UPDATES[name]


def test_every_elementwise_optimizer_can_be_counted():
    assert [r.name for r in optimizers.records() if r.kind == "elementwise" and update(r, "float32") is None] == []


def test_every_activation_can_be_counted():
    assert [r.name for r in activations.records() if activation(r.function, "float64") is None] == []


@device
def rule(z):
    """The third result is not used by the forward loop, so its root is dead code; 2.0 * 3.0 is a constant."""
    bend = sqrt(z)
    value = fma(z, z, 2.0 * 3.0)
    return select(z > 0.0, value, -value), value / z, bend


@device
def branching(z):
    return (z, z, z) if z > 0.0 else (-z, z, z)


def test_what_is_not_needed_does_not_count():
    assert activation(rule, "float32") == Count(3, divisions=1)


def test_a_branch_cannot_be_counted():
    assert activation(branching, "float32") is None

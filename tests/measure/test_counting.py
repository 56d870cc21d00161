"""Operations of rules, against counts by hand."""

from __future__ import annotations

from mlpjit.catalogue.registries import activations, optimizers
from mlpjit.kernels.entries import Stage
from mlpjit.kernels.language import device, device_float64, fma, select, sqrt
from mlpjit.measure.counting import Count, activation, update, written_states


def scalars(step, learning_rate, rho, centred):
    return learning_rate, rho, 1.0 - rho, centred


@device
def rule_of_two(g, nu, mu, rate, rho, rest, centred):
    """A branch on a scalar of the step is taken as the defaults say."""
    nu = fma(rho, nu, rest * g * g)
    if centred != 0.0:
        mu = fma(rho, mu, rest * g)
    return rate * g / sqrt(nu + rate * rest), nu, mu


def test_updates():
    """Fma with two products; rate g, the sum (its product is a scalar's), root, quotient; theta - update.

    Centred: one more fma, whose product is the first of the other's two: computed once, counted once.
    """
    expected = {0.0: Count((2 + 2) + 4 + 1, 1, 1), 1.0: Count((2 + 2) + 4 + 1 + 2, 1, 1)}
    for centred, wanted in expected.items():
        defaults = {"rho": 0.9, "centred": centred}
        record = Stage("two", rule_of_two, "-", "-", defaults, state=("nu", "mu"), scalars=device_float64(scalars))
        assert update(record, "float32") == wanted


def test_adam_has_one_root_and_one_quotient():
    found = update(optimizers["adam"], "float32")
    assert (found.roots, found.divisions) == (1, 1)


def test_a_state_that_stays_is_not_written():
    """MADGRAD keeps its first parameters; Adan's last gradient is written though it is an argument too."""
    written = {name: written_states(optimizers[name], "float32") for name in ("madgrad", "adam", "adan", "sgd", "lars")}
    assert written == {"madgrad": 2, "adam": 2, "adan": 4, "sgd": 0, "lars": 1}


def test_every_elementwise_optimizer_can_be_counted():
    assert [r.name for r in optimizers.records() if r.kind == "elementwise" and update(r, "float32") is None] == []


def test_every_activation_can_be_counted():
    assert [r.name for r in activations.records() if activation(r.function, "float64", r.settings) is None] == []


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

"""Combinations of valid values that cannot run together. A rule names the fields it looks at.

A study checks each rule once per distinct combination of those fields, not once per run.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from mlpjit.catalogue.initialization.gains import TORCH_GAINS
from mlpjit.catalogue.registries import (
    activations,
    losses,
    normalizations,
    optimizers,
    schedules,
    wrappers,
    wrapping_problem,
)
from mlpjit.catalogue.specs import Spec, asks_curvature, samples_labels
from mlpjit.config.fields import SHAPE_FIELDS, Values, activation, dataset_info, hidden, loss, momentum_scheduled
from mlpjit.errors import ConfigError
from mlpjit.registry import Registry


@dataclass(frozen=True)
class Rule:
    """`problem(values)` returns what is wrong in one line, or None."""

    fields: tuple[str, ...]
    problem: Callable[[Values], str | None]


RULES: list[Rule] = []


def rule(*fields: str) -> Callable[[Callable[[Values], str | None]], Callable[[Values], str | None]]:
    """Register a rule over the given fields."""

    def register(problem: Callable[[Values], str | None]) -> Callable[[Values], str | None]:
        RULES.append(Rule(fields, problem))
        return problem

    return register


def broken_rules(values: Values) -> list[str]:
    """Return the problems of one complete set of values; rules over fields that are missing are left out."""
    found = []
    for each in RULES:
        if all(name in values for name in each.fields if name not in SHAPE_FIELDS):
            found.append(each.problem(values))
    return [problem for problem in found if problem]


def _usable(values: Values) -> bool:
    try:
        dataset_info(values["dataset"])
    except ConfigError:
        return False
    return True


@rule("dataset")
def dataset_can_be_used(values: Values) -> str | None:
    """The data exist and are numbers of the right shape."""
    try:
        dataset_info(values["dataset"])
    except ConfigError as error:
        return "; ".join(error.problems)
    return None


@rule("activation", *SHAPE_FIELDS)
def one_activation_per_hidden_layer(values: Values) -> str | None:
    """A list of activations has one name per hidden layer."""
    names = values["activation"]
    if isinstance(names, str) or ("hidden" not in values and "depth" not in values):
        return None
    layers = len(hidden(values))
    if len(names) == layers:
        return None
    return f"activation: got {len(names)} names for {layers} hidden layers, need one name or one per layer"


@rule("loss", "dataset", "output_activation")
def logits_are_outputs_as_they_are(values: Values) -> str | None:
    """A loss from logits holds the softmax, the sigmoid or the margin itself."""
    output = values["output_activation"]
    if output == "identity" or not _usable(values) or not losses[loss(values).name].logits:
        return None
    return f"output_activation {output!r} with loss {loss(values).name!r}: it works on logits; need 'identity'"


@rule("loss", "dataset")
def some_losses_need_classes(values: Values) -> str | None:
    """They compare with classes, or with distributions over them."""
    given = values["loss"]
    if given is None or not losses[given.name].classes or not _usable(values):
        return None
    if dataset_info(values["dataset"]).task == "classification":
        return None
    others = ", ".join(repr(record.name) for record in losses.records() if not record.classes)
    return f"loss {given.name!r} on {values['dataset']['name']!r}, a regression dataset: need one of {others}"


@rule("init", "activation", *SHAPE_FIELDS)
def torch_gains_are_a_table(values: Values) -> str | None:
    """PyTorch has gains for a few activations only."""
    if values["init"].get("gain") != "torch" or ("hidden" not in values and "depth" not in values):
        return None
    names = activation(values)
    missing = sorted(set([names] if isinstance(names, str) else names) - TORCH_GAINS.keys())
    if not missing:
        return None
    known = ", ".join(TORCH_GAINS)
    return f"init gain 'torch' with activation {missing[0]!r}: PyTorch has no gain for it (known: {known})"


@rule("wrapper", "optimizer")
def wrappers_and_optimizers_work_together(values: Values) -> str | None:
    """Some pairs would report a point that is neither's."""
    wrapper = values["wrapper"]
    return wrapper and wrapping_problem(wrappers[wrapper.name], optimizers[values["optimizer"].name])


@rule("weight_decay_schedule", "momentum_schedule")
def plateaus_are_for_the_rate(values: Values) -> str | None:
    """What acts inside the run acts on the learning rate."""
    for field in ("weight_decay_schedule", "momentum_schedule"):
        name = values[field]["name"]
        if schedules[name].watches:
            return f"{field} {name!r}: it lowers the learning rate alone; need another schedule"
    return None


@rule("momentum_schedule", "optimizer", "wrapper")
def a_momentum_schedule_needs_a_momentum(values: Values) -> str | None:
    """An optimizer has one, a wrapper none of its own, and it stays below 1."""
    if not momentum_scheduled(values):
        return None
    spec, optimizer, wrapper = values["momentum_schedule"], values["optimizer"], values["wrapper"]
    name, setting = f"momentum_schedule {spec.name!r}", optimizers[optimizer.name].momentum
    if setting is None:
        known = ", ".join(record.name for record in optimizers.records() if record.momentum)
        return f"{name} with optimizer {optimizer.name!r}: it has no momentum to schedule (those that have: {known})"
    if wrapper and wrappers[wrapper.name].momentum:
        return f"{name} with wrapper {wrapper.name!r}: its {wrappers[wrapper.name].momentum} would stay as it is"
    if (highest := optimizer[setting] * largest_factor(spec)) >= 1.0:
        return f"{name}: it takes {setting} from {optimizer[setting]:g} to {highest:g}, need below 1"
    return None


def largest_factor(spec: Spec) -> float:
    """Return the largest factor that a schedule reaches in a run of any length."""
    if spec.get("factor", 0.0) > 1.0:
        return math.inf if spec.name == "step" else float(spec["factor"] ** len(spec.get("milestones", [1])))
    return max(1.0, *(float(spec.get(name, 1.0)) for name in ("start", "final", "low")))


@rule("normalization", "batch_size")
def batch_normalization_needs_a_batch(values: Values) -> str | None:
    """The variance of one sample is zero."""
    name = values["normalization"]
    if values["batch_size"] != 1 or not normalizations[name].running:
        return None
    return f"normalization {name!r} with batch_size 1: need batch_size 2 or more, or 'full'"


@rule("loss", "dataset", "optimizer")
def labels_are_drawn_from_likelihoods(values: Values) -> str | None:
    """Only a negative log-likelihood says how labels are distributed."""
    spec = values["optimizer"]
    record = optimizers[spec["name"]]
    if not samples_labels(record, spec) or not _usable(values) or losses[loss(values).name].sample:
        return None
    known = ", ".join(repr(each.name) for each in losses.records() if each.sample)
    return (
        f"optimizer {record.name!r} with loss {loss(values).name!r}: no labels can be drawn from it; "
        f"need {record.samples} = false, or one of {known}"
    )


def _without_bend(field: str, known: Registry[Any]) -> Callable[[Values], str | None]:
    """Return the rule that Hessian-vector products need the second derivative of what a field chooses."""

    def problem(values: Values) -> str | None:
        stages = {name: (registry, values[name]) for name, registry in STAGES.items() if values[name] is not None}
        asking = [name for name, (registry, spec) in stages.items() if asks_curvature(registry[spec.name], spec)]
        given = values[field]
        names = [given["name"]] if isinstance(given, Mapping) else [given] if isinstance(given, str) else given or []
        straight = [name for name in names if name != "softmax" and not known[name].bends] if asking else []
        if not straight:
            return None
        lacks = "it asks for Hessian-vector products, and no second derivative is declared there"
        return f"{asking[0]} {values[asking[0]].name!r} with {field} {straight[0]!r}: {lacks}"

    return problem


STAGES = {"optimizer": optimizers, "wrapper": wrappers}
BENDING: dict[str, Registry[Any]] = {"activation": activations, "output_activation": activations, "loss": losses}
for _field, _known in BENDING.items():
    rule(_field, *STAGES)(_without_bend(_field, _known))


# Wrappers after which the gradient is not that of the batch's loss at the parameters.
CHANGES_GRADIENTS = ("sam", "asam", "mars")


@rule("optimizer", "clip", "weight_decay", "wrapper")
def line_searches_need_the_gradient_of_their_loss(values: Values) -> str | None:
    """They compare losses along a line with the slope that the gradient gives it."""
    name, wrapper = values["optimizer"]["name"], values["wrapper"]
    if not optimizers[name].line_search:
        return None
    wrong = ["clip"] if values["clip"] is not None else []
    wrong += ["weight_decay"] if values["weight_decay"] else []
    wrong += [f"wrapper {wrapper['name']!r}"] if wrapper is not None and wrapper["name"] in CHANGES_GRADIENTS else []
    found = ", ".join(wrong)
    return f"optimizer {name!r} with {found}: its line search needs the loss's own gradient" if wrong else None


@rule("optimizer", "normalization")
def factors_are_of_the_stored_weights(values: Values) -> str | None:
    """Inputs and deltas factorize the gradient of the W that the products read, which weight normalization makes."""
    name, normalization = values["optimizer"]["name"], values["normalization"]
    if not optimizers[name].factors or normalization != "weight":
        return None
    return f"optimizer {name!r} with normalization 'weight': its factors are those of another matrix than the stored W"


@rule("residual", *SHAPE_FIELDS)
def skips_join_equal_widths(values: Values) -> str | None:
    """A residual connection adds a hidden layer to the next one."""
    if values["residual"] == "none" or ("hidden" not in values and "depth" not in values):
        return None
    widths = hidden(values)
    if any(a == b for a, b in pairwise(widths)):
        return None
    return f"residual {values['residual']!r} with hidden {list(widths)}: need two hidden layers of one width in a row"

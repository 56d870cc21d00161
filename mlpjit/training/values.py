"""What a run is made of: plain values, taken from its config once.

A run's bits depend on these values, and on code in `kernels/`, `catalogue/` and `training/`: nothing of `config/` is
called again, neither while a run is made, nor while it trains, nor for its result.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast

if TYPE_CHECKING:
    from mlpjit.catalogue.datasets import DatasetInfo
    from mlpjit.catalogue.specs import Spec
    from mlpjit.config.alike import Alike
    from mlpjit.config.run_config import RunConfig


class RunValues(NamedTuple):
    """The canonical values of a config, and its dataset as it was planned with.

    `activation`: one name for all hidden layers, or one for each. A momentum that is not scheduled has no schedule.
    """

    data: DatasetInfo
    dataset: Spec
    hidden: tuple[int, ...]
    activation: str | tuple[str, ...]
    output_activation: str
    init: Spec
    normalization: str
    loss: Spec
    optimizer: Spec
    wrapper: Spec | None
    learning_rate: float
    schedule: Spec
    clip: Spec | None
    l1: float
    l2: float
    weight_decay: float
    weight_decay_schedule: Spec
    batch_size: int | str
    epochs: int
    evaluate_every: int
    shuffle: bool
    dtype: Literal["float32", "float64"]
    seed: int
    split_seed: int
    init_seed: int
    order_seed: int
    residual: str = "none"
    dropout: float = 0.0
    momentum_schedule: Spec | None = None


# What tells runs of one template apart: seeds, and numbers that no table's shape depends on.
OWN: dict[str, Any] = {
    **dict.fromkeys(("learning_rate", "l1", "l2"), 0.0),
    **dict.fromkeys(("seed", "split_seed", "init_seed", "order_seed"), 0),
}  # fmt: skip


PENALTIES = ("weight_decay", "l1", "l2")
SEEDS = ("seed", "init_seed", "order_seed", "split_seed")
_own_of = attrgetter("learning_rate", *PENALTIES, *SEEDS)


def kinds(runs: Sequence[RunConfig | RunValues]) -> Sequence[RunConfig | RunValues]:
    """Return what there is to look at for all but the rate and seeds of some runs: one, where they say which.

    A study hands out its runs as `config.alike.Alike`, which makes a config of each only when it is asked for.
    """
    return [cast("Alike", runs).like] if hasattr(runs, "like") else runs


def own_columns(runs: Sequence[RunConfig | RunValues]) -> Mapping[str, Any]:
    """Return rates, penalties and seeds of runs, by name: a number each, or one for all."""
    if hasattr(runs, "like"):
        some = cast("Alike", runs)
        return {**{name: getattr(some.like, name) for name in PENALTIES}, **some.columns}
    return dict(zip(("learning_rate", *PENALTIES, *SEEDS), zip(*map(_own_of, runs), strict=True), strict=True))


def values_of(config: RunConfig) -> RunValues:
    """Return the values of a config; its data are looked at here, if they have not been before."""
    given = {"data": config.data, **config.canonical()}
    for name in ("hidden", "activation"):
        if isinstance(given[name], list):
            given[name] = tuple(given[name])
    return RunValues(**given)


def shared(values: RunValues) -> RunValues:
    """Return the values without those that are a run's own, but for whether it has weight decay at all."""
    return values._replace(**OWN, weight_decay=float(values.weight_decay > 0.0))

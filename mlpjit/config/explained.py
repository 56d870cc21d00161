"""What each field of a run means, for `help(mj.RunConfig)`."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import Parameter, Signature
from typing import Any

# By field: type, then meaning and unit. The default stands in the field.
EXPLAINED: Mapping[str, tuple[str, str]] = {
    "dataset": ("name, path, table or mj.Dataset", "what is learned; a table names parameters besides"),
    "hidden": ("list of int", "units of each hidden layer; [] is a linear model. Short: depth=2, width=64"),
    "activation": ("name, table, or a list of them", "of all hidden layers, or of each"),
    "output_activation": ("name", "of the outputs; cross_entropy owns its softmax and takes logits"),
    "init": ("name or table", "first weights; biases are 0 where it says nothing else"),
    "normalization": ("name", "of hidden layers: 'none', 'batch', 'layer', 'rms' or 'weight'"),
    "residual": ("name", "a skip around hidden layers of equal width: 'none', 'post' or 'pre'"),
    "dropout": ("float in [0, 1)", "share of hidden units left out in training"),
    "loss": ("name or table, None", "of a sample; None: cross_entropy for classes, mse for numbers"),
    "optimizer": ("name or table", "the rule of a step, as {'name': 'adam', 'b1': 0.95}"),
    "wrapper": ("name or table, None", "another rule around the optimizer"),
    "learning_rate": ("float above 0", "of a step, before the schedule's factor"),
    "schedule": ("name or table", "factors of the learning rate; each takes warmup, in steps"),
    "momentum_schedule": ("name or table", "factors of the optimizer's momentum, or b1"),
    "clip": ("name or table, None", "a rule that limits the gradient"),
    "l1": ("float from 0", "penalty l1 sum |W| on weight matrices, in units of the loss"),
    "l2": ("float from 0", "penalty l2/2 sum W^2 on weight matrices, in units of the loss"),
    "weight_decay": ("float from 0", "decoupled: W -= rate decay W, weight matrices alone, a step"),
    "weight_decay_schedule": ("name or table", "factors of the decay"),
    "batch_size": ("int from 1, or 'full'", "samples of a step"),
    "epochs": ("int from 0", "passes over the training part"),
    "evaluate_every": ("int from 1", "epochs between evaluations; one is before step 1, one at the end"),
    "shuffle": ("bool", "another order of the samples every epoch"),
    "dtype": ("'float32' or 'float64'", "of all numbers of the run"),
    "seed": ("int from 0", "of all that is drawn"),
    "split_seed": ("int from 0, None", "of the three parts of the data; None: seed"),
    "init_seed": ("int from 0, None", "of the first weights; None: seed"),
    "order_seed": ("int from 0, None", "of the order of samples, and of dropout; None: seed"),
    "timeout": ("float above 0, None", "seconds after which a run of a study is ended; None: no limit"),
}


def explain(config: Any, defaults: Mapping[str, Any]) -> None:
    """Add to a class what `help` shows: a line for each field (name, type, default, meaning), and a short signature."""
    lines = [f"    {name} ({of}; {defaults[name]!r}): {means}." for name, (of, means) in EXPLAINED.items()]
    config.__doc__ = f"{config.__doc__}\n\n    Fields (type; default):\n\n" + "\n".join(lines) + "\n"
    # Pydantic's own signature shows its validators.
    config.__signature__ = Signature([Parameter(n, Parameter.KEYWORD_ONLY, default=v) for n, v in defaults.items()])

"""The default learning rate of every optimizer, and where it is from.

Its paper's where that has one, else the one of its authors' code or of a library that many use. Where there is none,
it is ours, and says so.
"""

from __future__ import annotations

from typing import NamedTuple

TORCH = "torch.optim"
CODE = "its authors' code"
OURS = "this package"


class Rate(NamedTuple):
    """A learning rate and whose default it is."""

    value: float
    source: str


RATES: dict[str, Rate] = {
    "sgd": Rate(0.01, "Keras"),
    "momentum": Rate(0.01, "Keras"),
    "nesterov": Rate(0.01, "Keras"),
    "adagrad": Rate(0.01, TORCH),
    "adadelta": Rate(1.0, "Zeiler 2012, who has none: a factor of 1"),
    "rmsprop": Rate(0.001, "Keras"),
    "centered_rmsprop": Rate(1e-4, "Graves 2013"),
    "madgrad": Rate(0.01, CODE),
    "adam": Rate(0.001, "Kingma & Ba 2015"),
    "adamw": Rate(0.001, "Loshchilov & Hutter 2019"),
    "amsgrad": Rate(0.001, TORCH),
    "adamax": Rate(0.002, "Kingma & Ba 2015"),
    "nadam": Rate(0.002, TORCH),
    "radam": Rate(0.001, TORCH),
    "adabelief": Rate(0.001, CODE),
    "yogi": Rate(0.01, "Zaheer et al. 2018"),
    "adabound": Rate(0.001, "Luo et al. 2019"),
    "amsbound": Rate(0.001, "Luo et al. 2019"),
    "adan": Rate(0.001, CODE),
    "laprop": Rate(4e-4, CODE),
    "adopt": Rate(0.001, CODE),
    "ademamix": Rate(0.001, CODE),
    "averaged_sgd": Rate(0.01, TORCH),
    "schedule_free_sgd": Rate(1.0, CODE),
    "schedule_free_adamw": Rate(0.0025, CODE),
    "adahessian": Rate(0.15, CODE),
    "sophia": Rate(1e-4, CODE),
    "shampoo": Rate(0.1, OURS),
    "soap": Rate(0.003, CODE),
    "kfac": Rate(0.01, OURS),
    "psgd_kron": Rate(0.001, OURS),
    "muon": Rate(0.02, CODE),
    "dog": Rate(1.0, "Ivgi et al. 2023, who have none: a factor of 1"),
    "dowg": Rate(1.0, "Khaled et al. 2023, who have none: a factor of 1"),
    "prodigy": Rate(1.0, "Mishchenko & Defazio 2023, who have none: a factor of 1"),
    "d_adaptation": Rate(1.0, "Defazio & Mishchenko 2023, who have none: a factor of 1"),
    "polyak_step": Rate(1.0, OURS),
    "momo": Rate(1.0, CODE),
    "qhadam": Rate(0.001, CODE),
    "lbfgs": Rate(1.0, TORCH),
    "sign_sgd": Rate(1e-4, OURS),
    "signum": Rate(1e-4, OURS),
    "lion": Rate(1e-4, CODE),
    "rprop": Rate(0.01, TORCH),
    "lars": Rate(1.0, OURS),
    "lamb": Rate(0.001, OURS),
    "novograd": Rate(0.001, OURS),
    "sm3": Rate(0.1, OURS),
    "adafactor": Rate(0.01, "Shazeer & Stern 2018"),
}  # fmt: skip

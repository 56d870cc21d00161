"""What the `wide` spaces tune besides the learning rate: the hyperparameters that matter most, and how far."""

from __future__ import annotations

from typing import Any

ADAM = ("b1", "b2", "eps")
MAIN: dict[str, tuple[str, ...]] = {
    "sgd": (), "momentum": ("momentum",), "nesterov": ("momentum",), "adagrad": ("eps", "initial_accumulator"),
    "adadelta": ("rho", "eps"), "rmsprop": ("rho", "eps_root"), "centered_rmsprop": ("rho", "momentum", "eps_root"),
    "madgrad": ("momentum", "eps"), "adam": ("b1", "b2", "eps_root"), "adamw": (*ADAM, "weight_decay"),
    "amsgrad": ADAM, "adamax": ("b1", "b2"), "nadam": ADAM, "radam": ("b1", "b2"), "adabelief": ADAM, "yogi": ADAM,
    "adabound": (*ADAM, "final_rate", "gamma"), "amsbound": (*ADAM, "final_rate", "gamma"),
    "adan": ("b1", "b2", "b3", "eps"), "laprop": ("b1", "b2"), "adopt": ADAM, "ademamix": ("b1", "b2", "b3", "alpha"),
    "averaged_sgd": ("start",), "schedule_free_sgd": ("b1",), "schedule_free_adamw": ("b1", "b2", "weight_decay"),
    "adahessian": ("b1", "b2", "eps", "hessian_power"), "sophia": ("b1", "b2", "gamma"), "shampoo": ("eps",),
    "soap": ("b1", "b2", "shampoo_beta"), "kfac": ("damping", "decay", "momentum"),
    "psgd_kron": ("momentum", "preconditioner_rate"), "muon": ("momentum", "adam_rate"), "dog": ("initial_distance",),
    "dowg": ("initial_distance",), "prodigy": ("b1", "b2", "initial_distance"),
    "d_adaptation": ("b1", "b2", "initial_distance"), "polyak_step": ("eps",), "momo": ("momentum",),
    "qhadam": ("b1", "b2", "nu1", "nu2"), "lbfgs": ("memory", "c2"), "sign_sgd": (), "signum": ("momentum",),
    "lion": ("b1", "b2"), "rprop": ("eta_minus", "eta_plus"),
    "lars": ("momentum", "weight_decay", "trust_coefficient"), "lamb": (*ADAM, "weight_decay"),
    "novograd": ("b1", "b2", "weight_decay"), "sm3": ("b1",), "adafactor": ("decay_rate", "threshold"),
}  # fmt: skip
MEAN = {"one_minus_log": [0.5, 0.999]}  # of gradients: up to a thousand steps are remembered
SQUARES = {"one_minus_log": [0.8, 0.9999]}
# By parameter, and for one optimizer where it means something else there.
RANGES: dict[str, dict[str, Any]] = {
    **dict.fromkeys(("b1", "momentum", "rho", "decay"), MEAN),
    **dict.fromkeys(("b2", "shampoo_beta"), SQUARES),
    "b3": SQUARES, "eps": {"log": [1e-10, 1e-3]}, "eps_root": {"log": [1e-20, 1e-6]},
    "weight_decay": {"log": [1e-4, 1.0]}, "initial_accumulator": {"uniform": [0.0, 1.0]},
    "final_rate": {"log": [1e-3, 0.5]}, "gamma": {"log": [1e-4, 0.1]}, "alpha": {"uniform": [0.0, 10.0]},
    "start": {"log": [1, 1000]}, "hessian_power": {"uniform": [0.5, 1.0]}, "damping": {"log": [1e-4, 1.0]},
    "preconditioner_rate": {"log": [0.01, 1.0]}, "adam_rate": {"log": [1e-4, 0.1]},
    "initial_distance": {"log": [1e-8, 1e-2]}, "nu1": {"uniform": [0.0, 1.0]}, "nu2": {"uniform": [0.5, 1.0]},
    "memory": {"log": [3, 20]}, "c2": {"uniform": [0.1, 0.9]}, "eta_minus": {"uniform": [0.3, 0.9]},
    "eta_plus": {"uniform": [1.05, 2.0]}, "trust_coefficient": {"log": [1e-4, 0.1]},
    "decay_rate": {"uniform": [0.5, 1.0]}, "threshold": {"log": [0.1, 10.0]},
}  # fmt: skip
OTHER: dict[tuple[str, str], dict[str, Any]] = {
    ("adabelief", "eps"): {"log": [1e-20, 1e-6]}, ("yogi", "eps"): {"log": [1e-8, 0.1]},
    ("adan", "b2"): MEAN, ("ademamix", "b3"): {"one_minus_log": [0.99, 0.9999]},
    ("lion", "b2"): {"one_minus_log": [0.9, 0.999]}, ("centered_rmsprop", "eps_root"): {"log": [1e-12, 1e-2]},
    ("shampoo", "eps"): {"log": [1e-8, 0.1]}, ("adahessian", "eps"): {"log": [1e-8, 0.01]},
    ("polyak_step", "eps"): {"log": [1e-10, 0.1]}, ("sophia", "gamma"): {"log": [1e-3, 1.0]},
}  # fmt: skip


def range_of(optimizer: str, parameter: str) -> dict[str, Any]:
    """Return the range of a parameter, as a study has it."""
    return OTHER.get((optimizer, parameter), RANGES[parameter])

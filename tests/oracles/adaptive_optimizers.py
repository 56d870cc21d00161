"""Adam and its relatives in NumPy, line by line from their papers; `oracles.optimizers` gathers them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import exp, log, prod, sqrt

import numpy as np

Gradients = Sequence[np.ndarray]
Path = Iterator[np.ndarray]


def adam(
    theta: np.ndarray, gradients: Gradients, eta: float, b1: float, b2: float, eps: float, eps_root: float
) -> Path:
    """Kingma & Ba 2015, algorithm 1; source, section 6.2, with both epsilons."""
    m, v = np.zeros_like(theta), np.zeros_like(theta)
    for t, g in enumerate(gradients, start=1):
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        m_hat, v_hat = m / (1 - b1**t), v / (1 - b2**t)
        theta = theta - eta / (np.sqrt(v_hat + eps_root) + eps) * m_hat
        yield theta


def adamw(theta: np.ndarray, gradients: Gradients, eta: float, weight_decay: float, **rest: float) -> Path:
    """Loshchilov & Hutter 2019, algorithm 2, the decay times the rate: Adam's step, and theta shrunk."""
    before = np.zeros_like(theta)
    for after in adam(before, gradients, eta, **rest):
        theta = theta + (after - before) - eta * weight_decay * theta
        before = after
        yield theta


def amsgrad(
    theta: np.ndarray, gradients: Gradients, eta: float, b1: float, b2: float, eps: float, eps_root: float,
    corrected: bool, maximum_of_corrected: bool,
) -> Path:  # fmt: skip
    """Reddi et al. 2018, algorithm 2; corrected afterwards; the maximum of the corrected."""
    m, v, top = np.zeros_like(theta), np.zeros_like(theta), np.zeros_like(theta)
    for t, g in enumerate(gradients, start=1):
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        if maximum_of_corrected:
            top = np.maximum(top, v / (1 - b2**t))
            theta = theta - eta * (m / (1 - b1**t)) / (np.sqrt(top + eps_root) + eps)
        else:
            top = np.maximum(top, v)
            c1, c2 = (1 - b1**t, 1 - b2**t) if corrected else (1, 1)
            theta = theta - eta * (m / c1) / (np.sqrt(top / c2 + eps_root) + eps)
        yield theta


def adamax(theta: np.ndarray, gradients: Gradients, eta: float, b1: float, b2: float, eps: float) -> Path:
    """Kingma & Ba 2015, algorithm 2, eps beside |g|."""
    m, u = np.zeros_like(theta), np.zeros_like(theta)
    for t, g in enumerate(gradients, start=1):
        m = b1 * m + (1 - b1) * g
        u = np.maximum(b2 * u, np.abs(g) + eps)
        theta = theta - eta / (1 - b1**t) * m / u
        yield theta


def nadam(
    theta: np.ndarray, gradients: Gradients, eta: float, b1: float, b2: float, eps: float, eps_root: float,
    scheduled: bool, momentum_decay: float,
) -> Path:  # fmt: skip
    """Dozat 2016, algorithm 2, mu_t constant or scheduled."""
    m, n = np.zeros_like(theta), np.zeros_like(theta)
    mu = [b1 * (1 - 0.5 * 0.96 ** (t * momentum_decay)) if scheduled else b1 for t in range(len(gradients) + 2)]
    for t, g in enumerate(gradients, start=1):
        m = b1 * m + (1 - b1) * g
        n = b2 * n + (1 - b2) * g**2
        g_hat, m_hat = g / (1 - prod(mu[1 : t + 1])), m / (1 - prod(mu[1 : t + 2]))
        m_bar = (1 - mu[t]) * g_hat + mu[t + 1] * m_hat
        theta = theta - eta * m_bar / (np.sqrt(n / (1 - b2**t) + eps_root) + eps)
        yield theta


def radam(
    theta: np.ndarray, gradients: Gradients, eta: float, b1: float, b2: float, eps: float, eps_root: float,
    threshold: float, eps_uncorrected: bool,
) -> Path:  # fmt: skip
    """Liu et al. 2020, algorithm 2."""
    m, v = np.zeros_like(theta), np.zeros_like(theta)
    rho_inf = 2 / (1 - b2) - 1
    for t, g in enumerate(gradients, start=1):
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        m_hat, rho = m / (1 - b1**t), rho_inf - 2 * t * b2**t / (1 - b2**t)
        if rho > threshold:
            r = sqrt((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho))
            far = eps / sqrt(1 - b2**t) if eps_uncorrected else eps
            theta = theta - eta * r * m_hat / (np.sqrt(v / (1 - b2**t) + eps_root) + far)
        else:
            theta = theta - eta * m_hat
        yield theta


def adabelief(
    theta: np.ndarray, gradients: Gradients, eta: float, b1: float, b2: float, eps: float, eps_root: float
) -> Path:
    """Zhuang et al. 2020, algorithm 2."""
    m, s = np.zeros_like(theta), np.zeros_like(theta)
    for t, g in enumerate(gradients, start=1):
        m = b1 * m + (1 - b1) * g
        s = b2 * s + (1 - b2) * (g - m) ** 2 + eps_root
        theta = theta - eta * (m / (1 - b1**t)) / (np.sqrt(s / (1 - b2**t)) + eps)
        yield theta


def yogi(
    theta: np.ndarray, gradients: Gradients, eta: float, b1: float, b2: float, eps: float, eps_root: float,
    corrected: bool, initial_nu: float, initial_mu: float,
) -> Path:  # fmt: skip
    """Zaheer et al. 2018, algorithm 2."""
    m, v = np.full_like(theta, initial_mu), np.full_like(theta, initial_nu)
    for t, g in enumerate(gradients, start=1):
        m = b1 * m + (1 - b1) * g
        v = v - (1 - b2) * np.sign(v - g**2) * g**2
        c1, c2 = (1 - b1**t, 1 - b2**t) if corrected else (1, 1)
        theta = theta - eta * (m / c1) / (np.sqrt(v / c2 + eps_root) + eps)
        yield theta


def adabound(
    theta: np.ndarray, gradients: Gradients, eta: float, b1: float, b2: float, eps: float, final_rate: float,
    gamma: float, corrected: bool, largest: bool = False,
) -> Path:  # fmt: skip
    """Luo et al. 2019, algorithms 2 and 3, without the 1 / sqrt(t) of the proof."""
    m, v, top = np.zeros_like(theta), np.zeros_like(theta), np.zeros_like(theta)
    for t, g in enumerate(gradients, start=1):
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        top = np.maximum(top, v) if largest else v
        rate = eta * sqrt(1 - b2**t) / (1 - b1**t) if corrected else eta
        low, high = final_rate * (1 - 1 / (gamma * t + 1)), final_rate * (1 + 1 / (gamma * t))
        theta = theta - np.clip(rate / (np.sqrt(top) + eps), low, high) * m
        yield theta


def amsbound(theta: np.ndarray, gradients: Gradients, eta: float, **rest: float) -> Path:
    """Luo et al. 2019, algorithm 3."""
    return adabound(theta, gradients, eta, **rest, largest=True)


def adan(
    theta: np.ndarray, gradients: Gradients, eta: float, b1: float, b2: float, b3: float, eps: float, eps_root: float,
    complement: bool,
) -> Path:  # fmt: skip
    """Xie et al. 2024, algorithm 1, with beta = 1 - b, each average corrected."""
    m, v, n = np.zeros_like(theta), np.zeros_like(theta), np.zeros_like(theta)
    last, share = gradients[0], 1 - b2 if complement else b2
    for t, g in enumerate(gradients, start=1):
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * (g - last)
        n = b3 * n + (1 - b3) * (g + share * (g - last)) ** 2
        ahead = m / (1 - b1**t) + share * v / (1 - b2**t)
        theta = theta - eta * ahead / (np.sqrt(n / (1 - b3**t) + eps_root) + eps)
        last = g
        yield theta


def laprop(
    theta: np.ndarray, gradients: Gradients, eta: float, b1: float, b2: float, eps: float, eps_root: float
) -> Path:
    """Ziyin et al. 2020, algorithm 1."""
    m, n = np.zeros_like(theta), np.zeros_like(theta)
    for t, g in enumerate(gradients, start=1):
        n = b2 * n + (1 - b2) * g**2
        m = b1 * m + (1 - b1) * g / (np.sqrt(n / (1 - b2**t) + eps_root) + eps)
        theta = theta - eta * m / (1 - b1**t)
        yield theta


def adopt(
    theta: np.ndarray, gradients: Gradients, eta: float, b1: float, b2: float, eps: float, clipping: bool
) -> Path:
    """Taniguchi et al. 2024: g_0 starts v, every other gradient is normalized by the v before it."""
    v, m = gradients[0] ** 2, np.zeros_like(theta)
    yield theta
    for t, g in enumerate(gradients[1:], start=1):
        scaled = g / np.maximum(np.sqrt(v), eps)
        m = b1 * m + (1 - b1) * (np.clip(scaled, -(t**0.25), t**0.25) if clipping else scaled)
        theta = theta - eta * m
        v = b2 * v + (1 - b2) * g**2
        yield theta


def ademamix(
    theta: np.ndarray, gradients: Gradients, eta: float, b1: float, b2: float, b3: float, alpha: float, eps: float,
    eps_root: float, warmup: float,
) -> Path:  # fmt: skip
    """Pagliardini et al. 2024, algorithm 1 with its two schedulers."""
    fast, slow, v = np.zeros_like(theta), np.zeros_like(theta), np.zeros_like(theta)
    for t, g in enumerate(gradients, start=1):
        weight, a = b3, alpha
        if t < warmup:
            share = t / warmup
            weight = exp(log(b1) * log(b3) / ((1 - share) * log(b3) + share * log(b1)))
            a = min(share * alpha, alpha)
        fast = b1 * fast + (1 - b1) * g
        slow = weight * slow + (1 - weight) * g
        v = b2 * v + (1 - b2) * g**2
        theta = theta - eta * (fast / (1 - b1**t) + a * slow) / (np.sqrt(v / (1 - b2**t) + eps_root) + eps)
        yield theta


def qhadam(
    theta: np.ndarray, gradients: Gradients, eta: float, b1: float, b2: float, nu1: float, nu2: float, eps: float
) -> Path:
    """Ma & Yarats 2019, section 4: both moments of Adam, each mixed with what it averages."""
    m, v = np.zeros_like(theta), np.zeros_like(theta)
    for t, g in enumerate(gradients, start=1):
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        first = (1 - nu1) * g + nu1 * m / (1 - b1**t)
        second = (1 - nu2) * g**2 + nu2 * v / (1 - b2**t)
        theta = theta - eta * first / (np.sqrt(second) + eps)
        yield theta


OPTIMIZERS: dict[str, Callable[..., Path]] = {
    f.__name__: f
    for f in (
        adam, adamw, amsgrad, adamax, nadam, radam, adabelief, yogi, adabound, amsbound, adan, laprop, adopt, ademamix,
        qhadam,
    )
}  # fmt: skip
EPSILONS: list[dict[str, float]] = [{}, {"eps": 0.3, "eps_root": 0.0}, {"eps": 0.1, "eps_root": 0.2}]
SETTINGS: dict[str, list[dict[str, float]]] = {
    "adam": [*EPSILONS, {"eps": 1e-8, "eps_root": 0.0}, {"b1": 0.5, "b2": 0.9}, {"b1": 0.0, "b2": 0.0}],
    "adamw": [*EPSILONS, {"weight_decay": 0.0}, {"weight_decay": 1.3, "b1": 0.5}],
    "amsgrad": [*EPSILONS, {"corrected": True, "b2": 0.5}, {"maximum_of_corrected": True, "b2": 0.5}],
    "adamax": [{}, {"eps": 0.1}, {"b1": 0.3, "b2": 0.6}],
    "nadam": [*EPSILONS, {"scheduled": True}, {"scheduled": True, "momentum_decay": 1.0, "b1": 0.5}],
    "radam": [*EPSILONS, {"threshold": 5.0}, {"eps_uncorrected": True, "eps": 0.1, "b2": 0.99}],
    "adabelief": [*EPSILONS, {"b1": 0.5, "b2": 0.9}],
    "yogi": [*EPSILONS, {"corrected": True}, {"initial_nu": 1e-3, "initial_mu": 1e-2, "b2": 0.9}],
    "adabound": [{}, {"gamma": 0.3, "final_rate": 0.02}, {"corrected": True}, {"eps": 0.1, "b1": 0.5}],
    "amsbound": [{}, {"gamma": 0.3, "final_rate": 0.02}, {"corrected": True, "b2": 0.5}, {"eps": 0.1}],
    "adan": [*EPSILONS, {"b1": 0.5, "b2": 0.7, "b3": 0.9}, {"complement": True, "b2": 0.7}],
    "laprop": [*EPSILONS, {"b1": 0.5, "b2": 0.9}],
    "adopt": [{}, {"clipping": False}, {"eps": 0.1, "b1": 0.5, "b2": 0.7}],
    "ademamix": [*EPSILONS, {"warmup": 6.0}, {"warmup": 20.0, "b3": 0.99, "alpha": 8.0}],
    "qhadam": [{}, {"nu1": 1.0, "b1": 0.9}, {"nu1": 0.0}, {"nu2": 0.6, "b2": 0.9}, {"nu2": 0.0, "eps": 0.1}],
}

"""Fact A24: scikit-learn's own loss curves, from its own initial weights, over 15 epochs."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

import mlpjit as mj
from mlpjit.catalogue.datasets import split

EPOCHS, HIDDEN = 15, [24, 13]
NAMES = {"relu": "relu", "tanh": "tanh", "logistic": "sigmoid"}
HEAVY = {"solver": "sgd", "momentum": 0.8}
# Ours, and scikit-learn's words for it. Its momentum holds the rate inside the velocity: the same at a constant rate.
OPTIMIZERS = {
    "sgd": ("sgd", {"solver": "sgd", "momentum": 0.0}),
    "momentum": ({"name": "momentum", "momentum": 0.8}, {**HEAVY, "nesterovs_momentum": False}),
    "nesterov": ({"name": "nesterov", "momentum": 0.8}, {**HEAVY, "nesterovs_momentum": True}),
    # Its epsilon stands beside sqrt(v) without bias correction: 1e-30 is nothing on both sides, and 0 / 0 of the
    # weights of pixels that are never lit stays 0.
    "adam": ({"name": "adam", "eps": 1e-30, "eps_root": 0.0}, {"solver": "adam", "epsilon": 1e-30}),
}  # fmt: skip


def fit(x: np.ndarray, y: np.ndarray, epochs: int, **settings: object) -> MLPClassifier:
    """Fit without shuffling and without stopping early."""
    model = MLPClassifier(
        HIDDEN, max_iter=epochs, shuffle=False, tol=0.0, n_iter_no_change=10**6, random_state=3, **settings
    )
    with pytest.warns(ConvergenceWarning):
        return model.fit(x, y)


def initial_weights(x: np.ndarray, y: np.ndarray, **settings: object) -> MLPClassifier:
    """Return the model as it starts: one epoch at a rate that changes nothing."""
    return fit(x, y, 1, **{**settings, "solver": "sgd", "momentum": 0.0, "learning_rate_init": 1e-300})


# The penalty is alpha / batch there, another one for a smaller last batch; 419 divides the 1257 samples.
@pytest.mark.parametrize(("alpha", "batch"), [(0.0, 64), (0.5, 419)])
@pytest.mark.parametrize("activation", NAMES)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_loss_curves(optimizer, activation, alpha, batch):
    ours, theirs = OPTIMIZERS[optimizer]
    rate = 0.003 if optimizer == "adam" else 0.05
    config = mj.RunConfig(
        dataset="digits", hidden=HIDDEN, activation=NAMES[activation], dtype="float64", epochs=EPOCHS, batch_size=batch,
        optimizer=ours, learning_rate=rate, l2=alpha / batch, shuffle=False,
    )  # fmt: skip
    data = split("digits", config.split_seed, "float64")
    assert alpha == 0.0 or len(data.x_train) % batch == 0
    x, y = data.x_train, data.y_train.argmax(1)
    settings = {**theirs, "activation": activation, "alpha": alpha, "batch_size": batch, "learning_rate_init": rate}
    start, model = initial_weights(x, y, **settings), fit(x, y, EPOCHS, **settings)
    begun = [{"W": w, "b": b} for w, b in zip(start.coefs_, start.intercepts_, strict=True)]
    found = mj.train(config, params=begun)
    assert found.status == "done"
    curve = found.history["train_loss"][1:]
    assert curve[-1] < curve[0]
    np.testing.assert_allclose(curve, model.loss_curve_, rtol=0, atol=1e-6)
    theirs = np.concatenate(
        [part.ravel() for pair in zip(model.coefs_, model.intercepts_, strict=True) for part in pair]
    )
    np.testing.assert_allclose(found.params, theirs, rtol=0, atol=1e-6)

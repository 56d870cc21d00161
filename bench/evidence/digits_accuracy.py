"""Digits, 4 x 64 GELU, Adam: mlpjit beside PyTorch on the same network, data, split, order, start and rate.

    pip install -e . "torch==2.13.0"
    python bench/evidence/digits_accuracy.py

The rate is chosen by mlpjit on validation data (seeds 0, 1, 2); both then train from five other seeds (10-14), each
of which sets split, initial weights and order of samples. PyTorch is written as its users write it: nn.Linear,
nn.GELU, CrossEntropyLoss, torch.optim.Adam with its own eps = 1e-8 outside the root. Without PyTorch only
mlpjit's half is run.
"""

from __future__ import annotations

import json
import statistics
from typing import Any

import mlpjit as mj
from mlpjit.kernels.arithmetic.random import permutation
from mlpjit.training.run import Run

NETWORK = {"hidden": [64] * 4, "activation": "gelu", "init": "he_normal", "optimizer": "adam", "epochs": 30}
RATES = [0.0003, 0.001, 0.003, 0.01, 0.03]
TUNING, REPORTING = (0, 1, 2), (10, 11, 12, 13, 14)


def config(rate: float, seed: int) -> mj.RunConfig:
    return mj.RunConfig(dataset="digits", learning_rate=rate, seed=seed, **NETWORK)


def chosen_rate() -> float:
    """The rate with the lowest median final validation loss; a run that diverged counts as infinite."""

    def loss(rate: float) -> float:
        found = [mj.train(config(rate, seed)).metrics["final_validation_loss"] for seed in TUNING]
        return statistics.median(float("inf") if value is None else float(value) for value in found)

    return min(RATES, key=loss)


def torch_accuracy(settings: mj.RunConfig) -> float:
    """The same run in PyTorch: parts, batches and first weights are taken from mlpjit."""
    import torch

    run = Run(settings)
    layers: list[Any] = []
    for tensors in mj.Network([64, 64, 64, 64, 64, 10], "gelu").layers(run.params):
        linear = torch.nn.Linear(*tensors["W"].shape)
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(tensors["W"].T.copy()))
            linear.bias.copy_(torch.from_numpy(tensors["b"].copy()))
        layers += [linear, torch.nn.GELU()]
    model, loss = torch.nn.Sequential(*layers[:-1]), torch.nn.CrossEntropyLoss()
    x, y = torch.from_numpy(run.data.x_train.copy()), torch.from_numpy(run.data.y_train.argmax(axis=1))
    optimizer = torch.optim.Adam(model.parameters(), lr=settings.learning_rate)
    for epoch in range(settings.epochs):
        order = torch.from_numpy(permutation(int(settings.order_seed or 0), "order", len(x), epoch))
        for rows in order.split(int(settings.batch_size)):
            optimizer.zero_grad()
            loss(model(x[rows]), y[rows]).backward()
            optimizer.step()
    with torch.no_grad():
        guess = model(torch.from_numpy(run.data.x_test.copy())).argmax(dim=1).numpy()
    return float((guess == run.data.y_test.argmax(axis=1)).mean())


def main() -> None:
    rate = chosen_rate()
    ours = [float(mj.train(config(rate, seed)).test_score or 0) for seed in REPORTING]
    found: dict[str, Any] = {"learning_rate": rate, "mlpjit": ours, "mlpjit_mean": statistics.mean(ours)}
    try:
        import torch
    except ImportError:
        print("PyTorch is not installed: mlpjit's half only")
    else:
        theirs = [torch_accuracy(config(rate, seed)) for seed in REPORTING]
        found |= {"torch_version": torch.__version__, "torch": theirs, "torch_mean": statistics.mean(theirs)}
        found["difference_in_points"] = 100 * (found["mlpjit_mean"] - found["torch_mean"])
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()

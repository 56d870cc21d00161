"""A model's predictions as a Python file of its own: by NumPy alone, or as a module of PyTorch."""

from __future__ import annotations

import inspect
from pathlib import Path

from mlpjit.models import predicting, rules
from mlpjit.models.model import Model

HEAD = '''"""Predictions of run {run_id}, by NumPy alone: python {script} rows.csv

`predict(model, x)` takes inputs (n, {inputs}), not scaled; `encode(model, table)` makes them of a table's columns.
"""

import csv
import json
import math
import sys
from pathlib import Path

import numpy as np
'''
MAIN = """model = dict(np.load(Path(__file__).with_name("{path}")))

if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python {script} rows.csv")
    try:
        table = read_table(sys.argv[1], [json.loads(column)[0] for column in model["columns"].tolist()])
        x = encode(model, table) if len(model["columns"]) else np.array(list(table.values()), float).T
    except KeyError as error:
        sys.exit(f"{{sys.argv[1]}}: no column {{error}}")
    except (OSError, IndexError, ValueError) as error:
        sys.exit(f"{{sys.argv[1]}}: cannot be read: {{error}}")
    print(*predict(model, x).tolist(), sep="\\n")
"""


def numpy_script(model: Model, path: Path, script: str) -> str:
    """Return the text of a file that predicts with the model at `path` beside it, without mlpjit."""
    used = {name for layer in model.arrays["layers"].tolist() for name in layer[:2]}
    chosen = {
        "ACTIVATIONS": [each for name, each in rules.ACTIVATIONS.items() if name in used],
        "NORMALIZATIONS": [each for name, each in rules.NORMALIZATIONS.items() if name in used],
    }
    parts = [HEAD.format(run_id=model.run_id, script=script, inputs=len(model.arrays["x_shift"]))]
    parts += [_source(each) for some in chosen.values() for each in some]
    parts += [
        f"{name} = {{{', '.join(f'{e.__name__!r}: {e.__name__}' for e in e_s)}}}\n" for name, e_s in chosen.items()
    ]
    parts += [f"MISSING = {predicting.MISSING!r}\n"]
    steps = (predicting.outputs, predicting.predict, predicting.encode, predicting.read_table, predicting.value)
    parts += map(_source, steps)
    return "\n\n".join([*parts, MAIN.format(path=path.name, script=script)])


def _source(function: object) -> str:
    """Return a function's text without hints of types."""
    first, *rest = inspect.getsource(function).splitlines(keepends=True)  # type: ignore[arg-type]
    parameters = ", ".join(inspect.signature(function).parameters)  # type: ignore[arg-type]
    return f"{first.partition('(')[0]}({parameters}):\n" + "".join(rest)


TORCH = '''"""Run {run_id} as a PyTorch module: `Network()(torch.as_tensor(x))` are its outputs for raw inputs."""

import math
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F


class Network(nn.Module):
    """{shape}; weights from {path}, in evaluation."""

    def __init__(self, path=Path(__file__).with_name("{path}")):
        super().__init__()
        for name, array in np.load(path).items():
            if array.dtype.kind == "f":
                tensor = torch.as_tensor(array)
                learned = name[0] in "Wb" or name.startswith(("gamma", "beta"))
                setattr(self, name, nn.Parameter(tensor)) if learned else self.register_buffer(name, tensor)

    def forward(self, x):
        """Return the outputs (n, outputs) for inputs (n, inputs), NaN where one is missing."""
        a = (torch.where(torch.isnan(x), self.fill, x.double()) - self.x_shift) / self.x_divisor
        a = a.to(self.W0.dtype)
{lines}
        return a
'''
TORCH_ACTIVATIONS = {
    "identity": "z", "softmax": "torch.softmax(z, 1)", "relu": "F.relu(z)", "relu6": "F.relu6(z)",
    "leaky_relu": "torch.where(z > 0, z, {setting} * z)", "prelu": "torch.where(z > 0, z, {setting} * z)",
    "relu_squared": "F.relu(z) ** 2", "elu": "torch.where(z > 0, z, {setting} * torch.expm1(z.clamp(max=0)))",
    "celu": "torch.where(z > 0, z, {setting} * torch.expm1(z.clamp(max=0) / {setting}))", "selu": "F.selu(z)",
    "sigmoid": "torch.sigmoid(z)", "tanh": "torch.tanh(z)", "lecun_tanh": "1.7159 * torch.tanh(2 / 3 * z)",
    "erf": "torch.erf(z)", "softsign": "F.softsign(z)", "hard_tanh": "F.hardtanh(z)",
    "hard_sigmoid": "F.hardsigmoid(z)", "gelu": "F.gelu(z)", "gelu_tanh": 'F.gelu(z, approximate="tanh")',
    "silu": "F.silu(z)", "mish": "F.mish(z)", "hard_swish": "F.hardswish(z)",
    "softplus": "torch.logaddexp(z, torch.zeros_like(z))", "sine": "torch.sin({setting} * z)",
    "snake": "z + torch.sin({setting} * z) ** 2 / {setting}",
}  # fmt: skip
TORCH_NORMALIZATIONS = {
    "batch": ["z = (z - self.mean{i}) / torch.sqrt(self.variance{i} + 1e-5)"],
    "layer": ["z = (z - z.mean(1, keepdim=True)) / torch.sqrt(z.var(1, keepdim=True, unbiased=False) + 1e-5)"],
    "rms": ["z = z / torch.sqrt((z * z).mean(1, keepdim=True) + 1e-5)"],
}


def torch_script(model: Model, path: Path) -> str:
    """Return the text of a file with a PyTorch module that loads the model at `path` beside it."""
    lines: list[str] = []
    for i, (activation, normalization, residual) in enumerate(model.arrays["layers"].tolist()):
        lines += [f"z = a @ self.W{i} + self.b{i}"]
        if normalization != "none":
            lines += [line.format(i=i) for line in TORCH_NORMALIZATIONS[normalization]]
            lines += [f"z = self.gamma{i} * z + self.beta{i}"]
        lines += ["z = z + a"] if residual == "post" else []
        value = TORCH_ACTIVATIONS[activation].format(setting=f"self.setting{i}")
        lines += [f"a = {value}" + (" + a" if residual == "pre" else "")]
    text = "\n".join(f"        {line}" for line in lines)
    return TORCH.format(run_id=model.run_id, shape=repr(model), path=path.name, lines=text)

"""Data, first parameters and every rule of the catalogue: the same bits whatever CPU and libraries do.

`test_bits.py` compares whole runs; this compares what goes into them, every entry of the catalogue once, small.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

import llvmlite.binding
import pytest

DIGESTS = """
import hashlib, json
import numpy as np
import mlpjit as mj
from mlpjit.catalogue.datasets import datasets, split
from mlpjit.training import linking as compiled
from mlpjit.catalogue.registries import (
    activations, clippings, initializers, losses, normalizations, residuals, schedules,
)
from mlpjit.training.schedule_values import rates
from mlpjit.training.stage_memory import scratch_size, settings_of, state_size, tensor_table, tensors_of

def digest(*arrays):
    return hashlib.sha256(b"".join(np.ascontiguousarray(a).tobytes() for a in arrays)).hexdigest()[:16]

def evaluated(name, z):
    made = [np.empty_like(z) for _ in range(3)]
    compiled.activation(name, "float32", "evaluation").call(z.size, z.ctypes.data, *(a.ctypes.data for a in made))
    return made

def differentiated(name, z, y):
    settings, scratch, gradient, product = np.array([0.3]), np.empty(4, "float32"), z.copy(), np.ones_like(z)
    places = [a.ctypes.data for a in (gradient, product, y, settings, scratch)]
    rows, outputs = y.shape
    compiled.loss_tangent(name, "float32").call(rows, outputs, *places[:2], outputs, *places[2:], 0.5)
    value = compiled.loss(name, "float32").call(rows, outputs, places[0], outputs, *places[2:4], 0.5)
    return np.array([value]), gradient, product

found = {}
for record in datasets.records():
    if record.shape:
        small = {"samples": 200} if "samples" in record.defaults else {"modulus": 7}
        many = {"imbalance": 3.7, "label_noise": 0.3} if record.task == "classification" else {}
        parts = split({"name": record.name, **small, **many}, 5, "float64")
        found[f"dataset {record.name}"] = digest(parts.x_train, parts.y_train, parts.x_test, parts.y_test)
x = split("digits", 0, "float64").x_train[:50]
specs = [*initializers, {"name": "he_normal", "gain": "activation"}, {"name": "mean_field", "sigma_b": 0.2}]
for spec in specs:
    params = [mj.Network([64, 19, 21, 10], "tanh", dtype=d).init(spec, 3, x) for d in ("float32", "float64")]
    found[f"init {spec}"] = digest(*params)
for name in schedules:
    found[f"schedule {name}"] = digest(rates(mj.RunConfig(schedule={"name": name, "warmup": 7}), 150))
z = np.concatenate([np.arange(-2048, 2048) / 128, np.arange(-60, 60) / 0.7]).astype("float32")
y = np.tile(np.eye(4, dtype="float32"), (len(z) // 16, 1))
for name in activations:
    found[f"activation {name}"] = digest(np.array([name]), *evaluated(name, z))
structures = [{"normalization": name} for name in normalizations]
structures += [{"normalization": "layer", "activation": "prelu", "residual": name} for name in residuals]
for options in structures:
    for dtype in ("float32", "float64"):
        net = mj.Network([64, 19, 19, 10], **{"activation": "tanh", "dropout": 0.3, "dtype": dtype, **options})
        params, targets = net.init(seed=1), np.eye(10)[np.arange(50) % 10]
        value, gradient = net.loss_and_grad(params, x, targets, seed=5, step=3)
        product = net.hessian_vector_product(params, params, x, targets, seed=5, step=3)
        found[f"structure {options} {dtype}"] = digest(np.array([value]), gradient, product)
for name in losses:
    found[f"loss {name}"] = digest(*differentiated(name, z[: y.size].reshape(-1, 4), y))
drawn = ((np.arange(4 * 37) * 0.7548776662466927) % 1 - 0.5).reshape(4, 37) * [[1.0], [0.01], [30.0], [0.3]]
for name in mj.optimizers:
    theta, path = drawn[3].astype("f4"), []
    state = mj.optimizers[name].init(theta)
    for g in drawn:
        # What some ask for: the loss of a line's slope g, a Hessian of 2, inputs and deltas of one weight matrix.
        given = dict(
            loss=float(theta[0]), gradient=lambda p: (float(p[0]), g), curvature=lambda p, v: v + v,
            factors=lambda p: (g, [(drawn[:2, :1], drawn[2:])]), rows=2,
        )
        theta, state = mj.optimizers[name].update(theta, g, state, learning_rate=0.01, **given)
        path.append(theta)
    found[f"optimizer {name}"] = digest(np.array([name]), *path)
shapes = [(5, 7), (2,)]
for name in mj.wrappers:
    opt, theta, path = mj.wrappers[name](mj.optimizers["momentum"]), drawn[3].astype("f4"), []
    state = opt.init(theta, layers=shapes)
    for g in drawn:
        slope = lambda p, g=g: (1.0, (g + 0.3 * p).astype("f4"))
        theta, state = opt.update(theta, slope(theta)[1], state, learning_rate=0.01, gradient=slope)
        path.append(theta)
    found[f"wrapper {name}"] = digest(np.array([name]), *path)
for record in clippings.records():
    theta, path, tensors = drawn[3].astype("f4"), [], tensors_of(shapes)
    state, scratch = np.zeros(state_size(record, tensors) + 1, "f4"), np.zeros(scratch_size(record, tensors), "f4")
    settings, table = np.array([*settings_of(record, {}), 0.0]), tensor_table(record, tensors)
    for step, g in enumerate(drawn):
        g = g.astype("f4")
        places = [a.ctypes.data for a in (theta, g, state, scratch, settings)]
        call = compiled.clipping(record.name, "float32").call
        call(0, step + 1, 64, len(g), *places, 0.01, 1.0, table.ctypes.data, len(tensors))
        path.append(g)
    found[f"clipping {record.name}"] = digest(np.array([record.name]), *path)
print(json.dumps(found))
"""
LIBRARIES = {
    "OPENBLAS_CORETYPE": "Nehalem", "NPY_DISABLE_CPU_FEATURES": "X86_V3 AVX2 FMA3", "PYTHONWARNINGS": "ignore",
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-AVX2_Usable,-FMA,-FMA_Usable,-FMA4",
}  # fmt: skip
# Each library setting changes bits of that library (test_bits.py shows it); a CPU's code needs its instructions.
OTHER_CPUS = ["generic", *(["skylake-avx512"] if llvmlite.binding.get_host_cpu_features().get("avx512f") else [])]


def digests(**variables: str) -> dict[str, str]:
    done = subprocess.run(
        [sys.executable, "-c", DIGESTS], env={**os.environ, **variables}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def expected() -> dict[str, str]:
    return digests()


def test_all_of_it_is_there(expected):
    assert len(expected) >= 10 + 20 + 14 + 23 + 7 + 25 + 6 + 5
    # Only a run lowers the rate of reduce_on_plateau: before it, it is constant.
    assert expected["schedule reduce_on_plateau"] == expected["schedule constant"]
    assert len(set(expected.values())) == len(expected) - 1


def test_another_cpu_and_other_libraries(expected):
    assert digests(NUMBA_CPU_NAME="haswell", NUMBA_CPU_FEATURES="", **LIBRARIES) == expected


@pytest.mark.exhaustive
@pytest.mark.parametrize("cpu", OTHER_CPUS)
def test_every_cpu(expected, cpu):
    assert digests(NUMBA_CPU_NAME=cpu, NUMBA_CPU_FEATURES="") == expected

"""One study, identical bits: any thread count, any order, any CPU type, whatever NumPy, BLAS and libm do.

Each variant is a process of its own, `mlpjit run` and `mlpjit export` on the same study; every deterministic column
of both tables must agree byte for byte.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import llvmlite.binding
import pytest

AXES = """
name = "bits"
hidden = [19, 6]
batch_size = 32
epochs = 2
init = "orthogonal"
schedule = "cosine"
normalization = "batch"
"""
BLOCKS = [
    """
[[sweep]]
dataset = "digits"
optimizer = ["sgd", "momentum", "nesterov", "rmsprop", "adam"]
activation = "gelu"
learning_rate = 0.01
""",
    """
[[sweep]]
dataset = "two_moons"
activation = ["sigmoid", "tanh", "elu", "leaky_relu"]
dtype = ["float32", "float64"]
optimizer = "adam"
clip = {name = "global_norm", max_norm = 0.5}
seed = [0, 1]
""",
    """
[[sweep]]
dataset = ["two_moons", "diabetes"]
output_activation = "tanh"
loss = "mse"
normalization = ["none", "batch"]
l2 = 0.001
weight_decay = 0.01
""",
    """
[[sweep]]
dataset = "two_moons"
hidden = [[19, 19]]
activation = "prelu"
normalization = ["layer", "rms", "weight"]
residual = ["post", "pre"]
dropout = 0.2
wrapper = "sam"
""",
]
AVX512 = llvmlite.binding.get_host_cpu_features().get("avx512f", False)
# A CPU's code can only run where its instructions exist; what AVX-512 changes is tested below on every machine.
RUNNABLE_CPUS = ["generic", "haswell"] + (["skylake-avx512"] if AVX512 else [])
# Each of these makes NumPy, OpenBLAS or libm take another code path; `test_the_settings_bite` shows that bits change.
# Two core types, since one of them is what the machine would choose by itself.
LIBRARIES = [
    {"OPENBLAS_CORETYPE": "Haswell"},
    {"OPENBLAS_CORETYPE": "Nehalem"},
    {"NPY_DISABLE_CPU_FEATURES": "X86_V3 AVX2 FMA3", "PYTHONWARNINGS": "ignore"},
    {"GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-AVX2_Usable,-FMA,-FMA_Usable,-FMA4"},
]
LIBRARY_BITS = """
import hashlib, json, math
import numpy as np
x = (np.arange(1, 5001) * 0.7548776662466927) % 1 * 6 - 3
digest = lambda a: hashlib.sha256(np.ascontiguousarray(a).tobytes()).hexdigest()
print(json.dumps([digest(np.linalg.qr(x[:4900].reshape(70, 70))[0]), digest(np.exp(x.astype("f4"))),
                  digest([math.pow(abs(v), 1.7) for v in x])]))
"""


def mlpjit(*arguments: str, env: dict[str, str] | None = None, prefix: str = "") -> None:
    code = f"{prefix}\nfrom mlpjit.cli import main\nimport sys\nsys.argv = ['mlpjit', *{list(arguments)!r}]\nmain()"
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **(env or {})}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def deterministic(path: Path) -> list[tuple[str, ...]]:
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    kept = [c for c in rows[0] if not c.endswith(("_seconds", "_at")) and not c.startswith("host_")]
    return sorted(tuple(row[c] for c in kept) for row in rows)


def tables(folder: Path, *, threads: int = 2, blocks=BLOCKS, env=None, prefix: str = "") -> dict[str, list]:
    study = folder / "bits.toml"
    study.write_text(AXES + "".join(blocks))
    mlpjit(
        "run",
        str(study),
        "--out",
        str(folder / "out"),
        "--threads",
        str(threads),
        "--no-report",
        env=env,
        prefix=prefix,
    )
    mlpjit("export", str(folder / "out"))
    return {name: deterministic(folder / "out" / name) for name in ("runs.csv", "curves.csv")}


@pytest.fixture(scope="module")
def expected(tmp_path_factory) -> dict[str, list]:
    return tables(tmp_path_factory.mktemp("host"), threads=1)


def test_the_study_is_worth_comparing(expected):
    assert len(expected["runs.csv"]) == 5 + 16 + 4 + 6
    assert len(expected["curves.csv"]) == 3 * len(expected["runs.csv"])
    assert len(set(expected["runs.csv"])) == len(expected["runs.csv"])


def test_two_threads(expected, tmp_path):
    assert tables(tmp_path, threads=2) == expected


def test_another_order(expected, tmp_path):
    assert tables(tmp_path, blocks=BLOCKS[::-1]) == expected


@pytest.mark.parametrize("cpu", RUNNABLE_CPUS)
def test_another_cpu(expected, tmp_path, cpu):
    """NUMBA_CPU_FEATURES must be set empty, or Numba keeps the host's features and nothing is tested."""
    assert tables(tmp_path, env={"NUMBA_CPU_NAME": cpu, "NUMBA_CPU_FEATURES": ""}) == expected


def library_bits(variables: dict[str, str]) -> list[str]:
    env = {**os.environ, **variables}
    done = subprocess.run([sys.executable, "-c", LIBRARY_BITS], env=env, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_the_settings_bite():
    """Under them QR, NumPy's exp and math.pow do change their bits, so the next test is about something."""
    plain, haswell, nehalem, numpy, libm = (library_bits(v) for v in ({}, *LIBRARIES))
    assert haswell[0] != plain[0] or nehalem[0] != plain[0]
    assert numpy[1] != plain[1]
    assert libm[2] != plain[2]


@pytest.mark.parametrize("variables", LIBRARIES, ids=[" ".join(v.values()) for v in LIBRARIES])
def test_other_paths_through_the_libraries(expected, tmp_path, variables):
    assert tables(tmp_path, env=variables) == expected


@pytest.mark.parametrize("heights", [(8, 4, 2, 1), (1,), (3, 2, 1)])
def test_other_tiles(expected, tmp_path, heights):
    """The height of the tiles is all that our code takes from the CPU: (8, 4, 2, 1) is that of AVX-512."""
    prefix = f"from mlpjit.kernels.compiler import tiles\ntiles.tile_rows = lambda: {heights!r}"
    env = {"MLPJIT_CACHE_DIR": str(tmp_path / "cache")}
    assert tables(tmp_path, env=env, prefix=prefix, blocks=BLOCKS[:1])["runs.csv"] == [
        row for row in expected["runs.csv"] if "digits" in row
    ]


PROBE = """
import json
from mlpjit.kernels.arithmetic import matmul
from mlpjit.kernels.compiler import jit, tiles
compiled = jit.load(matmul.forward_product, "float32")
text = compiled.cfunc._library.get_asm_str()
print(json.dumps({"zmm": text.count("%zmm"), "ymm": text.count("%ymm"), "rows": tiles.tile_rows()[0],
                  "fused": text.count("vfmadd"), "hit": compiled.from_cache}))
"""


def assembly(cpu: str, cache: Path) -> dict:
    env = {**os.environ, "NUMBA_CPU_NAME": cpu, "NUMBA_CPU_FEATURES": "", "MLPJIT_CACHE_DIR": str(cache)}
    done = subprocess.run([sys.executable, "-c", PROBE], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert not answer.pop("hit"), "assembly can be read of fresh code only"
    return answer


def test_code_for_a_cpu_uses_that_cpus_registers(tmp_path):
    """Compiled, not run: AVX-512 code comes out on any machine."""
    haswell, wide, generic = (assembly(cpu, tmp_path / cpu) for cpu in ("haswell", "skylake-avx512", "generic"))
    assert haswell["zmm"] == 0 < haswell["ymm"]
    assert wide["zmm"] > 0
    assert generic["zmm"] == generic["ymm"] == generic["fused"] == 0
    assert (haswell["rows"], wide["rows"], generic["rows"]) == (6, 8, 6)
    assert haswell["fused"] > 0

"""A run's id follows the code that makes its numbers, and nothing else."""

from __future__ import annotations

import dis
import inspect
import textwrap
from pathlib import Path

import pytest

import mlpjit
from mlpjit.catalogue.datasets import datasets, hashing, loading
from mlpjit.catalogue.initialization import initializers
from mlpjit.config import code_hash, fields, identity
from mlpjit.config.run_config import RunConfig
from mlpjit.kernels import sources

PACKAGE = Path(mlpjit.__file__).parent
CACHED = (
    sources.module_hash, sources.functions_hash, sources.run_modules_hash, sources.function_hash,
    code_hash._shared_hash, code_hash._rule_hash, identity._source_hash, fields._built_in_info,
    hashing.preparation_hash, loading._describe,
)  # fmt: skip


def run_id() -> str:
    for cached in CACHED:
        cached.cache_clear()
    used = RunConfig(dataset={"name": "spirals", "samples": 90}, activation="gelu", optimizer="adam", schedule="cosine",
                     clip="global_norm", init="he_normal", hidden=[8], normalization="batch")  # fmt: skip
    return used.run_id


@pytest.fixture(autouse=True)
def fresh():
    yield
    for cached in CACHED:
        cached.cache_clear()


def edit(monkeypatch, change) -> None:
    """Let all who read source text read `change(path, text)`."""
    read, getsource = Path.read_text, inspect.getsource
    monkeypatch.setattr(Path, "read_text", lambda self, *a, **k: change(str(self), read(self, *a, **k)))
    monkeypatch.setattr(inspect, "getsource", lambda it: change(inspect.getsourcefile(it), getsource(it)))


EDITS = [
    ("kernels/schedules.py", "learning_rate * factor", "factor * learning_rate"),
    ("kernels/schedules.py", "float(len(values[name]))", "float(len(values))"),
    ("kernels/schedules.py", "0.5 * (1.0 + cos", "0.25 * (1.0 + cos"),
    ("kernels/network/activations/loops.py", "store(z, i, slope)", "store(z, i, value)"),
    ("kernels/compiler/jit.py", '"fastmath": False', '"fastmath": True'),
    ("kernels/compiler/simd.py", "def generate", "def generated"),
    ("kernels/optimizers/stages.py", "theta - update_of(result)", "theta + update_of(result)"),
    ("kernels/optimizers/clipping.py", "load(grads, i) * factor", "factor * load(grads, i)"),
    ("kernels/optimizers/adams.py", "rate * mu", "mu * rate"),
    ("kernels/network/losses/softmax.py", "weight / mass", "mass / weight"),
    ("catalogue/initialization/draws.py", "2.0 * drawn - 1.0", "1.0 - 2.0 * drawn"),
    ("catalogue/initialization/variance.py", "math.sqrt(squared_gain", "math.fabs(squared_gain"),
    ("catalogue/initialization/gains.py", "return 2.0", "return 3.0"),
    ("catalogue/initialization/mean_field.py", "math.sqrt(q)", "math.fabs(q)"),
    ("training/first_parameters.py", '["gamma"][...] = 1.0', '["gamma"][...] = 2.0'),
    ("kernels/network/normalizations/batch_values.py", "total / (count - 1.0)", "total / count"),
    ("kernels/network/normalizations/batch.py", "if training != 0", "if training == 0"),
    ("training/shape.py", "at = bias + len(vectors)", "at = bias + 2 * len(vectors)"),
    ("training/workspace.py", "running += 2", "running += 4"),
    ("training/forward.py", "self.params[:] = params", "self.params[:] = -params"),
    ("training/linking.py", "return 0", "return 1"),
    ("training/run.py", "numbers[tables.L1], numbers[tables.L2]", "numbers[tables.L2], numbers[tables.L1]"),
    ("catalogue/datasets/splits.py", "part[places] = 2", "part[places] = 1"),
    ("catalogue/datasets/scaling.py", "block[half:]", "block[: half]"),
    ("catalogue/datasets/generated/spirals.py", "Raw(", "Raw(*"),
    ("catalogue/datasets/records.py", "samples // classes", "samples / classes"),
]


@pytest.mark.parametrize(("file", "old", "new"), EDITS, ids=lambda value: value[:30])
def test_an_edit_of_what_a_run_executes_makes_it_another_run(monkeypatch, file, old, new):
    before, edited = run_id(), []

    def change(path, text):
        if path == str(PACKAGE / file) and old in text:
            edited.append(path)
            return text.replace(old, new)
        return text

    edit(monkeypatch, change)
    assert run_id() != before
    assert edited


BY_OPTIMIZER = [
    ("kernels/network/curvature.py", "adahessian", "plain_product(2 * rows", "plain_product(rows + rows"),
    ("kernels/arithmetic/cholesky.py", "kfac", "row, i)", "row, k)"),
    ("kernels/network/losses/sampling.py", "kfac", "reached < wanted", "reached <= wanted"),
]


@pytest.mark.parametrize(("file", "name", "old", "new"), BY_OPTIMIZER, ids=lambda value: value[:30])
def test_an_edit_of_what_an_optimizer_asks_for_makes_it_another_run(monkeypatch, file, name, old, new):
    def ids() -> list[str]:
        for cached in (*CACHED, sources.curvature_hash):
            cached.cache_clear()
        runs = ((name, "cross_entropy"), ("adam", "mae"))
        return [RunConfig(dataset="two_moons", optimizer=each, loss=loss).run_id for each, loss in runs]

    before = ids()
    edit(monkeypatch, lambda path, text: text.replace(old, new) if path == str(PACKAGE / file) else text)
    after = ids()
    sources.curvature_hash.cache_clear()
    assert after[0] != before[0]
    assert after[1] == before[1]


def test_the_seed_names_a_run_only_where_something_draws():
    """Where all three seeds that it sets are given."""
    given = {"dataset": "two_moons", "split_seed": 1, "init_seed": 2, "order_seed": 3}

    def named(optimizer) -> int:
        return len({RunConfig(**given, optimizer=optimizer, seed=seed).run_id for seed in (0, 1)})

    found = {name: named(name) for name in ("adam", "adahessian", "sophia", "kfac")}
    assert found == {"adam": 1, "adahessian": 2, "sophia": 2, "kfac": 2}
    assert named({"name": "kfac", "sampled": False}) == 1


ENTRY = '''
@register("f", "-")
def fresh_entry(x, y):
    """One more."""
    return fresh_number * x
'''
CATALOGUE = (
    "network/activations/gates.py", "network/activations/rectifiers.py", "schedules.py", "optimizers/adams.py",
    "network/losses/pointwise.py",
)  # fmt: skip


@pytest.mark.parametrize(
    "file",
    [
        *(f"kernels/{name}" for name in CATALOGUE),
        "catalogue/initialization/plain.py",
        "catalogue/initialization/variance.py",
    ],
)
def test_one_more_entry_or_comment_changes_no_run(monkeypatch, file):
    assert (PACKAGE / file).exists()
    before = run_id()

    def change(path, text):
        whole = "from __future__" in text  # not the source of one function
        return text + (ENTRY if whole and path == str(PACKAGE / file) else "\n# a comment\n")

    edit(monkeypatch, change)
    assert run_id() == before


# Kernel modules that no training run executes, and those that execute nothing.
OFF_THE_PATH = {
    "__init__", "activations/__init__", "losses/__init__", "optimizers/__init__", "cache", "rules", "sources",
    "normalizations/__init__", "chains", "inspection", "limits", "repeats",
}  # fmt: skip
# Those that are hashed with the entries that use them.
WITH_ENTRIES = {"cholesky", *sources.CURVATURE_MODULES}
ENTRIES = {"activations", "losses", "normalizations", "optimizers"}


def test_every_kernel_module_is_hashed_or_known_not_to_matter():
    """A new kernel module belongs to sources.RUN_MODULES, unless it holds catalogue entries or runs do not use it."""
    for path in (PACKAGE / "kernels").rglob("*.py"):
        name = str(path.relative_to(PACKAGE / "kernels").with_suffix(""))
        known = name in OFF_THE_PATH | WITH_ENTRIES or name in sources.RUN_MODULES or name in sources.RUN_FUNCTIONS
        assert known or name.split("/")[0] in ENTRIES, name
    assert (OFF_THE_PATH | WITH_ENTRIES).isdisjoint(sources.RUN_MODULES)


FUNCTIONS = [r.function for r in initializers.records()] + [r.make for r in datasets.records() if r.shape]


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_what_is_reached_imports_nothing_of_ours_but_kernels_inside(function):
    found: dict[str, str] = {}
    sources.reached(function, found)
    for text in found.values():
        code = compile(textwrap.dedent(text), "text", "exec")
        names = {i.argval for c in all_code(code) for i in dis.get_instructions(c) if i.opname == "IMPORT_NAME"}
        assert all(n.startswith("mlpjit.kernels.") for n in names if n.startswith("mlpjit")), names


def all_code(code):
    yield code
    for constant in code.co_consts:
        if inspect.iscode(constant):
            yield from all_code(constant)

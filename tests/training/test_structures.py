"""Runs and networks with normalizations, residual connections, dropout and learned activations, also all together."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
import pytest

import mlpjit as mj
from mlpjit.catalogue.registries import activations, normalizations, optimizers, residuals
from mlpjit.config.run_config import RunConfig
from mlpjit.errors import ConfigError
from mlpjit.kernels.entries import Stage
from mlpjit.kernels.language import Float64, Float64s, Int, Ints, Reals, load, real, store
from mlpjit.kernels.stages.stage import DONE, NEED_HVP
from mlpjit.study.study import Study
from mlpjit.training import shape
from mlpjit.training.run import Run, execute

SMALL = {"dataset": {"name": "two_moons", "samples": 90}, "hidden": [9, 9, 7], "batch_size": 16, "epochs": 3, "seed": 3}
EVERYTHING = {
    "residual": "pre", "dropout": 0.2, "activation": ["prelu", "tanh", "prelu"], "output_activation": "prelu",
    "loss": "mse", "normalization": "batch", "l2": 1e-3, "weight_decay": 1e-2, "clip": "global_norm",
}  # fmt: skip
STRUCTURES = [
    *({"normalization": name} for name in normalizations), *({"residual": name} for name in ("pre", "post")),
    {"dropout": 0.3}, {"activation": "prelu"}, EVERYTHING, EVERYTHING | {"normalization": "weight", "residual": "post"},
]  # fmt: skip
LEARNED = [record.name for record in activations.records() if record.by_parameter]


def config(**given) -> RunConfig:
    return RunConfig(**{**SMALL, "optimizer": "adam", **given})


def outcome(run: Run) -> list[bytes]:
    result = run.result()
    arrays = [result.params, *run.states, run.moments, *result.history.values()]
    return [a.tobytes() for a in arrays] + [repr(sorted(result.metrics.items(), key=str)).encode()]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("structure", STRUCTURES, ids=str)
def test_a_run_in_pieces_has_the_bits_of_the_whole(structure, dtype):
    settings = config(**structure, dtype=dtype)
    whole, pieces = Run(settings), Run(settings)
    assert whole.advance() == "done"
    for to_step in (1, 2, 5, 6):
        assert pieces.advance(to_step) == "running"
    assert pieces.advance() == "done"
    assert outcome(pieces) == outcome(whole)
    assert np.isfinite(whole.params).all()


# Lookahead has a point of its own to report, and takes no optimizer that has one too.
PAIRS = [
    *((name, wrapper) for name in ("muon", "lamb", "adafactor") for wrapper in (None, "lookahead", "sam")),
    *((name, wrapper) for name in ("averaged_sgd", "schedule_free_adamw") for wrapper in (None, "sam")),
]


@pytest.mark.parametrize(("optimizer", "wrapper"), PAIRS)
def test_optimizers_of_every_kind_learn_all_structures(optimizer, wrapper):
    """A matrix rule, trust ratios, another point to report with its batch statistics, a second gradient."""
    given = EVERYTHING | {"weight_decay": 0.0, "optimizer": optimizer, "wrapper": wrapper, "learning_rate": 0.02}
    result = execute(config(**given, epochs=12))
    validation = result.history["validation_loss"]
    assert result.status == "done"
    assert validation.min() < validation[0]


def network_of(structure: dict) -> mj.Network:
    """The network of such a run."""
    kept = ("normalization", "residual", "dropout", "output_activation", "loss")
    options = {name: structure[name] for name in kept if name in structure}
    return mj.Network([2, 9, 9, 7, 2], structure.get("activation", "relu"), dtype="float64", **options)


@pytest.mark.parametrize("structure", STRUCTURES, ids=str)
def test_the_first_gradient_of_a_run_is_that_of_the_network(structure):
    given = {"dtype": "float64", "batch_size": "full", "shuffle": False, "epochs": 1, "optimizer": "sgd"}
    run = Run(config(**structure | {"l2": 0.0, "weight_decay": 0.0, "clip": None}, **given))
    net = network_of(structure)
    loss, gradient = net.loss_and_grad(run.params, run.data.x_train, run.data.y_train, seed=3, step=1)
    assert net.parameter_count == len(run.params) == run.result().metrics["parameters"]
    run.advance()
    assert run.result().history["train_loss"][1] == pytest.approx(loss, rel=1e-12)
    np.testing.assert_allclose(run.grads, gradient, rtol=1e-9, atol=1e-13)


def product_in_test(
    phase: Int, step: Int, rows: Int, count: Int, params: Reals, grads: Reals, state: Reals, scratch: Reals,
    settings: Float64s, learning_rate: Float64, loss: Float64, tensors: Ints, tensor_count: Int,
) -> Int:  # fmt: skip
    """theta -= eta H g."""
    if phase == 0:
        for i in range(count):
            store(scratch, i, load(grads, i))
        return NEED_HVP
    for i in range(count):
        store(params, i, load(params, i) - real(learning_rate) * load(scratch, count + i))
    return DONE


@pytest.fixture
def product_rule() -> Iterator[str]:
    optimizers.register(Stage("product_in_test", product_in_test, "-", "-", kind="whole", curvature=True))
    yield "product_in_test"
    optimizers.remove("product_in_test")


@pytest.mark.parametrize("structure", STRUCTURES, ids=str)
def test_products_within_a_run_see_the_masks_of_its_gradient(structure, product_rule):
    given = {"dtype": "float64", "batch_size": "full", "shuffle": False, "epochs": 1, "optimizer": product_rule}
    run = Run(config(**structure | {"l2": 0.0, "weight_decay": 0.0, "clip": None}, **given, learning_rate=0.5))
    net, params = network_of(structure), run.params.copy()
    data = params, run.data.x_train, run.data.y_train
    _, gradient = net.loss_and_grad(*data, seed=3, step=1)
    product = net.hessian_vector_product(params, gradient, *data[1:], seed=3, step=1)
    run.advance()
    np.testing.assert_allclose(run.params, params - 0.5 * product, rtol=1e-8, atol=1e-11)


@pytest.mark.parametrize("residual", ["pre", "post"])
def test_skips_against_numpy(residual):
    """Between hidden layers of one width alone: not from the inputs, not to another width, not to the outputs."""
    net = mj.Network([9, 9, 9, 5, 5, 5], "tanh", residual=residual, dtype="float64", loss="mse")
    params, x = net.init("he_normal", 2), np.random.default_rng(1).normal(size=(4, 9))
    assert [layer.residual for layer in net.layout] == ["none", residual, "none", residual, "none"]
    a = x
    for place, layer in enumerate(net.layers(params)):
        z = a @ layer["W"] + layer["b"]
        skip = a if place in (1, 3) else 0.0
        post = np.tanh(z + skip) if residual == "post" else skip + np.tanh(z)
        a = z if place == 4 else post
    np.testing.assert_allclose(net.predict(params, x), a, rtol=1e-13)


def test_zero_weights_make_a_residual_network_the_identity():
    """With a = a_below + sigma(0), whatever stands between the first layer and the last hidden one does nothing."""
    deep = mj.Network([3, 8, 8, 8, 8, 2], "tanh", residual="pre", dtype="float64", loss="mse")
    flat = mj.Network([3, 8, 2], "tanh", dtype="float64", loss="mse")
    params, x = deep.init("he_normal", 1), np.random.default_rng(2).normal(size=(5, 3))
    layers = deep.layers(params)
    for layer in layers[1:-1]:
        layer["W"][:] = 0.0
    ends = np.concatenate([layers[i][name].ravel() for i in (0, -1) for name in ("W", "b")])
    np.testing.assert_array_equal(deep.predict(params, x), flat.predict(ends, x))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", LEARNED)
def test_learned_activations_at_their_start(name, dtype):
    """Outputs are those of the rule with its parameter compiled in; d alpha against differences."""
    net = mj.Network([5, 17, 3], name, dtype=dtype, loss="mse")
    rng = np.random.default_rng(3)
    params, x, y = net.init("he_normal", 1), rng.normal(size=(9, 5)), rng.normal(size=(9, 3))
    start = activations[name].settings[0]
    assert (net.layers(params)[0]["alpha"] == start).all()
    assert "alpha" not in net.layers(params)[1]
    fixed = mj.Network([5, 17, 3], {"name": "leaky_relu", "slope": start}, dtype=dtype)
    without = np.concatenate([v.ravel() for layer in net.layers(params) for n, v in layer.items() if n != "alpha"])
    np.testing.assert_allclose(net.predict(params, x), fixed.predict(without, x), rtol=1e-6)
    given = net.init({"name": "he_normal"}, 1)
    other = mj.Network([5, 17, 3], {"name": name, "alpha": 0.5}, dtype=dtype).init("he_normal", 1)
    assert (other != given).sum() == 17
    assert np.isfinite(net.loss_and_grad(params, x, y)[1]).all()


def test_the_slope_of_each_unit_has_its_own_gradient():
    """d L / d alpha_j = sum over samples of dL/da_j min(0, z_j), by hand for one layer; no decay pulls it."""
    net = mj.Network([2, 3], "relu", output_activation="prelu", dtype="float64", loss="mse")
    rng = np.random.default_rng(4)
    params, x, y = rng.normal(size=net.parameter_count), rng.normal(size=(7, 2)), rng.normal(size=(7, 3))
    layer = net.layers(params)[0]
    z = x @ layer["W"] + layer["b"]
    a = np.where(z > 0, z, layer["alpha"] * z)
    expected = (2 * (a - y) / 7 * np.minimum(z, 0)).sum(0)
    gradient = net.layers(net.loss_and_grad(params, x, y)[1])[0]
    np.testing.assert_allclose(gradient["alpha"], expected, rtol=1e-12)
    plain, decayed = (execute(config(activation="prelu", weight_decay=d, epochs=1, optimizer="sgd")) for d in (0, 0.5))
    views = [shape.views(shape.config_layers(r.config), r.params)[2] for r in (plain, decayed)]
    assert (views[0]["W"] != views[1]["W"]).any()
    run = Run(config(activation="prelu", weight_decay=0.5, epochs=1, optimizer="sgd", batch_size="full"))
    start, _ = run.params.copy(), run.advance()
    first, last = (shape.views(run.layers, p)[2]["alpha"] for p in (start, run.params))
    np.testing.assert_allclose(first - last, 0.01 * shape.views(run.layers, run.grads)[2]["alpha"], rtol=1e-3)


@pytest.mark.parametrize("slope", [0.0, -0.5, np.nan])
def test_slopes_that_are_learned_to_be_odd(slope):
    """At 0 the gradient by alpha is not lost, since it comes from dL/da; below 0 all is as anywhere; NaN is kept."""
    net = mj.Network([3, 8, 2], "prelu", dtype="float64", loss="mse")
    rng = np.random.default_rng(5)
    params, x, y = net.init("he_normal", 1), rng.normal(size=(9, 3)), rng.normal(size=(9, 2))
    at = net.layout[0].alpha_at
    params[at : at + 8] = slope
    _, gradient = net.loss_and_grad(params, x, y)
    ahead, behind = params.copy(), params.copy()
    ahead[at], behind[at] = slope + 1e-6, slope - 1e-6
    numeric = (net.loss_and_grad(ahead, x, y)[0] - net.loss_and_grad(behind, x, y)[0]) / 2e-6
    assert gradient[at] == pytest.approx(numeric, rel=1e-6, nan_ok=True)
    assert np.isnan(gradient[at]) == np.isnan(slope)


def test_dead_units_are_counted_beside_skips():
    run = Run(config(activation="relu", residual="pre", epochs=0, normalization="layer", hidden=[9, 9]))
    second = shape.views(run.layers, run.params)[1]
    second["gamma"][:4], second["beta"][:4] = 0.0, -1.0
    run.advance()
    assert run.result().history["dead_fraction"][0, 1] >= 4 / 9


UNUSED = {"residual": "none", "dropout": 0.0}


def test_what_is_not_used_is_not_in_the_canonical_form():
    plain, used = RunConfig(), RunConfig(depth=2, residual="pre", dropout=0.25)
    assert not UNUSED.keys() & plain.canonical().keys()
    assert used.canonical().items() >= {"residual": "pre", "dropout": 0.25}.items()
    assert RunConfig(**UNUSED).run_id == plain.run_id
    ids = {RunConfig(depth=2, **given).run_id for given in ({}, {"dropout": 0.25}, {"residual": "pre"})}
    assert len(ids | {used.run_id}) == 4
    again = RunConfig(**json.loads(json.dumps(used.canonical())))
    assert again.run_id == used.run_id
    assert used.factors().items() >= {"residual": "pre", "dropout": 0.25}.items()


STUDY = """
name = "structures"
hidden = [8, 8]
[sweep]
normalization = ["none", "layer"]
residual = ["none", "pre"]
dropout = [0.0, 0.5]
activation = ["relu", "prelu"]
"""


def test_a_study_has_the_same_ids_as_its_configs(tmp_path):
    path = tmp_path / "structures.toml"
    path.write_text(STUDY)
    runs = Study.load(path).runs
    assert len(set(runs.run_ids)) == 16
    assert [runs.config(i).run_id for i in range(16)] == runs.run_ids
    assert [RunConfig(**runs.config(i).canonical()).run_id for i in range(16)] == runs.run_ids


def test_skips_need_two_hidden_layers_of_one_width():
    line = r"residual 'pre' with hidden \[8, 4\]: need two hidden layers of one width in a row"
    with pytest.raises(ConfigError, match=line):
        RunConfig(hidden=[8, 4], residual="pre")
    with pytest.raises(ConfigError, match="residual 'post': got sizes"):
        mj.Network([4, 8, 4], residual="post")
    with pytest.raises(ConfigError, match="unknown residual 'prae'"):
        RunConfig(residual="prae")
    assert set(residuals) == {"none", "pre", "post"}

"""Losses and softmax: values and gradients against 60 digits, at the edges too."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from mlpjit.kernels.compiler import jit
from mlpjit.kernels.network.losses import losses
from mlpjit.kernels.network.softmax import softmax_gradient, softmax_rows
from mlpjit.training import linking

DTYPES = ["float32", "float64"]
STRIDE = 16


def strided(x: np.ndarray, dtype: str) -> np.ndarray:
    """Return rows of STRIDE numbers with NaN behind: padding is not read."""
    made = np.full((len(x), STRIDE), np.nan, dtype)
    made[:, : x.shape[1]] = x
    return made


def settings_of(name: str, **given: float) -> np.ndarray:
    return np.array([*(losses[name].defaults | given).values(), 0.0])


def evaluate(
    name: str, outputs: np.ndarray, targets: np.ndarray, dtype: str, **given: float
) -> tuple[float, np.ndarray]:
    """Return the mean loss and its gradient by the outputs."""
    rows, columns = outputs.shape
    work, wanted = strided(outputs, dtype), np.ascontiguousarray(targets, dtype)
    settings = settings_of(name, **given)
    total = linking.loss(name, dtype).call(
        rows, columns, work.ctypes.data, STRIDE, wanted.ctypes.data, settings.ctypes.data, 1 / rows
    )
    assert np.isnan(work[:, columns:]).all()
    return total / rows, work[:, :columns]


def exact_cross_entropy(z: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray]:
    """Source 3.2 in 60 digits: the mean of -sum y log softmax(z), and (sum(y) softmax(z) - y) / n."""
    with mpmath.workdps(60):
        value, gradient = mpmath.mpf(0), np.zeros(z.shape)
        for i, (logits, targets) in enumerate(zip(z.tolist(), y.tolist(), strict=True)):
            grown = [mpmath.exp(v) for v in logits]
            mass = mpmath.fsum(grown)
            for k, (e, t) in enumerate(zip(grown, targets, strict=True)):
                value -= t * (mpmath.mpf(logits[k]) - mpmath.log(mass)) if t else 0
                gradient[i, k] = (sum(targets) * e / mass - t) / len(z)
        return float(value / len(z)), gradient


def one_hot(*classes: int, of: int) -> np.ndarray:
    return np.eye(of)[list(classes)]


CASES = {
    "ordinary": (np.array([[0.5, -1.0, 2.0], [0.0, 0.0, 0.0]]), one_hot(2, 1, of=3)),
    "one sample": (np.array([[0.25, -0.5]]), one_hot(0, of=2)),
    "one class": (np.array([[3.0], [-700.0]]), np.ones((2, 1))),
    "huge logits": (np.array([[1e30, 0.0, -1e30], [3e4, 3e4, 3e4]]), one_hot(0, 1, of=3)),
    "sure and right": (np.array([[60.0, -60.0]]), one_hot(0, of=2)),
    "sure and wrong": (np.array([[800.0, -800.0]]), one_hot(1, of=2)),
    "soft targets": (np.array([[0.3, -2.0, 1.0, 0.0]]), np.array([[0.1, 0.2, 0.3, 0.4]])),
    "targets that sum to 2": (np.array([[0.3, -2.0], [5.0, 1.0]]), np.array([[1.5, 0.5], [2.0, 0.0]])),
    "equal": (np.full((3, 10), -7.5), one_hot(0, 5, 9, of=10)),
}


def total_and_gradient(z: np.ndarray, y: np.ndarray, stride: int, smoothing: float) -> tuple[float, np.ndarray]:
    """Return the sum of the rows' cross-entropies and its gradient, from rows of a stride."""
    dtype, (rows, outputs) = str(z.dtype), z.shape
    work, settings = np.full((rows + 1, stride), np.nan, dtype), settings_of("cross_entropy", label_smoothing=smoothing)
    work[:rows, :outputs] = z
    total = linking.loss("cross_entropy", dtype).call(
        rows, outputs, work.ctypes.data, stride, y.ctypes.data, settings.ctypes.data, 1 / 3
    )
    assert np.isnan(work[rows]).all()
    return total, work[:rows, :outputs]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("rows", [16, 17, 31, 64, 71])
def test_cross_entropy_of_many_rows_at_once_has_the_bits_of_a_row_at_a_time(rows, smoothing, dtype):
    """Rows of one vector go many at a time, those of two one by one."""
    lanes, random = 16 if dtype == "float32" else 8, np.random.default_rng(rows)
    for outputs in range(1, lanes):
        z = random.normal(0, 10, (rows, outputs)).astype(dtype)
        y = random.dirichlet(np.ones(outputs), rows).astype(dtype)
        y[::2] = np.eye(outputs)[random.integers(outputs, size=len(y[::2]))]
        z[3, 0], z[5, -1], z[7, 0], z[9] = np.inf, -np.inf, np.nan, 1e30
        totals, gradients = zip(*(total_and_gradient(z, y, times * lanes, smoothing) for times in (1, 2)), strict=True)
        assert gradients[0].tobytes() == np.ascontiguousarray(gradients[1]).tobytes()
        calm = np.delete(z, [3, 5, 7, 9], axis=0), np.delete(y, [3, 5, 7, 9], axis=0)
        finite = [total_and_gradient(*map(np.ascontiguousarray, calm), times * lanes, smoothing)[0] for times in (1, 2)]
        assert np.isnan(totals).all()
        assert np.isfinite(finite).all()
        assert finite[0] == finite[1]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES)
def test_cross_entropy(case, dtype):
    z, y = (a.astype(dtype) for a in CASES[case])
    value, gradient = exact_cross_entropy(z.astype(np.float64), y.astype(np.float64))
    found, delta = evaluate("cross_entropy", z, y, dtype)
    eps = float(np.finfo(dtype).eps)
    # Log-sum-exp: an error of the size of eps times the largest logit difference that counts, or of one.
    assert found == pytest.approx(value, rel=4 * eps, abs=4 * eps)
    np.testing.assert_allclose(delta, gradient, rtol=8 * eps, atol=4 * eps)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("smoothing", [0.1, 1.0])
@pytest.mark.parametrize("case", ["ordinary", "one class", "sure and wrong", "soft targets", "targets that sum to 2"])
def test_label_smoothing_moves_targets_towards_all_classes(case, smoothing, dtype):
    """(1 - s) y + s / K (Szegedy et al. 2016, arXiv:1512.00567, section 7)."""
    z, y = (a.astype(dtype) for a in CASES[case])
    moved = (1 - smoothing) * y.astype(np.float64) + smoothing / y.shape[1]
    value, gradient = exact_cross_entropy(z.astype(np.float64), moved)
    found, delta = evaluate("cross_entropy", z, y, dtype, label_smoothing=smoothing)
    eps = float(np.finfo(dtype).eps)
    assert found == pytest.approx(value, rel=8 * eps, abs=8 * eps)
    np.testing.assert_allclose(delta, gradient, rtol=8 * eps, atol=8 * eps)


def exact_pointwise(name: str, z: mpmath.mpf, y: mpmath.mpf, delta: float) -> tuple[mpmath.mpf, mpmath.mpf, mpmath.mpf]:
    """Value, slope and bend from the definitions; at a kink what the docstring says."""
    d, t, zero, one = z - y, 2 * y - 1, mpmath.mpf(0), mpmath.mpf(1)
    s = 1 / (1 + mpmath.exp(-z))
    margin = 1 - t * z
    return {
        "mse": (d * d, 2 * d, 2 * one),
        "mae": (abs(d), mpmath.sign(d), zero),
        "huber": (d * d / 2, d, one)
        if abs(d) <= delta
        else (delta * (abs(d) - delta / 2), delta * mpmath.sign(d), zero),
        "log_cosh": (mpmath.log(mpmath.cosh(d)), mpmath.tanh(d), mpmath.sech(d) ** 2),
        "binary_cross_entropy": (mpmath.log1p(mpmath.exp(z)) - y * z, s - y, s * (1 - s)),
        "hinge": (margin, -t, zero) if margin > 0 else (zero, zero, zero),
    }[name]


ALONE = [record.name for record in losses.records() if record.kernel is None]
POINTS = np.concatenate([np.linspace(-4, 4, 33), [-300.0, -40.0, -1e-4, 1e-4, 40.0, 300.0]])
TARGETS = [0.0, 1.0, 0.3]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ALONE)
def test_losses_of_one_output(name, dtype):
    """Values within 4 ulp of themselves or of the output's size, slopes and bends within 4 ulp of theirs or of 1."""
    delta = {"delta": 0.75} if name == "huber" else {}
    eps = float(np.finfo(dtype).eps)
    for target in TARGETS:
        for point in POINTS.astype(dtype).tolist():
            y = float(np.asarray(target, dtype))
            with mpmath.workdps(60):
                exact = [float(v) for v in exact_pointwise(name, mpmath.mpf(point), mpmath.mpf(y), 0.75)]
            value, slope = evaluate(name, np.array([[point]]), np.array([[target]]), dtype, **delta)
            assert value == pytest.approx(exact[0], rel=8 * eps, abs=4 * eps * max(y, min(abs(point), 1.0)))
            assert slope[0, 0] == pytest.approx(exact[1], rel=4 * eps, abs=4 * eps)
            assert bend(name, point, target, dtype, **delta) == pytest.approx(exact[2], rel=8 * eps, abs=4 * eps)


def bend(name: str, point: float, target: float, dtype: str, **given: float) -> float:
    """The second derivative, from the tangent kernel: R g with R yhat = 1."""
    z, moved, y, scratch = (np.full(1, v, dtype) for v in (point, 1.0, target, 0.0))
    settings = settings_of(name, **given)
    linking.loss_tangent(name, dtype).call(
        1, 1, z.ctypes.data, moved.ctypes.data, 1, y.ctypes.data, settings.ctypes.data, scratch.ctypes.data, 1.0
    )
    return float(moved[0])


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_sure_and_right_sigmoid_keeps_its_small_loss_and_slope(dtype):
    """log(1 + e^-30) and -e^-30 / (1 + e^-30): 1 - sigmoid(30) would be 0 in float32."""
    for z, y in ((30.0, 1.0), (-30.0, 0.0)):
        value, slope = evaluate("binary_cross_entropy", np.array([[z]]), np.array([[y]]), dtype)
        small = np.exp(-30.0)
        assert value == pytest.approx(small, rel=1e-6)
        assert slope[0, 0] == pytest.approx(-np.sign(z) * small, rel=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("z", [np.inf, -np.inf])
def test_an_infinite_logit_that_is_right_costs_nothing(z, dtype):
    value, slope = evaluate("binary_cross_entropy", np.array([[z]]), np.array([[float(z > 0)]]), dtype)
    assert (value, slope[0, 0]) == (0.0, 0.0)
    assert evaluate("binary_cross_entropy", np.array([[z]]), np.array([[float(z < 0)]]), dtype)[0] == np.inf


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("name", "output", "target", "slope"),
    [("mae", 2.0, 2.0, 0.0), ("huber", 3.0, 2.0, 1.0), ("huber", 1.0, 2.0, -1.0), ("hinge", 1.0, 1.0, 0.0),
     ("hinge", -1.0, 0.0, 0.0), ("hinge", 0.0, 0.5, 0.0)],
)  # fmt: skip
def test_slopes_at_kinks(name, output, target, slope, dtype):
    assert evaluate(name, np.array([[output]]), np.array([[target]]), dtype)[1][0, 0] == slope


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ALONE)
def test_every_loss_is_a_mean_over_samples_and_a_sum_over_outputs(name, dtype):
    rng = np.random.default_rng(2)
    z, y = rng.normal(size=(5, 3)), rng.integers(0, 2, (5, 3)).astype(float)
    value, delta = evaluate(name, z, y, dtype)
    single = [
        [evaluate(name, z[i : i + 1, j : j + 1], y[i : i + 1, j : j + 1], dtype) for j in range(3)] for i in range(5)
    ]
    assert value == pytest.approx(sum(v for row in single for v, _ in row) / 5, rel=1e-6)
    np.testing.assert_allclose(delta, [[g[0, 0] / 5 for _, g in row] for row in single], rtol=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("place", range(3))
def test_a_class_that_is_impossible_and_not_wanted_does_not_count(place, dtype):
    """A logit of -inf has probability 0, wherever it stands."""
    z, y = np.array([[1.0, 1.0, 1.0]]), np.zeros((1, 3))
    z[0, place], y[0, (place + 1) % 3] = -np.inf, 1.0
    found, delta = evaluate("cross_entropy", z, y, dtype)
    assert found == pytest.approx(np.log(2.0), rel=1e-6)
    wanted = np.full(3, 0.5) - y[0]
    wanted[place] = 0.0
    np.testing.assert_allclose(delta[0], wanted, rtol=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", list(losses))
def test_not_a_number_is_never_lost(name, dtype):
    for place in range(3):
        outputs = np.zeros((2, 3))
        outputs[1, place] = np.nan
        found, delta = evaluate(name, outputs, one_hot(0, 1, of=3), dtype)
        assert np.isnan(found)
        assert np.isnan(delta[1, place])
        assert np.isfinite(delta[0]).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_mse_is_a_mean_over_samples_and_a_sum_over_outputs(dtype):
    """((1-0)^2 + (2-4)^2 + (0-0)^2 + (3-2)^2) / 2 = 3; the gradient is 2 (yhat - y) / 2."""
    found, delta = evaluate("mse", np.array([[1.0, 2.0], [0.0, 3.0]]), np.array([[0.0, 4.0], [0.0, 2.0]]), dtype)
    assert found == 3.0
    np.testing.assert_array_equal(delta, [[1.0, -2.0], [0.0, 1.0]])


@pytest.mark.parametrize(("size", "expected"), [(1e20, 1e40), (1e-30, 1e-60)])
def test_float32_errors_are_squared_in_double(size, expected):
    """Their squares would be infinite, or nothing, in float32."""
    assert evaluate("mse", np.array([[size]]), np.zeros((1, 1)), "float32")[0] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("z", [[0.3, -1.0, 2.0], [1e30, 0.0, -1e30], [5.0], [-np.inf, 1.0, 1.0]])
def test_softmax(z, dtype):
    rows = np.array([z, z[::-1]])
    work, out = strided(rows, dtype), strided(np.zeros_like(rows), dtype)
    jit.load(softmax_rows, dtype).call(2, len(z), out.ctypes.data, work.ctypes.data, STRIDE)
    grown = np.exp(rows - rows.max(1, keepdims=True))
    wanted = grown / grown.sum(1, keepdims=True)
    for found in (out, work):
        np.testing.assert_allclose(found[:, : len(z)], wanted, rtol=4 * float(np.finfo(dtype).eps))


def test_softmax_gradient_is_the_full_jacobian():
    """J = diag(a) - a a^T, written out."""
    rng = np.random.default_rng(0)
    a, g = rng.dirichlet(np.ones(7), 5), rng.normal(size=(5, 7))
    value, gradient, delta = strided(a, "float64"), strided(g, "float64"), strided(g, "float64")
    jit.load(softmax_gradient, "float64").call(5, 7, value.ctypes.data, gradient.ctypes.data, STRIDE, delta.ctypes.data)
    wanted = [(np.diag(row) - np.outer(row, row)) @ v for row, v in zip(a, g, strict=True)]
    np.testing.assert_allclose(delta[:, :7], wanted, rtol=1e-12, atol=1e-15)

"""The limiting NTK: right at every size, against integrators of another kind, with its derivatives and biases."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from closeness import assert_close
from gaussians import limiting_ntk, limiting_ntk_of_sin

import ntkbook
from ntkbook.activations import REGISTRY

double = pytest.mark.skipif("jnp.result_type(float) != jnp.float64", reason="accuracy of float64")
pytestmark = pytest.mark.usefixtures("strict")
every_activation = pytest.mark.parametrize("activation", REGISTRY)

NORMS = (1e-100, 1e-8, 1e-3, 0.5, 1.0, 3.0, 30.0, 300.0, 1e4, 1e6)
ANGLES = (0.0, 1e-6, 1e-3, 0.8, np.pi / 2, np.pi - 1e-3, np.pi)


@pytest.fixture(scope="module")
def x():
    return ntkbook.data.sphere_points(jax.random.key(1), 3, 4)


def in_the_plane(norms, angles):
    dtype = jnp.result_type(float)
    smallest = 1e-16 if dtype == jnp.float32 else 0  # float32 holds the kernel of smaller points no more
    points = [(max(r, smallest) * np.cos(t + 0.3), max(r, smallest) * np.sin(t + 0.3)) for r in norms for t in angles]
    return jnp.asarray(np.array(points), dtype)


def assert_right(activation, x, pairs, **setting):
    """K under jit, where no value is checked, at these pairs of points, relative to the diagonal's entries."""
    net = ntkbook.mlp(width=1, activation=activation, **setting)
    K = np.asarray(jax.jit(lambda x: ntkbook.limit_kernel(net, x))(x), np.float64)
    tolerance = 1e-11 if x.dtype == jnp.float64 else 2e-7
    assert np.isfinite(K).all()
    points = np.asarray(x, np.float64)

    def expected(i, j):
        if activation == "sin":
            return limiting_ntk_of_sin(points[i], points[j], **setting)
        return limiting_ntk(activation, points[i], points[j], **setting)

    size = {i: np.sqrt(expected(i, i)) for i in {i for pair in pairs for i in pair}}
    errors = {(i, j): abs(K[i, j] - expected(i, j)) / size[i] / size[j] for i, j in pairs}
    wrong = [(*points[[i, j]].tolist(), error) for (i, j), error in errors.items() if not error <= tolerance]
    assert not wrong, wrong


# -- accuracy ---------------------------------------------------------------------------------------------------------


@every_activation
def test_right_at_every_norm_and_angle(activation):
    angles = (0.0, 1e-3, np.pi / 2, np.pi - 1e-3, np.pi)
    x = in_the_plane((1e-100, 1e-3, 3.0, 300.0, 1e6), angles)
    same_norm = [(i - i % 5, i) for i in range(25)]
    assert_right(activation, x, [*same_norm, (6, 10), (7, 20), (11, 15), (13, 24), (0, 22)])


@pytest.mark.slow
@every_activation
@pytest.mark.parametrize(
    "setting",
    [
        {"depth": 1},
        {"depth": 2},
        {"depth": 3, "w_std": 1.4, "a_std": 0.6},
        {"depth": 2, "w_std": 100.0},
        {"depth": 2, "w_std": 0.01},
        {"depth": 1, "b_std": 0.3},
        {"depth": 3, "w_std": 1.4, "b_std": 0.3},
    ],
    ids=str,
)
def test_right_at_every_size_and_depth(activation, setting):
    x = in_the_plane(NORMS, ANGLES)
    n, q = len(x), len(ANGLES)
    pairs = [(i - i % q, i) for i in range(n)] + [(i, (7 * i + 3) % n) for i in range(0, n, 3)]
    if activation == "sin" and setting == {"depth": 2, "w_std": 100.0}:
        pairs = [(i, j) for i, j in pairs if i % q in (0, 4, 6) and j % q in (0, 4, 6)]
    assert_right(activation, x, pairs, **setting)


@pytest.mark.parametrize(
    ("points", "setting", "expected"),
    [
        ([[100.0]], {}, 54.18),
        ([[300.0]], {}, 160.6),
        ([[1.0, 0.0]], {"w_std": 100.0, "depth": 2}, 1.28),
        ([[300.0, 600.0, 600.0]], {"activation": "erf"}, 573.96),
        ([[3000.0, 6000.0, 6000.0]], {"activation": "erf"}, 5730.6),
        ([[3e6, 4e6, 0.0]], {"activation": "erf"}, 2 * 5e6 / np.pi),
    ],
)
def test_values_that_were_wrong(points, setting, expected):
    K = ntkbook.limit_kernel(ntkbook.mlp(width=1, **setting), jnp.asarray(points))
    assert abs(float(K[0, 0]) / expected - 1) < (4e-3 if expected == 1.28 else 2e-4)


@pytest.mark.parametrize("depth", [1, 3])
def test_relu_on_the_diagonal_and_for_tiny_points(depth, x):
    net = ntkbook.mlp(width=1, depth=depth, activation="relu")
    diagonal = (depth + 1) / 2**depth  # each layer halves, and so does each slope
    K = ntkbook.limit_kernel(net, x)
    assert_close(jnp.diag(K), np.full(3, diagonal), float64=1e-14, float32=1e-6)
    tiny = 1e-90 if x.dtype == jnp.float64 else 1e-17
    assert_close(ntkbook.limit_kernel(net, tiny * x) / tiny / tiny, K, float64=1e-13, float32=1e-5)


@pytest.mark.slow
@every_activation
def test_the_same_under_jit(activation):
    net = ntkbook.mlp(width=1, activation=activation, depth=2)
    x = in_the_plane(NORMS, (0.0, 1e-3, 2.0))
    K = np.asarray(ntkbook.limit_kernel(net, x), float)
    in_jit = np.asarray(jax.jit(lambda x: ntkbook.limit_kernel(net, x))(x), float)
    size = np.sqrt(np.diag(K))
    assert np.abs((in_jit - K) / size[:, None] / size).max() < (1e-13 if x.dtype == jnp.float64 else 1e-6)


@double
def test_linear_networks_exactly(x):
    net = ntkbook.mlp(width=1, depth=3, activation="identity", w_std=1.5, a_std=0.5)
    expected = (1.5**6 + 3 * 0.5**2 * 1.5**4) * (x @ x.T)
    np.testing.assert_allclose(ntkbook.limit_kernel(net, x), expected, rtol=1e-12)


@pytest.mark.parametrize(("activation", "depth"), [("tanh", 1), ("softplus", 2), ("relu", 3), ("gelu", 2), ("sin", 2)])
@pytest.mark.slow
def test_means_of_wide_networks(activation, depth, x):
    net = ntkbook.mlp(width=256, depth=depth, activation=activation, w_std=1.2)
    keys = jax.random.split(jax.random.key(0), 200)
    samples = jax.vmap(lambda key: ntkbook.empirical_ntk(net, net.init(key, 4), x))(keys)
    error = samples.std(axis=0) / np.sqrt(len(keys))
    limit = ntkbook.limit_kernel(net, x)
    assert (jnp.abs(samples.mean(axis=0) - limit) < 4 * error + 2 / 256 * limit.max()).all()
    assert error.max() < 0.02 * limit.max()


def test_test_points_and_the_diagonal_block(x):
    net = ntkbook.mlp(width=1, depth=2, activation="sigmoid")
    K = ntkbook.limit_kernel(net, x)
    assert K.dtype == x.dtype
    np.testing.assert_allclose(ntkbook.limit_kernel(net, x[:2], x_test=x[2:]), K[2:, :2], rtol=1e-5)
    assert jnp.linalg.eigvalsh(K).min() > 0


# -- derivatives ------------------------------------------------------------------------------------------------------


def differences(function, x, step=1e-5):
    basis = step * np.eye(x.size).reshape(-1, *x.shape)
    columns = [(function(x + d) - function(x - d)) / (2 * step) for d in basis]
    return np.stack(columns, axis=-1).reshape(*columns[0].shape, *x.shape)


# Twice the same point, its opposite, one in its direction, others.
DEGENERATE = np.array([[0.8, 0.5], [0.8, 0.5], [-0.8, -0.5], [1.6, 1.0], [-0.3, 0.9]])


@double
@pytest.mark.parametrize(
    ("activation", "depth"),
    [("tanh", 1), ("sin", 1), ("relu", 2), pytest.param("tanh", 3, marks=pytest.mark.slow)]
    + [pytest.param(name, 3, marks=[pytest.mark.slow, pytest.mark.nightly]) for name in REGISTRY if name != "tanh"],
)
def test_derivatives_in_the_points(activation, depth):
    net = ntkbook.mlp(width=1, depth=depth, activation=activation)

    def kernel(x):
        return ntkbook.limit_kernel(net, x)

    x, kernel = jnp.asarray(DEGENERATE), jax.jit(kernel)
    backward, forward = jax.jit(jax.jacrev(kernel))(x), jax.jit(jax.jacfwd(kernel))(x)
    # The ReLU's kernel has a cone at parallel points: of the two slopes there is the mean, as in central differences.
    np.testing.assert_allclose(backward, differences(kernel, x), atol=1e-9)
    np.testing.assert_allclose(forward, backward, atol=1e-12)


@double
@pytest.mark.parametrize("depth", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_derivatives_at_the_origin(depth):
    net = ntkbook.mlp(width=1, depth=depth, activation="softplus")

    def kernel(x):
        return ntkbook.limit_kernel(net, x)

    x = jnp.array([[0.0, 0.0], [0.4, -0.7]])
    np.testing.assert_allclose(jax.jit(jax.jacrev(kernel))(x), differences(kernel, x), atol=1e-9)


@pytest.mark.parametrize("depth", [1, 2])
def test_the_diagonal_of_relu_along_the_point(depth, x):
    net = ntkbook.mlp(width=1, depth=depth, activation="relu")
    K, slope = jax.jit(jax.value_and_grad(lambda p: ntkbook.limit_kernel(net, p[None])[0, 0]))(x[0])
    assert_close(slope, 2 * float(K) * np.asarray(x[0]))  # K(x, x) is a multiple of |x|^2


@double
@pytest.mark.parametrize("activation", ["tanh", pytest.param("gelu", marks=pytest.mark.slow)])
def test_second_derivatives_on_the_diagonal(activation):
    net = ntkbook.mlp(width=1, activation=activation)

    def row(p):
        return ntkbook.limit_kernel(net, jnp.array([[1.0, 0.0], [0.5, 2.0]]).at[0].set(p))[0]

    p = jnp.array([1.0, 0.0])
    second = jax.jit(jax.jacfwd(jax.jacrev(row)))(p)
    np.testing.assert_allclose(second, differences(jax.jit(jax.jacrev(row)), p), atol=1e-8)


# -- biases -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("activation", ["tanh", "relu", "gelu", "sin"])
def test_a_bias_is_the_weight_of_an_input_that_is_one(activation, x):
    biased = ntkbook.mlp(width=1, activation=activation, w_std=0.7, b_std=0.7, a_std=1.3)
    plain = ntkbook.mlp(width=1, activation=activation, w_std=0.7, a_std=1.3)
    extended = jnp.concatenate([x, jnp.ones((3, 1))], axis=1)
    assert_close(ntkbook.limit_kernel(biased, x), ntkbook.limit_kernel(plain, extended), float64=1e-13)


def test_linear_networks_with_biases_exactly(x):
    # f = a (W (w x + b) + c): Sigma^(l) = w^2 Sigma^(l-1) + b^2, and every slope is 1.
    net = ntkbook.mlp(width=1, depth=2, activation="identity", w_std=1.5, a_std=0.5, b_std=0.3)
    first = np.asarray(x, float) @ np.asarray(x, float).T
    second = 1.5**2 * first + 0.3**2
    third = 1.5**2 * second + 0.3**2
    assert_close(ntkbook.limit_kernel(net, x), third + 0.25 * (1.5**2 * (first + 1) + second + 1))


@pytest.mark.parametrize("activation", ["tanh", "softplus"])
def test_two_layers_with_biases(activation):
    x = in_the_plane((0.1, 2.0), (0.0, 1e-3, 1.2, np.pi))
    pairs = [(0, 1), (0, 2), (0, 3), (4, 5), (4, 7), (2, 6), (0, 0)]
    assert_right(activation, x, pairs, depth=2, w_std=1.3, b_std=0.4)


# -- activations of a user's own --------------------------------------------------------------------------------------


def own_tanh(z):
    return jnp.tanh(z)


@pytest.mark.parametrize("depth", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_quadrature_agrees_with_closed_forms(depth, x):
    own = ntkbook.mlp(width=1, depth=depth, w_std=1.5, b_std=0.2, activation=ntkbook.Activation("own", own_tanh))
    named = ntkbook.mlp(width=1, depth=depth, w_std=1.5, b_std=0.2)
    points = jnp.concatenate([x, -x[:1], 5 * x[:1], 0 * x[:1]])
    assert_close(ntkbook.limit_kernel(own, points), ntkbook.limit_kernel(named, points), float64=1e-12)


@pytest.mark.slow
def test_quadrature_has_derivatives(x):
    own, named = (ntkbook.mlp(width=1, activation=a) for a in (ntkbook.Activation("own", own_tanh), "tanh"))
    own_slope, slope = (
        jax.jacrev(lambda p, net=net: ntkbook.limit_kernel(net, jnp.stack([p, x[0]])))(x[0]) for net in (own, named)
    )
    assert_close(own_slope, slope)


@pytest.mark.parametrize(
    ("function", "norm"),
    [
        (jnp.abs, 1.0),
        (own_tanh, 300.0),
        (lambda z: jnp.tanh(1e6 * (z - 0.3)), 1.0),  # steep where the rule has no node
    ],
)
def test_what_is_too_steep_is_refused(function, norm, x):
    net = ntkbook.mlp(width=1, activation=ntkbook.Activation("own", function))
    with pytest.raises(ArithmeticError, match="did not settle .* for the activation own"):
        ntkbook.limit_kernel(net, norm * x)


@pytest.mark.slow
def test_under_jit_what_is_too_steep_is_not_a_number(x):
    net = ntkbook.mlp(width=1, activation=ntkbook.Activation("own", own_tanh))
    in_jit = jax.jit(lambda x: ntkbook.limit_kernel(net, x))
    assert_close(in_jit(x[:2]), ntkbook.limit_kernel(net, x[:2]))
    assert jnp.isnan(in_jit(300 * x[:2])).all()


def test_errors(x):
    with pytest.raises(TypeError, match="wants an ntkbook.mlp"):
        ntkbook.limit_kernel(lambda params, point: point.sum(), x)
    with pytest.raises(ValueError, match="x_test must have the 4 coordinates of x"):
        ntkbook.limit_kernel(ntkbook.mlp(width=1), x, x_test=x[:, :2])

"""The limiting kernels from order 4 on, against means over finite networks, exact cases and each other."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from closeness import assert_close

import ntkbook
from ntkbook.limits import calculus

double = pytest.mark.skipif("jnp.result_type(float) != jnp.float64", reason="accuracy of float64")


@pytest.fixture(scope="module")
def x():
    return ntkbook.data.sphere_points(jax.random.key(1), 3, 4)


def test_odd_orders_vanish_and_errors(x):
    net = ntkbook.mlp(width=1, depth=2)
    assert ntkbook.limit_kernel(net, x, order=5).shape == (3,) * 5
    assert not ntkbook.limit_kernel(net, x, order=3).any()
    with pytest.raises(ValueError, match="at most 4 or odd for depth 2, got 6"):
        ntkbook.limit_kernel(net, x, order=6)
    with pytest.raises(ValueError, match="at most 6 or odd for depth 1, got 8"):
        ntkbook.limit_kernel(ntkbook.mlp(width=1), x, order=8)
    with pytest.raises(ValueError, match="needs a smooth activation, .* got relu"):
        ntkbook.limit_kernel(ntkbook.mlp(width=1, activation="relu"), x, order=4)
    with pytest.raises(ValueError, match="outside of jit and vmap"):
        jax.jit(lambda x: ntkbook.limit_kernel(net, x, order=4))(x)
    sharp = ntkbook.mlp(width=1, activation=ntkbook.Softplus(sharpness=1e3))
    with pytest.raises(ArithmeticError, match="did not settle"):
        ntkbook.limit_kernel(sharp, x, order=4)


# -- order 4 and 6 ----------------------------------------------------------------------------------------------------


gelu = ntkbook.Activation("gelu", lambda z: z * jax.scipy.special.erfc(-z / jnp.sqrt(2.0)) / 2)
sin = ntkbook.Activation("sin", jnp.sin, odd=True)
built_in = [a for a in vars(ntkbook.activations).values() if isinstance(a, ntkbook.Activation) and a.smooth]
smooth = list({a.name: a for a in (gelu, sin, *built_in, ntkbook.Softplus(4.0))}.values())
each_activation = pytest.mark.parametrize("activation", smooth, ids=lambda a: a.name)


def kernel_of_a_neuron(activation, G, order):
    """K^(order) of f = a sigma(h), from a and h: along grad f_g, a moves by sigma(h_g), h by a sigma'(h_g) G_g."""
    if order == 2:

        def kernel(a, h):
            values, slopes = activation.with_derivative(h)
            return jnp.outer(values, values) + a**2 * G * jnp.outer(slopes, slopes)

        return kernel
    before = kernel_of_a_neuron(activation, G, order - 1)

    def kernel(a, h):
        values, slopes = activation.with_derivative(h)
        moves = (values, a * slopes[:, None] * G)
        return jax.vmap(lambda move: jax.jvp(before, (a, h), move)[1], out_axes=-1)(moves)

    return kernel


def mean_over_neurons(net, x, order, spacing, reach=9.0):
    """E K^(order) over networks of one neuron by a fine trapezoidal rule: for H = 1 the limit itself at every width."""
    G = np.asarray(x) @ np.asarray(x).T
    variances, axes = np.linalg.eigh(net.w_std**2 * G + net.b_std**2)
    factor = (axes * np.sqrt(np.abs(variances)))[:, variances > 1e-14 * variances.max()]
    line = np.arange(0, reach, spacing)
    line = np.concatenate([-line[:0:-1], line])
    z = np.stack(np.meshgrid(*[line] * factor.shape[1], indexing="ij"), axis=-1).reshape(-1, factor.shape[1])
    weights = np.exp(-np.sum(z**2, axis=1) / 2)
    size, padded = 1024, -len(z) % 1024
    h, mass = np.pad(z @ factor.T, ((0, padded), (0, 0))), np.pad(weights / weights.sum(), (0, padded))
    part = partial(_part_of_mean, net.activation, order, net.a_std, G + (net.b_std > 0))
    return sum(np.asarray(part(h[i : i + size], mass[i : i + size])) for i in range(0, len(h), size))


@partial(jax.jit, static_argnums=(0, 1))
def _part_of_mean(activation, order, a_std, G, h, mass):
    a, a_mass = np.polynomial.hermite_e.hermegauss(8)
    kernel = kernel_of_a_neuron(activation, G, order)
    kernels = jax.vmap(jax.vmap(kernel, (0, None)), (None, 0))(a_std * a, h)
    return jnp.einsum("h,a,ha...->...", mass, a_mass / a_mass.sum(), kernels)


@double
@each_activation
def test_one_point_at_every_accepted_norm(activation):
    net = ntkbook.mlp(width=1, activation=activation)
    steep = 4.0 if activation.name == "softplus(4)" else 1.0
    for norm in (1e-30, 1e-3, 0.1, 0.5, 1.0, 1.2, 1.5, 1.9, 3.0, 5.0):
        x = np.array([[norm / steep]])
        np.testing.assert_allclose(
            ntkbook.limit_kernel(net, jnp.asarray(x), order=4),
            mean_over_neurons(net, x, 4, min(0.1, 0.04 / norm)),
            rtol=5e-11,
        )


@double
@pytest.mark.parametrize(("norm", "value"), [(1.0, -1.741381298422671), (1.2, -4.7162653451202505)])
def test_narrow_products_of_erf(norm, value):
    # erf' four times is exp(-4 u^2): far narrower than any single derivative
    net = ntkbook.mlp(width=1, activation="erf")
    assert abs(ntkbook.limit_kernel(net, jnp.array([[norm]]), order=4).item() / value - 1) < 2e-11


planar = {
    "apart": [[1.0, 0.0], [-0.5, 0.8], [0.3, -1.0]],
    "repeated": [[1.0, 0.0], [0.6, 0.8], [1.0, 0.0], [0.0, 0.0]],
    "nearly dependent": [[1.0, 0.0], [1.0, 1e-3], [-1.0, 1e-6]],
    "of many sizes": [[1.0, 0.0], [6e-3, 8e-3], [0.0, 1e-6]],
}


@double
@pytest.mark.parametrize(
    "activation",
    [a if a.name == "gelu" else pytest.param(a, marks=pytest.mark.slow) for a in smooth],
    ids=lambda a: a.name,
)
def test_points_in_the_plane(activation):
    net = ntkbook.mlp(width=1, activation=activation, w_std=0.8, a_std=0.7)
    x = jnp.array([[1.0, 0.0], [-0.5, 0.8], [1.0, 1e-3]])
    K = ntkbook.limit_kernel(net, x, order=4)
    np.testing.assert_allclose(K, mean_over_neurons(net, x, 4, 0.2), atol=1e-10 * abs(K).max())


@double
@pytest.mark.slow
@each_activation
@pytest.mark.parametrize("points", planar)
@pytest.mark.parametrize("scale", [1e-3, 1.0, 2.0])
def test_points_in_the_plane_of_every_size(activation, points, scale):
    net = ntkbook.mlp(width=1, activation=activation, w_std=0.3 if activation.name == "softplus(4)" else 1.0)
    x = scale * jnp.array(planar[points])
    K = ntkbook.limit_kernel(net, x, order=4)
    np.testing.assert_allclose(K, mean_over_neurons(net, x, 4, 0.09), atol=1e-10 * abs(K).max())


@double
@pytest.mark.slow
@pytest.mark.parametrize(
    "activation",
    [each if each.name in ("tanh", "sin") else pytest.param(each, marks=pytest.mark.nightly) for each in smooth],
    ids=lambda activation: activation.name,
)
def test_order_six_of_points_in_the_plane(activation):
    net = ntkbook.mlp(width=1, activation=activation, w_std=0.2 if activation.name == "softplus(4)" else 0.8)
    x = jnp.array([[1.0, 0.0], [-0.5, 0.8], [0.9, 0.1]])
    K = ntkbook.limit_kernel(net, x, order=6)
    np.testing.assert_allclose(K, mean_over_neurons(net, x, 6, 0.2), atol=1e-7 * abs(K).max())


@double
@pytest.mark.slow
@pytest.mark.parametrize("activation", ["tanh", "softplus"])
def test_three_independent_points(activation, x):
    net = ntkbook.mlp(width=1, activation=activation)
    K = ntkbook.limit_kernel(net, x[:, :3], order=4)
    np.testing.assert_allclose(K, mean_over_neurons(net, x[:, :3], 4, 0.3), atol=1e-10 * abs(K).max())


@double
def test_what_is_too_steep_is_refused_before_any_integral(monkeypatch):
    monkeypatch.setattr(calculus, "means", lambda *args, **options: pytest.fail("an integral was computed"))
    for activation in (ntkbook.tanh, ntkbook.erf, ntkbook.sigmoid, ntkbook.softplus, gelu, sin):
        # at 2 pi 512 a sine repeats itself from node to node of the finest grid
        for norm in (100.0, 512 * 2 * np.pi, 1e6):
            with pytest.raises(ArithmeticError, match="did not settle"):
                ntkbook.limit_kernel(ntkbook.mlp(width=1, activation=activation), jnp.array([[norm]]), order=4)
    nearly_dependent = 6 * jnp.eye(4)[jnp.array([0, 0, 1, 2])] + 1e-3 * jnp.eye(4)[3] * jnp.eye(4)[:, :1]
    with pytest.raises(ArithmeticError, match="lattice points in 3 dimensions, more than 2e"):
        ntkbook.limit_kernel(ntkbook.mlp(width=1), nearly_dependent, order=4)


# -- biases -----------------------------------------------------------------------------------------------------------


@double
@pytest.mark.parametrize(
    ("activation", "order", "points", "spacing"),
    [
        ("tanh", 4, [[1.0], [-0.3], [0.5]], 0.15),
        ("softplus", 4, [[1.0], [-0.3], [0.5]], 0.15),
        pytest.param("tanh", 4, [[1.0, 0.0], [-0.5, 0.8], [0.3, 0.3]], 0.3, marks=pytest.mark.slow),
        pytest.param("softplus", 4, [[1.0, 0.0], [-0.5, 0.8], [0.3, 0.3]], 0.3, marks=pytest.mark.slow),
        pytest.param("softplus", 6, [[1.0], [-0.3]], 0.2, marks=pytest.mark.slow),
    ],
)
def test_biases_of_one_layer(activation, order, points, spacing):
    net = ntkbook.mlp(width=1, activation=activation, w_std=0.9, a_std=0.7, b_std=0.6)
    x = jnp.array(points)
    K = ntkbook.limit_kernel(net, x, order=order)
    expected = mean_over_neurons(net, x, order, spacing)
    np.testing.assert_allclose(K, expected, atol={4: 1e-10, 6: 1e-6}[order] * abs(K).max())


@double
def test_biases_of_one_layer_at_order_two(monkeypatch):
    monkeypatch.setitem(calculus._ACCURACY, 2, 1e-11)
    net = ntkbook.mlp(width=1, activation="softplus", w_std=0.9, a_std=0.7, b_std=0.6)
    x = np.array([[1.0, 0.0], [-0.5, 0.8]])
    K = calculus.limiting_kernel(net, x, x, 2, same=True)
    np.testing.assert_allclose(K, mean_over_neurons(net, x, 2, 0.3), rtol=1e-10)


def with_biases(activation):
    """A network written out anew, for automatic differentiation."""

    def net(params, x):
        weights, biases, readout = params
        for W, b in zip(weights, biases, strict=True):
            x = activation(x @ W.T + b) / np.sqrt(len(readout))
        return x @ readout

    return net


@double
def test_biases_of_one_layer_by_automatic_differentiation():
    net = ntkbook.mlp(width=1, activation="tanh", w_std=0.9, a_std=0.7, b_std=0.6)
    x = jnp.array([[0.5], [-0.3]])
    line, (a, mass) = np.arange(-8.5, 8.6, 0.3), np.polynomial.hermite_e.hermegauss(6)
    w, b, a = (part.ravel() for part in np.meshgrid(line, line, a, indexing="ij"))
    mass = np.einsum("i,j,k->ijk", np.exp(-(line**2) / 2), np.exp(-(line**2) / 2), mass).ravel()

    def kernel(w, b, a):
        params = ((0.9 * w[None, None],), (0.6 * b[None],), 0.7 * a[None])
        return ntkbook.empirical_kernel(with_biases(jnp.tanh), params, x, order=4)

    kernels = jax.jit(jax.vmap(kernel))(w, b, a)
    expected = np.tensordot(mass / mass.sum(), np.asarray(kernels), 1)
    np.testing.assert_allclose(ntkbook.limit_kernel(net, x, order=4), expected, atol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("depth", [2, pytest.param(3, marks=pytest.mark.nightly)])
def test_means_over_widths_with_biases(depth, x):
    net = ntkbook.mlp(width=1, depth=depth, activation="softplus", w_std=0.8, b_std=0.8)
    limit = ntkbook.limit_kernel(net, x[:2], order=4)
    mean, error = {}, {}
    for width in (32, 64):

        def draw(key, m=width):
            keys = jax.random.split(key, 2 * depth + 1)
            shapes = [(m, 4)] + [(m, m)] * (depth - 1)
            weights = tuple(0.8 * jax.random.normal(k, shape) for k, shape in zip(keys[:depth], shapes, strict=True))
            biases = tuple(0.8 * jax.random.normal(k, (m,)) for k in keys[depth:-1])
            params = (weights, biases, jax.random.normal(keys[-1], (m,)))
            return m * ntkbook.empirical_kernel(with_biases(jax.nn.softplus), params, x[:2], order=4)

        samples = jax.lax.map(draw, jax.random.split(jax.random.key(width), 4000), batch_size=50)
        mean[width], error[width] = samples.mean(axis=0), samples.std(axis=0) / np.sqrt(len(samples))
    extrapolated, deviation = 2 * mean[64] - mean[32], np.sqrt(4 * error[64] ** 2 + error[32] ** 2)
    assert (abs(extrapolated - limit) < 4 * deviation).all()
    assert deviation.max() < 0.03 * abs(limit).max()


# -- the calculus -----------------------------------------------------------------------------------------------------


@double
@pytest.mark.parametrize("depth", [2, 3])
def test_the_calculus_gives_the_limiting_ntk_too(depth, x, monkeypatch):
    monkeypatch.setitem(calculus._ACCURACY, 2, 1e-11)
    net = ntkbook.mlp(width=1, depth=depth, activation="softplus", w_std=1.3, a_std=0.7)
    K = calculus.limiting_kernel(net, np.asarray(x), np.asarray(x), 2, same=True)
    np.testing.assert_allclose(K, ntkbook.limit_kernel(net, x), rtol=1e-9)


@double
@pytest.mark.slow
@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("activation", ["tanh", "erf", "softplus"])
def test_refinement_changes_nothing(depth, activation, x, monkeypatch):
    order, net = 4, ntkbook.mlp(width=1, depth=depth, activation=activation, w_std=1.2)
    points = jnp.concatenate([x, x[:1] - x[1:2]])
    K = ntkbook.limit_kernel(net, points, order=order)
    monkeypatch.setattr(calculus, "_BEST", 1e-13)
    monkeypatch.setitem(calculus._ACCURACY, order, 1e-13)
    np.testing.assert_allclose(K, ntkbook.limit_kernel(net, points, order=order), atol=1e-10 * abs(K).max())


def test_symmetries_of_order_four(x):
    net = ntkbook.mlp(width=1, depth=2, activation="softplus")
    K = np.asarray(ntkbook.limit_kernel(net, x, order=4))
    assert_close(K, K.transpose(1, 0, 2, 3))
    assert abs(K - K.transpose(0, 2, 1, 3)).max() > 0.01 * abs(K).max()
    order = np.array([2, 0, 1])
    assert_close(ntkbook.limit_kernel(net, x[order], order=4), K[np.ix_(order, order, order, order)], float64=1e-9)
    tested = ntkbook.limit_kernel(net, x[:2], order=4, x_test=x[1:])
    assert tested.dtype == x.dtype
    assert_close(tested, K[np.ix_([1, 2], [0, 1], [0, 1], [0, 1])], float64=1e-9)
    odd = ntkbook.mlp(width=1, depth=2, activation="tanh")
    signs = np.array([1.0, -1.0, 1.0])
    expected = np.einsum("abcd,a,b,c,d->abcd", ntkbook.limit_kernel(odd, x, order=4), *[signs] * 4)
    flipped = ntkbook.limit_kernel(odd, x * jnp.asarray(signs[:, None], x.dtype), order=4)
    assert_close(flipped, expected, float64=1e-9)


@pytest.mark.parametrize("depth", [1, 3])
@pytest.mark.slow
def test_singular_gram_matrices(depth, x):
    # equal, parallel and zero points, and more of them than dimensions: the limits of points nearby
    net = ntkbook.mlp(width=1, depth=depth, activation="softplus")
    singular = jnp.stack([x[0], x[0], -2 * x[0], 0 * x[0]])
    K = ntkbook.limit_kernel(net, singular, order=4)
    nearby = singular + 1e-5 * jax.random.normal(jax.random.key(3), singular.shape)
    near = ntkbook.limit_kernel(net, nearby.astype(x.dtype), order=4)
    np.testing.assert_allclose(near, K, atol=1e-3 * float(abs(K).max()))
    equal = [np.asarray(K)[i] for i in (0, 1)]
    assert_close(equal[0], equal[1], float64=1e-9)
    one_dimension = ntkbook.limit_kernel(net, jnp.array([[1.0], [1.0], [-2.0], [0.0]], x.dtype), order=4)
    assert_close(one_dimension, K, float64=1e-9)  # only norms and angles matter


@pytest.mark.slow
@pytest.mark.parametrize("depth", [2, pytest.param(3, marks=pytest.mark.nightly)])
@pytest.mark.parametrize("activation", ["softplus", "tanh"])
def test_means_over_widths_tend_to_order_four(activation, depth, x):
    # the mean at width m differs from the limit by c/m: two widths remove it
    limit = ntkbook.limit_kernel(ntkbook.mlp(width=1, depth=depth, activation=activation), x[:2], order=4)
    mean, error = {}, {}
    for width in (64, 128):
        net = ntkbook.mlp(width=width, depth=depth, activation=activation)

        def draw(key, net=net):
            return net.width * ntkbook.empirical_kernel(net, net.init(key, 4), x[:2], order=4)

        samples = jax.lax.map(draw, jax.random.split(jax.random.key(width), 2000), batch_size=50)
        mean[width], error[width] = samples.mean(axis=0), samples.std(axis=0) / np.sqrt(len(samples))
    extrapolated, deviation = 2 * mean[128] - mean[64], np.sqrt(4 * error[128] ** 2 + error[64] ** 2)
    assert (abs(extrapolated - limit) < 4 * deviation).all()
    assert deviation.max() < 0.1 * abs(limit).max()

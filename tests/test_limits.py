"""The limiting kernels from order 4 on, against means over finite networks, exact cases and each other."""

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


def mean_at_width_one(net, x, order, spacing):
    """E K^(order) over networks of one neuron, in two input dimensions: for H = 1 the limit itself, at every width."""
    line = np.arange(-8.5, 8.5, spacing)
    weights = np.exp(-(line**2) / 2) / np.exp(-(line**2) / 2).sum()
    readouts, readout_weights = np.polynomial.hermite_e.hermegauss(8)
    w1, w2, a = np.meshgrid(line, line, readouts, indexing="ij")
    mass = np.einsum("i,j,k->ijk", weights, weights, readout_weights / readout_weights.sum()).ravel()
    neuron = ntkbook.mlp(width=1, depth=1, activation=net.activation)

    @jax.jit
    def kernels(w, a):
        params = ntkbook.MLPParams((net.w_std * w[:, None, :],), net.a_std * a[:, None])
        return jax.vmap(lambda p: ntkbook.empirical_kernel(neuron, p, x, order=order))(params)

    draws = np.stack([w1.ravel(), w2.ravel()], axis=1)
    return sum(
        np.tensordot(mass[part], np.asarray(kernels(draws[part], a.ravel()[part])), 1)
        for part in np.array_split(np.arange(len(mass)), 16)
    )


@double
@pytest.mark.parametrize(("activation", "w_std"), [("tanh", 0.8), ("softplus", 1.2)])
def test_one_layer_is_the_mean_at_width_one(activation, w_std, x):
    net = ntkbook.mlp(width=1, depth=1, activation=activation, w_std=w_std, a_std=0.7)
    planar = x[:, :2] * jnp.array([[1.0], [0.5], [2.0]])
    K = ntkbook.limit_kernel(net, planar, order=4)
    np.testing.assert_allclose(K, mean_at_width_one(net, planar, 4, 0.18), atol=1e-9)


@double
@pytest.mark.slow
def test_order_six_is_the_mean_at_width_one(x):
    net = ntkbook.mlp(width=1, depth=1, activation="tanh", w_std=0.8)
    K = ntkbook.limit_kernel(net, x[:, :2], order=6)
    np.testing.assert_allclose(K, mean_at_width_one(net, x[:, :2], 6, 0.2), atol=1e-6 * abs(K).max())


def test_linear_networks_of_one_layer_by_hand(x):
    # m K^(4) = (s_w^2 + s_a^2) (2 <1,2> <3,4> + <1,3> <2,4> + <2,3> <1,4>)
    net = ntkbook.mlp(width=1, depth=1, activation="identity", w_std=1.5, a_std=0.5)
    G = np.asarray(x @ x.T)
    pairs = [np.einsum(f"{p},{q}->abcd", G, G) for p, q in (("ab", "cd"), ("ac", "bd"), ("bc", "ad"))]
    assert_close(ntkbook.limit_kernel(net, x, order=4), 2.5 * (2 * pairs[0] + pairs[1] + pairs[2]), float64=1e-9)


@double
@pytest.mark.parametrize("depth", [2, 3])
def test_the_calculus_gives_the_limiting_ntk_too(depth, x, monkeypatch):
    monkeypatch.setitem(calculus._ACCURACY, 2, 1e-11)
    net = ntkbook.mlp(width=1, depth=depth, activation="softplus", w_std=1.3, a_std=0.7)
    K = calculus.limiting_kernel(net, np.asarray(x), np.asarray(x), 2, same=True)
    np.testing.assert_allclose(K, ntkbook.limit_kernel(net, x), rtol=1e-9)


@double
@pytest.mark.slow
@pytest.mark.parametrize(("depth", "order", "accuracy"), [(1, 4, 1e-9), (2, 4, 1e-8), (3, 4, 1e-8)])
def test_refinement_changes_nothing(depth, order, accuracy, x, monkeypatch):
    net = ntkbook.mlp(width=1, depth=depth, activation="tanh", w_std=1.2)
    points = jnp.concatenate([x, x[:1] - x[1:2]])
    K = ntkbook.limit_kernel(net, points, order=order)
    monkeypatch.setattr(calculus, "_BEST", 1e-13)
    monkeypatch.setitem(calculus._ACCURACY, order, 1e-13)
    np.testing.assert_allclose(K, ntkbook.limit_kernel(net, points, order=order), atol=accuracy)


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
@pytest.mark.parametrize(("activation", "depth"), [("softplus", 2), ("tanh", 2), ("softplus", 3), ("tanh", 3)])
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

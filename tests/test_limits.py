"""The limiting kernels, against other integrators, exact cases and means over finite networks."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import dblquad

import ntkbook
from ntkbook.limits import _CLOSED_FORMS, _quadrature_moments

double = pytest.mark.skipif("jnp.result_type(float) != jnp.float64", reason="accuracy of float64")


@pytest.fixture(scope="module")
def x():
    return ntkbook.data.sphere_points(jax.random.key(1), 3, 4)


@double
@pytest.mark.parametrize("activation", [ntkbook.erf, ntkbook.identity], ids=lambda a: a.name)
def test_closed_forms_agree_with_quadrature(activation):
    a, b, c = jnp.full((1, 3), 1.3), jnp.array([[0.7, 1.3, 2.0]]), jnp.array([[0.2, 1.3, -0.5]])
    exact, computed = _CLOSED_FORMS[activation](a, b, c), _quadrature_moments(activation, 256, a, b, c)
    for e, q in zip(exact, computed, strict=True):
        np.testing.assert_allclose(q, e, atol=1e-12)


@double
@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_one_layer_against_another_integrator(activation, x):
    net = ntkbook.mlp(width=1, depth=1, activation=activation, w_std=1.3, a_std=0.7)
    x1, x2 = np.asarray(x[0]), 1.5 * np.asarray(x[1])
    K = ntkbook.limit_kernel(net, jnp.stack([x1, x2]))[0, 1]
    angle = np.arccos(x1 @ x2 / np.linalg.norm(x1) / np.linalg.norm(x2))

    def integrand(radius, phi):  # polar coordinates: where a kink lies, phi alone decides
        u, v = (1.3 * n * radius * np.cos(phi - s) for n, s in ((np.linalg.norm(x1), 0), (np.linalg.norm(x2), angle)))
        if activation == "tanh":
            pair, slopes = np.tanh(u) * np.tanh(v), 1 / (np.cosh(u) * np.cosh(v)) ** 2
        else:
            pair, slopes = max(u, 0) * max(v, 0), float(u > 0 and v > 0)
        return (pair + 0.7**2 * slopes * (x1 @ x2)) * radius * np.exp(-(radius**2) / 2) / (2 * np.pi)

    kinks = np.sort(np.mod([np.pi / 2, -np.pi / 2, angle + np.pi / 2, angle - np.pi / 2], 2 * np.pi))
    edges = [0, *kinks, 2 * np.pi]
    value = sum(dblquad(integrand, lo, hi, 0, 9, epsabs=1e-11)[0] for lo, hi in zip(edges, edges[1:], strict=False))
    assert abs(K - value) < 1e-9


@double
def test_linear_networks_exactly(x):
    net = ntkbook.mlp(width=1, depth=3, activation="identity", w_std=1.5, a_std=0.5)
    expected = (1.5**6 + 3 * 0.5**2 * 1.5**4) * (x @ x.T)
    np.testing.assert_allclose(ntkbook.limit_kernel(net, x), expected, rtol=1e-12)


@pytest.mark.parametrize(("activation", "depth"), [("tanh", 1), ("softplus", 2), ("relu", 3)])
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
    np.testing.assert_allclose(ntkbook.limit_kernel(net, x[:2], x_test=x[2:]), K[2:, :2], rtol=1e-5)
    assert jnp.linalg.eigvalsh(K).min() > 0


def test_odd_orders_vanish_and_errors(x):
    net = ntkbook.mlp(width=1, depth=2)
    assert ntkbook.limit_kernel(net, x, order=5).shape == (3,) * 5
    assert not ntkbook.limit_kernel(net, x, order=3).any()
    with pytest.raises(NotImplementedError, match="order=4"):
        ntkbook.limit_kernel(net, x, order=4)
    with pytest.raises(TypeError, match="wants an ntkbook.mlp"):
        ntkbook.limit_kernel(lambda params, point: point.sum(), x)
    kinked = ntkbook.mlp(width=1, activation=ntkbook.Activation("kink", jnp.abs, smooth=False))
    if jnp.result_type(float) == jnp.float64:
        with pytest.raises(ArithmeticError, match="did not settle"):
            ntkbook.limit_kernel(kinked, x)

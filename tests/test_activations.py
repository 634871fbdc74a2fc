"""Activations: their values, derivatives and the properties they declare."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
from closeness import assert_close

import ntkbook
from ntkbook.activations import get_activation

pytestmark = pytest.mark.usefixtures("strict")

Z = np.array([-3.0, -0.7, -0.1, 0.2, 1.1, 4.0])
EXPECTED = {
    "tanh": np.tanh,
    "erf": scipy.special.erf,
    "sigmoid": scipy.special.expit,
    "softplus": lambda z: np.log1p(np.exp(z)),
    "relu": lambda z: np.maximum(z, 0),
    "identity": lambda z: z,
}


@pytest.mark.parametrize("name", EXPECTED)
def test_values_derivatives_and_declared_properties(name):
    sigma, expected = get_activation(name), EXPECTED[name]
    z = jnp.asarray(Z, jnp.result_type(float))
    value, slope = sigma.with_derivative(z)
    assert_close(value, expected(Z))
    assert_close(sigma(z), expected(Z))
    assert_close(slope, (expected(Z + 1e-6) - expected(Z - 1e-6)) / 2e-6, float64=1e-8)
    assert sigma.name == name
    assert sigma.odd == np.allclose(expected(-Z), -expected(Z))
    assert sigma.homogeneous == np.allclose(expected(3 * Z), 3 * expected(Z))
    assert sigma.smooth == (name != "relu")


def test_higher_derivatives():
    z = jnp.asarray([*Z, 0.0], jnp.result_type(float))
    t, s = np.tanh(np.asarray(z, float)), scipy.special.expit(np.asarray(z, float))
    polynomials = (1, -2 * t, 6 * t**2 - 2, 16 * t - 24 * t**3)
    for computed, expected in zip(
        ntkbook.tanh.derivatives(z, 4), (t, *(p * (1 - t**2) for p in polynomials)), strict=True
    ):
        assert_close(computed, expected)
    expected = (np.logaddexp(0, z), s, s * (1 - s), s * (1 - s) * (1 - 2 * s), s * (1 - s) * (1 - 6 * s + 6 * s**2))
    for computed, value in zip(ntkbook.softplus.derivatives(z, 4), expected, strict=True):
        assert_close(computed, value)


def test_sharp_softplus_tends_to_relu():
    z = jnp.asarray(Z, jnp.result_type(float))
    distances = [float(jnp.abs(ntkbook.Softplus(sharpness=s)(z) - ntkbook.relu(z)).max()) for s in (1.0, 10.0, 100.0)]
    assert distances[0] > 5 * distances[1] > 25 * distances[2]
    assert_close(ntkbook.Softplus(sharpness=2.0)(z), np.log1p(np.exp(2 * Z)) / 2)
    assert_close(ntkbook.Softplus(1.0)(z), ntkbook.softplus(z))
    assert np.isfinite(jax.grad(lambda z: ntkbook.Softplus(sharpness=1e4)(z))(jnp.asarray(5.0)))


def test_equality_and_hashing():
    assert ntkbook.Softplus(4.0) == ntkbook.Softplus(4) and hash(ntkbook.Softplus(4.0)) == hash(ntkbook.Softplus(4))
    assert ntkbook.Softplus(4.0) != ntkbook.Softplus(4.0000001)  # names agree to six digits, functions do not
    assert get_activation("tanh") is ntkbook.tanh


@pytest.mark.parametrize("sharpness", [0.0, -1.0, np.inf, np.nan])
def test_bad_sharpness(sharpness):
    with pytest.raises(ValueError, match="sharpness must be positive and finite, got"):
        ntkbook.Softplus(sharpness=sharpness)


def test_an_activation_wants_a_function():
    with pytest.raises(TypeError, match="function of an Activation must be callable, got 3. Pass for example jnp.sin"):
        ntkbook.Activation("three", 3)

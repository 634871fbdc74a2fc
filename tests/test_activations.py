"""Activations: their values, derivatives and the properties they declare; the registry, copies and pickles."""

import copy
import pickle
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
from closeness import assert_close
from gaussians import NUMPY

import ntkbook
from ntkbook.activations import REGISTRY, get_activation, javascript

pytestmark = pytest.mark.usefixtures("strict")

Z = np.array([-3.0, -0.7, -0.1, 0.2, 1.1, 4.0])


@pytest.mark.parametrize("name", REGISTRY)
def test_values_derivatives_and_declared_properties(name):
    sigma, (expected, slopes) = get_activation(name), NUMPY[name]
    z = jnp.asarray(Z, jnp.result_type(float))
    value, slope = sigma.with_derivative(z)
    assert_close(value, expected(Z))
    assert_close(sigma(z), expected(Z))
    assert_close(slope, slopes(Z))
    assert_close(slope, (expected(Z + 1e-6) - expected(Z - 1e-6)) / 2e-6, float64=1e-8)
    assert sigma.name == name
    assert sigma.odd == np.allclose(expected(-Z), -expected(Z))
    assert sigma.homogeneous == np.allclose(expected(3 * Z), 3 * expected(Z))
    assert sigma.smooth == (name != "relu")


@pytest.mark.parametrize("name", REGISTRY)
def test_a_registered_activation_is_known_everywhere(name):
    assert getattr(ntkbook, name) is REGISTRY[name] and name in ntkbook.__all__
    assert ntkbook.mlp(width=2, activation=name).activation is REGISTRY[name]
    assert f'``"{name}"``' in get_activation.__doc__ and REGISTRY[name].formula in get_activation.__doc__
    assert (f"\n  {name}(h, slope, scale) {{" in javascript()) == (REGISTRY[name].javascript is not None)
    with pytest.raises(ValueError, match=f"must be one of .*{name}"):
        get_activation("none of these")


def test_a_name_is_given_once():
    with pytest.raises(ValueError, match="name must be new, got 'tanh' again"):
        ntkbook.activations.register(ntkbook.Activation("tanh", jnp.tanh))


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
    with pytest.raises(TypeError, match="function of an Activation must be callable, got 3. Pass for example jnp.cos"):
        ntkbook.Activation("three", 3)


# -- copies and pickles -----------------------------------------------------------------------------------------------


def own_function(z):
    return jnp.cos(z)


def networks(activation):
    return [
        ntkbook.mlp(width=3, depth=2, activation=activation, b_std=0.1),
        ntkbook.resnet(width=3, activation=activation),
        ntkbook.conv(width=3, image_shape=(2, 2), filter_size=2, activation=activation),
    ]


OWN = ntkbook.Activation("own", own_function, smooth=False)
COPIED = [*REGISTRY.values(), ntkbook.Softplus(sharpness=3.0), OWN]


@pytest.mark.parametrize("activation", COPIED, ids=lambda activation: activation.name)
def test_copies_are_equal(activation):
    for net in networks(activation):
        for other in (pickle.loads(pickle.dumps(net)), copy.deepcopy(net), copy.copy(net)):
            assert other == net and hash(other) == hash(net)
        assert copy.deepcopy(net).activation is activation
    again = pickle.loads(pickle.dumps(activation))
    assert again is activation or activation.name not in REGISTRY
    assert again.moments == activation.moments


def test_an_activation_named_like_a_registered_one_keeps_its_function():
    impostor = ntkbook.Activation("tanh", own_function)
    assert pickle.loads(pickle.dumps(impostor)) == impostor != ntkbook.tanh


def test_functions_that_do_not_pickle():
    for function in (lambda z: z, jnp.cos):
        activation = ntkbook.Activation("lost", function)
        net = ntkbook.mlp(width=3, activation=activation)
        assert copy.deepcopy(net) == net
        with pytest.raises(pickle.PicklingError, match="function of the activation 'lost' cannot be pickled.*with def"):
            pickle.dumps(net)


def test_in_another_process():
    nets = [net for name in REGISTRY for net in networks(name)] + networks(ntkbook.Softplus(sharpness=3.0))
    program = """
import pickle, sys
nets = pickle.load(sys.stdin.buffer)
import ntkbook
assert all(net.activation is ntkbook.get_activation(net.activation.name) for net in nets[:-3])
sys.stdout.buffer.write(pickle.dumps(nets))
"""
    done = subprocess.run([sys.executable, "-c", program], input=pickle.dumps(nets), capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    assert pickle.loads(done.stdout) == nets

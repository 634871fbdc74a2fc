"""The network of (1.1)-(1.2) against NumPy, and its parameters."""

import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest
from closeness import assert_close

import ntkbook

pytestmark = pytest.mark.usefixtures("strict")


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_output_and_gradient_are_the_printed_ones(depth):
    net = ntkbook.mlp(width=4, depth=depth)
    params, x = net.init(jax.random.key(0), 3), jax.random.normal(jax.random.key(1), (2, 3))
    weights, readout = [np.asarray(W, float) for W in params.weights], np.asarray(params.readout, float)
    f, gradient = oracles.output_and_gradient(weights, readout, x[0], "tanh")
    assert_close(net(params, x[0]), f)
    for actual, expected in zip(jax.tree.leaves(jax.grad(net)(params, x[0])), gradient, strict=True):
        assert_close(actual, expected)  # (1.4) and (1.5)
    assert net(params, x[0]).shape == () and net(params, x).shape == (2,)
    assert_close(net(params, x)[0], f)


def test_draws_have_the_stated_standard_deviations():
    net = ntkbook.mlp(width=200, depth=2, w_std=1.5, a_std=0.5)
    params = net.init(jax.random.key(0), 50)
    assert [W.shape for W in params.weights] == [(200, 50), (200, 200)] and params.readout.shape == (200,)
    for leaf, std, within in zip(jax.tree.leaves(params), (1.5, 1.5, 0.5), (0.05, 0.03, 0.1), strict=True):
        assert leaf.dtype == jnp.result_type(float)
        assert float(leaf.std()) == pytest.approx(std, abs=within)
        assert float(leaf.mean()) == pytest.approx(0, abs=within)
    flat = [np.ravel(leaf)[:100] for leaf in jax.tree.leaves(params)]
    assert np.abs(np.corrcoef(flat) - np.eye(3)).max() < 0.4  # no two groups share their draws


def test_draws_follow_the_key_alone():
    net = ntkbook.mlp(width=4)
    same = net.init(jax.random.key(7), 3), net.init(jax.random.key(7), 3)
    assert_close(same[0].readout, same[1].readout)
    assert np.abs(net.init(jax.random.key(8), 3).readout - same[0].readout).max() > 0.01
    many = jax.vmap(lambda key: net.init(key, 3))(jax.random.split(jax.random.key(0), 4))
    assert many.readout.shape == (4, 4)


def test_outputs_stay_of_order_one_in_the_width():
    x = jnp.ones(3)
    sizes = []
    for width in (16, 256):
        net = ntkbook.mlp(width=width, depth=2)
        keys = jax.random.split(jax.random.key(0), 200)
        sizes.append(float(jax.jit(jax.vmap(lambda key, net=net: net(net.init(key, 3), x)))(keys).std()))
    assert sizes[1] / sizes[0] == pytest.approx(1, abs=0.25)


def test_biases():
    without, net = ntkbook.mlp(width=100, depth=2), ntkbook.mlp(width=100, depth=2, b_std=0.3)
    assert without == ntkbook.mlp(width=100, depth=2, b_std=0)
    bare, params = (network.init(jax.random.key(0), 3) for network in (without, net))
    assert bare.biases == () and [b.shape for b in params.biases] == [(100,), (100,)]
    for left, right in zip(jax.tree.leaves(bare), jax.tree.leaves(params), strict=False):
        assert (left == right).all()  # the same draws but for the biases
    drawn = np.stack(params.biases)
    assert drawn.std() == pytest.approx(0.3, rel=0.2) and abs(np.corrcoef(drawn)[0, 1]) < 0.3
    x = jax.random.normal(jax.random.key(1), (5, 3))
    hidden = np.asarray(x, float)
    for W, b in zip(params.weights, params.biases, strict=True):
        hidden = np.tanh(hidden @ np.asarray(W, float).T + np.asarray(b, float)) / 10
    assert_close(net(params, x), hidden @ np.asarray(params.readout, float))

    @jax.jit  # as the network is
    def by_hand(params, x):
        for W in params.weights:
            x = jnp.tanh(x @ W.T) / jnp.sqrt(jnp.asarray(100, x.dtype))
        return x @ params.readout

    assert (without(bare, x) == by_hand(bare, x)).all()  # without biases nothing changes, to the last bit
    with pytest.raises(ValueError, match=r"params must have shapes .*\(100,\), \(100,\)\] for .* b_std 0.3 "):
        net(bare, x)
    with pytest.raises(ValueError, match="params must have shapes .*b_std 0 "):
        without(params, x)


@pytest.mark.parametrize(
    ("error", "match", "arguments"),
    [
        (ValueError, "width must be at least 1, got 0. Pass 1 or more", {"width": 0}),
        (ValueError, "b_std must be finite and not negative, got -1.0. Pass 0 or more", {"b_std": -1}),
        (TypeError, "width must be an integer, got 8.0. Pass a Python int", {"width": 8.0}),
        (ValueError, "depth must be at least 1, got -1", {"depth": -1}),
        (ValueError, "w_std must be positive and finite, got 0.0. Pass a number above 0", {"w_std": 0}),
        (ValueError, "a_std must be positive and finite, got nan", {"a_std": np.nan}),
        (TypeError, "a_std must be a number, got 'one'", {"a_std": "one"}),
        (
            ValueError,
            r"activation must be one of tanh, .*got 'swish'.*ntkbook.Activation\(name",
            {"activation": "swish"},
        ),
        (TypeError, "activation must be a name or an ntkbook.Activation.*Wrap a function", {"activation": np.tanh}),
    ],
)
def test_bad_networks(error, match, arguments):
    with pytest.raises(error, match=match):
        ntkbook.mlp(**({"width": 8} | arguments))


def test_bad_draws_and_calls():
    net = ntkbook.mlp(width=4)
    with pytest.raises(TypeError, match=r"key must be one JAX random key, got 0. Make one with jax.random.key\(seed\)"):
        net.init(0, 3)
    with pytest.raises(TypeError, match="key must be one JAX random key"):
        net.init(jax.random.split(jax.random.key(0)), 3)
    with pytest.raises(ValueError, match="input_dim must be at least 1, got 0"):
        net.init(jax.random.key(0), 0)
    params = net.init(jax.random.key(0), 3)
    with pytest.raises(ValueError, match=r"x must have 1 or 2 axes, got shape \(1, 2, 3\)"):
        net(params, jnp.ones((1, 2, 3)))
    with pytest.raises(ValueError, match="params must have shapes .* points with 2 coordinates"):
        net(params, jnp.ones(2))


def test_numpy_float64_is_not_turned_into_float32_unnoticed():
    program = """
import jax, numpy as np, ntkbook
net = ntkbook.mlp(width=4)
params = net.init(jax.random.key(0), 3)
x, narrow, y = np.eye(3), np.eye(3, dtype=np.float32), np.ones(3)
wide = ntkbook.MLPParams((np.ones((4, 3)),), np.ones(4))
times = np.ones(1, np.float32)
for arguments in (
    (net, params, x), (net, wide, narrow), (net, params, narrow, x), (lambda w, x: w @ x, np.ones(3), narrow),
):
    try:
        ntkbook.empirical_ntk(*arguments)
    except TypeError as error:
        print(error)
for y, times in ((y, times), (y.astype(np.float32), np.ones(1))):
    try:
        ntkbook.gradient_flow(net, params, narrow, y, times)
    except TypeError as error:
        print(error)
assert ntkbook.empirical_ntk(net, params, narrow).dtype == np.float32
assert ntkbook.empirical_ntk(net, params, x.tolist()).dtype == np.float32
"""
    environment = {**os.environ, "JAX_ENABLE_X64": "0"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["x", "params", "x_test", "params", "y", "times"]
    for line in lines:
        assert "NumPy float64" in line and "Call ntkbook.enable_float64() first" in line

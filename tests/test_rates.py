"""The orders in the width that the theorems state, measured on a few networks. All slow."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import ntkbook

pytestmark = pytest.mark.slow

SEEDS = 8


@pytest.fixture(scope="module", autouse=True)
def double():
    if jnp.result_type(float) != jnp.float64:
        pytest.skip("differences of kernels are measured in float64")


def two_layers(width):
    return ntkbook.mlp(width=width, depth=2)


def exponent(measure, widths, make=two_layers):
    """The fitted exponent of measure(net, params) over seeds and widths."""

    def row(m):
        net = make(m)
        return [measure(net, net.init(jax.random.key(seed), 4)) for seed in range(SEEDS)]

    return ntkbook.diagnostics.fit_exponent(widths, np.array([row(m) for m in widths]).T)


X = np.array([[1, 0, 0, 0], [0.6, 0.8, 0, 0], [0, 0.6, 0, 0.8]])
Y = np.array([1.0, -1.0, 1.0])


@pytest.mark.parametrize(("order", "predicted"), [(2, 0.0), (3, -1.0), (4, -1.0)])
def test_sizes_at_the_start(order, predicted):
    # (2.3): max |K^(k)| ~ m^0, m^-1, m^-1 for k = 2, 3, 4.
    fit = exponent(
        lambda net, params: jnp.abs(ntkbook.empirical_kernel(net, params, X, order=order)).max(), (128, 256, 512, 1024)
    )
    assert fit.slope == pytest.approx(predicted, abs=0.2)


@pytest.mark.nightly
@pytest.mark.parametrize("name", ["resnet", "conv"])
@pytest.mark.parametrize(("order", "predicted"), [(2, 0.0), (3, -1.0), (4, -1.0)])
def test_sizes_at_the_start_of_other_networks(name, order, predicted):
    make = {
        "resnet": lambda m: ntkbook.resnet(width=m, depth=2),
        "conv": lambda m: ntkbook.conv(width=m, image_shape=(4,), depth=2, filter_size=2),
    }[name]
    fit = exponent(
        lambda net, params: jnp.abs(ntkbook.empirical_kernel(net, params, X[:2], order=order)).max(),
        (64, 128, 256, 512),
        make,
    )
    assert fit.slope == pytest.approx(predicted, abs=0.2)


def test_fluctuation_of_the_ntk_about_its_limit():
    def distance(net, params):
        return jnp.abs(ntkbook.empirical_ntk(net, params, X) - ntkbook.limit_kernel(net, X)).max()

    assert exponent(distance, (128, 256, 512, 1024)).slope == pytest.approx(-0.5, abs=0.2)


@pytest.mark.parametrize(
    ("level", "predicted", "widths"),
    [(2, -1.0, (32, 64, 128, 256)), (3, -1.0, (32, 64, 128, 256)), (4, -2.0, (256, 512, 1024))],
)
def test_truncation_errors(level, predicted, widths):
    # Theorem 2.6: m^(-floor(p/2)), with the residual at the start fixed and the same for every network. Level 4 shows
    # its slope late, in the width and in time.
    times = jnp.array([4.0])
    tight = {"rtol": 1e-12, "atol": 1e-12}

    def error(net, params):
        h = ntkbook.kernel_hierarchy(net, params, X, max_order=level)
        y = h.outputs + Y
        flow = ntkbook.gradient_flow(net, params, X, y, times, **tight)
        return jnp.abs(ntkbook.truncated_flow(h, y, times, level=level, **tight).outputs - flow.outputs).max()

    assert exponent(error, widths).slope == pytest.approx(predicted, abs=0.35)


def test_movement_of_the_kernel():
    # Corollary 2.4: max |K_t - K_0| ~ 1/m.
    def movement(net, params):
        y = net(params, X) + Y
        flow = ntkbook.gradient_flow(net, params, X, y, jnp.array([0.0, 1.0]))
        return jnp.abs(flow.kernel[1] - flow.kernel[0]).max()

    assert exponent(movement, (32, 64, 128, 256)).slope == pytest.approx(-1, abs=0.25)


@pytest.mark.parametrize("activation", ["tanh", "relu", "erf", "softplus"])
def test_one_hidden_layer_has_its_limit_as_mean_at_every_width(activation):
    net = ntkbook.mlp(width=8, depth=1, activation=activation, w_std=1.2, a_std=0.7)
    keys = jax.random.split(jax.random.key(0), 20_000)
    kernels = jax.lax.map(lambda key: ntkbook.empirical_ntk(net, net.init(key, 4), X), keys, batch_size=1000)
    error = kernels.std(axis=0) / np.sqrt(len(keys))
    assert (jnp.abs(kernels.mean(axis=0) - ntkbook.limit_kernel(net, X)) < 5 * error).all()

"""Convolutional networks and skip connections: against plain loops, against the mlp, through every kernel and flow."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest
from closeness import assert_close

import ntkbook

pytestmark = pytest.mark.usefixtures("strict")

NETWORKS = {
    "resnet": ntkbook.resnet(width=4, branch_scale=0.7, w_std=1.3, a_std=0.8),
    "conv of a signal": ntkbook.conv(width=3, image_shape=(6,), depth=2, w_std=1.3),
    "conv of an image": ntkbook.conv(
        width=3, image_shape=(2, 3), depth=2, filter_size=2, padding="zero", pooling="flatten"
    ),
}
D = 6
every_network = pytest.mark.parametrize("net", NETWORKS.values(), ids=NETWORKS)


def problem(net):
    x = ntkbook.data.sphere_points(jax.random.key(1), 3, D)
    return net.init(jax.random.key(0), D), x[:2], x[2:], jnp.array([1.0, -1.0], x.dtype)


# -- the outputs against plain loops ----------------------------------------------------------------------------------


def resnet_by_hand(net, params, x):
    first, *others = [np.asarray(W, float) for W in params.weights]
    hidden = np.tanh(first @ np.asarray(x, float)) / np.sqrt(net.width)
    for W in others:
        hidden = hidden + net.branch_scale * np.tanh(W @ hidden) / np.sqrt(net.width)
    return np.asarray(params.readout, float) @ hidden


def conv_by_hand(net, params, x):
    """One pixel, one channel, one place of the filter at a time."""
    sides = net.image_shape
    values = np.asarray(x, float).reshape(*sides, net.input_channels)
    reach = range(-((net.filter_size - 1) // 2), net.filter_size - (net.filter_size - 1) // 2)
    for ell, W in enumerate(params.weights):
        W, hidden = np.asarray(W, float), np.zeros((*sides, net.width))
        for pixel in itertools.product(*map(range, sides)):
            for tap, offset in zip(np.ndindex(W.shape[2:]), itertools.product(reach, repeat=len(sides)), strict=True):
                place = np.add(pixel, offset)
                if net.padding == "zero" and not all(0 <= q < side for q, side in zip(place, sides, strict=True)):
                    continue
                hidden[pixel] += W[:, :, *tap] @ values[*(place % sides)]
        scale = 1 if ell == 0 else np.sqrt(net.filter_size ** len(sides))
        values = np.tanh(hidden / scale) / np.sqrt(net.width)
    pixels, readout = values.reshape(-1, net.width), np.asarray(params.readout, float)
    if net.pooling == "average":
        return readout @ pixels.mean(axis=0)
    return (readout * pixels).sum() / np.sqrt(len(pixels))


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_resnet_against_a_loop(depth):
    net = ntkbook.resnet(width=5, depth=depth, branch_scale=0.6)
    params, x = net.init(jax.random.key(0), 3), jax.random.normal(jax.random.key(1), (2, 3))
    assert_close(net(params, x), [resnet_by_hand(net, params, point) for point in x])
    assert_close(net(params, x[0]), resnet_by_hand(net, params, x[0]))


@pytest.mark.parametrize("pooling", ["average", "flatten"])
@pytest.mark.parametrize("padding", ["circular", "zero"])
@pytest.mark.parametrize(
    ("image_shape", "filter_size"),
    [((5,), 3), ((3, 4), 3), ((3, 2), 2), ((2, 2), 1), pytest.param((4,), 2, marks=pytest.mark.slow)],
)
def test_conv_against_loops(image_shape, filter_size, padding, pooling):
    net = ntkbook.conv(
        width=3,
        image_shape=image_shape,
        depth=2,
        filter_size=filter_size,
        input_channels=2,
        padding=padding,
        pooling=pooling,
    )
    params = net.init(jax.random.key(0))
    x = jax.random.normal(jax.random.key(1), (2, 2 * int(np.prod(image_shape))))
    assert_close(jax.jit(net)(params, x), [conv_by_hand(net, params, point) for point in x])
    assert jax.eval_shape(net, params, x[0]).shape == ()


# -- what they reduce to ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [2, 3, pytest.param(4, marks=pytest.mark.slow)])
def test_resnet_without_branches_is_the_mlp_of_one_layer(order):
    net, mlp = ntkbook.resnet(width=5, depth=3, branch_scale=0), ntkbook.mlp(width=5)
    params, x, _, _ = problem(net)
    single = ntkbook.MLPParams(params.weights[:1], params.readout)
    assert_close(net(params, x), mlp(single, x))
    actual = ntkbook.empirical_kernel(net, params, x, order=order)
    assert_close(actual, ntkbook.empirical_kernel(mlp, single, x, order=order))


def test_resnet_of_one_layer_is_the_mlp():
    net, mlp = ntkbook.resnet(width=5, depth=1), ntkbook.mlp(width=5)
    params, x, _, _ = problem(mlp)
    assert_close(net(params, x), mlp(params, x))


@pytest.mark.parametrize("pooling", ["average", pytest.param("flatten", marks=pytest.mark.slow)])
def test_conv_of_one_pixel_is_the_mlp(pooling):
    net = ntkbook.conv(width=4, image_shape=(1, 1), depth=3, filter_size=1, input_channels=D, pooling=pooling)
    mlp = ntkbook.mlp(width=4, depth=3)
    params, x, x_test, _ = problem(net)
    same = ntkbook.MLPParams(tuple(W[:, :, 0, 0] for W in params.weights), params.readout.ravel())
    assert_close(net(params, x), mlp(same, x))
    actual = ntkbook.empirical_kernel(net, params, x, order=3, x_test=x_test)
    assert_close(actual, ntkbook.empirical_kernel(mlp, same, x, order=3, x_test=x_test))


def test_conv_with_a_filter_as_large_as_the_signal_averages_the_mlp_over_shifts():
    net, mlp = ntkbook.conv(width=4, image_shape=(D,), filter_size=D), ntkbook.mlp(width=4)
    params, x, _, _ = problem(net)
    same = ntkbook.MLPParams((params.weights[0][:, 0, :],), params.readout)
    assert_close(net(params, x), np.mean([mlp(same, jnp.roll(x, k, axis=1)) for k in range(D)], axis=0))


def test_circular_conv_with_pooling_does_not_see_shifts():
    net = ntkbook.conv(width=4, image_shape=(4, 4), depth=2)
    params, x = net.init(jax.random.key(0)), jax.random.normal(jax.random.key(1), (16,))
    shifted = jnp.roll(x.reshape(4, 4), (1, 2), axis=(0, 1)).ravel()
    assert_close(net(params, shifted), net(params, x))
    aware = ntkbook.conv(width=4, image_shape=(4, 4), depth=2, padding="zero")
    assert jnp.abs(aware(params, shifted) - aware(params, x)) > 1e-3


# -- draws ------------------------------------------------------------------------------------------------------------


def test_resnet_draws_as_the_mlp():
    arguments = {"width": 4, "depth": 3, "w_std": 1.5, "a_std": 0.5}
    drawn = [make(**arguments).init(jax.random.key(0), 3) for make in (ntkbook.resnet, ntkbook.mlp)]
    for left, right in zip(*map(jax.tree.leaves, drawn), strict=True):
        assert_close(left, right)


def test_conv_draws_have_the_stated_standard_deviations():
    net = ntkbook.conv(width=60, image_shape=(8, 8), depth=2, input_channels=3, w_std=1.5, a_std=0.5, pooling="flatten")
    params = net.init(jax.random.key(0), input_dim=8 * 8 * 3)
    assert [W.shape for W in params.weights] == [(60, 3, 3, 3), (60, 60, 3, 3)] and params.readout.shape == (64, 60)
    for leaf, std in zip(jax.tree.leaves(params), (1.5, 1.5, 0.5), strict=True):
        assert leaf.dtype == jnp.result_type(float)
        assert float(leaf.std()) == pytest.approx(std, rel=0.06)


@pytest.mark.parametrize("name", NETWORKS)
def test_outputs_stay_of_order_one_in_the_width(name):
    make = {
        "resnet": lambda m: ntkbook.resnet(width=m, depth=3),
        "conv of a signal": lambda m: ntkbook.conv(width=m, image_shape=(6,), depth=3),
        "conv of an image": lambda m: ntkbook.conv(
            width=m, image_shape=(2, 3), depth=3, filter_size=2, pooling="flatten"
        ),
    }[name]
    x = jnp.ones(D)
    sizes = []
    for net in map(make, (16, 64)):
        keys = jax.random.split(jax.random.key(0), 200)
        sizes.append(float(jax.jit(jax.vmap(lambda key, net=net: net(net.init(key, D), x)))(keys).std()))
    assert sizes[1] / sizes[0] == pytest.approx(1, abs=0.25)
    assert 0.1 < sizes[1] < 3


# -- kernels and flows ------------------------------------------------------------------------------------------------


@every_network
@pytest.mark.parametrize("order", [2, 3, pytest.param(4, marks=pytest.mark.slow)])
def test_kernels_against_the_oracle(net, order):
    params, x, x_test, _ = problem(net)
    assert_close(
        ntkbook.empirical_kernel(net, params, x, order=order, x_test=x_test),
        oracles.empirical_kernel(net, params, x, order, x_test),
        float32=1e-4,
    )


@every_network
@pytest.mark.parametrize("order", [2, 3, pytest.param(4, marks=pytest.mark.slow)])
def test_symmetry_and_sign_of_the_readout(net, order):
    params, x, _, _ = problem(net)
    flipped = params._replace(readout=-params.readout)
    K = ntkbook.empirical_kernel(net, params, x, order=order)
    assert_close(K, K.swapaxes(0, 1))
    assert_close(ntkbook.empirical_kernel(net, flipped, x, order=order), (-1) ** order * K)
    assert jnp.abs(K).max() > 1e-3


@pytest.mark.parametrize(
    "name", ["resnet", "conv of an image", pytest.param("conv of a signal", marks=pytest.mark.slow)]
)
def test_flow_and_the_slope_of_its_loss(name):
    # dL/dt = -(1/n^2) r.K r, with dL/dt = -|grad L|^2 at the flow's own parameters.
    net = NETWORKS[name]
    params, x, x_test, y = problem(net)
    flow = ntkbook.gradient_flow(net, params, x, y, jnp.array([0.0, 0.5, 1.0]), x_test=x_test, keep_params=True)
    assert flow.result.ok and flow.test_outputs.shape == (3, 1) and (jnp.diff(flow.loss) < 0).all()

    def squared_gradient(params):
        gradient = jax.grad(lambda params: jnp.sum((net(params, x) - y) ** 2) / (2 * len(y)))(params)
        return sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(gradient))

    r = flow.outputs - y[None]
    slopes = jnp.einsum("ta,tab,tb->t", r, flow.kernel, r) / len(y) ** 2
    assert_close(jax.vmap(squared_gradient)(flow.params), slopes)
    assert_close(jax.vmap(net, in_axes=(0, None))(flow.params, x), flow.outputs)


def test_equal_networks_are_compiled_once():
    for make in (lambda: ntkbook.resnet(width=4), lambda: ntkbook.conv(width=4, image_shape=[2, 3], filter_size=2)):
        assert make() == make() and hash(make()) == hash(make())


# -- bad arguments ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "match", "arguments"),
    [
        (ValueError, "width must be at least 1, got 0", {"width": 0}),
        (ValueError, "depth must be at least 1, got 0. Pass 1 or more", {"depth": 0}),
        (ValueError, "branch_scale must be finite and not negative, got -1.0. Pass 0 or more", {"branch_scale": -1}),
        (ValueError, "branch_scale must be finite and not negative, got inf", {"branch_scale": np.inf}),
        (TypeError, "branch_scale must be a number, got 'half'. Pass a Python float", {"branch_scale": "half"}),
        (ValueError, "w_std must be positive and finite, got 0.0", {"w_std": 0}),
        (ValueError, "a_std must be positive and finite, got -1.0", {"a_std": -1}),
        (ValueError, "activation must be one of tanh", {"activation": "swish"}),
    ],
)
def test_bad_resnets(error, match, arguments):
    with pytest.raises(error, match=match):
        ntkbook.resnet(**({"width": 8} | arguments))


@pytest.mark.parametrize(
    ("error", "match", "arguments"),
    [
        (TypeError, r"image_shape must be \(length,\) or \(height, width\), got 8. Pass a tuple", {"image_shape": 8}),
        (TypeError, r"image_shape must be .*got \(2, 3, 4\)", {"image_shape": (2, 3, 4)}),
        (TypeError, r"image_shape must be .*got 'ab'", {"image_shape": "ab"}),
        (TypeError, "a side of image_shape must be an integer, got 2.5", {"image_shape": (2.5, 3)}),
        (ValueError, "a side of image_shape must be at least 1, got 0", {"image_shape": (0, 3)}),
        (ValueError, r"filter_size must be at most the shortest side .*\(4, 5\), got 5. Pass 4", {"filter_size": 5}),
        (ValueError, "filter_size must be at least 1, got 0", {"filter_size": 0}),
        (ValueError, "input_channels must be at least 1, got 0", {"input_channels": 0}),
        (ValueError, "padding must be one of circular, zero, got 'same'. Pass one of these", {"padding": "same"}),
        (ValueError, "pooling must be one of average, flatten, got None", {"pooling": None}),
        (ValueError, "depth must be at least 1, got 0", {"depth": 0}),
        (ValueError, "width must be at least 1, got -2", {"width": -2}),
        (TypeError, "w_std must be a number, got 'one'", {"w_std": "one"}),
        (ValueError, "a_std must be positive", {"a_std": 0}),
        (TypeError, "activation must be a name", {"activation": np.tanh}),
    ],
)
def test_bad_convs(error, match, arguments):
    with pytest.raises(error, match=match):
        ntkbook.conv(**({"width": 8, "image_shape": (4, 5)} | arguments))


@every_network
def test_bad_draws_and_calls(net):
    params, x, _, _ = problem(net)
    kind = type(params).__name__
    with pytest.raises(TypeError, match="key must be one JAX random key, got 0"):
        net.init(0, D)
    with pytest.raises(TypeError, match=f"params of a .* must be ntkbook.{kind}.*got tuple. Draw them with net.init"):
        net(tuple(params), x)
    with pytest.raises(ValueError, match=r"params must have shapes .* for width .*, got .*Draw them with net.init"):
        net(params._replace(weights=params.weights[:1]), x)
    with pytest.raises(ValueError, match=r"x must have 1 or 2 axes, got shape \(1, 2, 6\)"):
        net(params, x[None])
    with pytest.raises(TypeError, match="x must be float32 or float64, got float16.*Convert with astype"):
        net(params, x.astype(jnp.float16))


def test_points_that_are_no_images():
    net = ntkbook.conv(width=4, image_shape=(4, 4))
    params = net.init(jax.random.key(0))
    with pytest.raises(
        ValueError, match=r"input_dim must be that of image_shape \(4, 4\).*16 coordinates, got 8. Leave"
    ):
        net.init(jax.random.key(0), 8)
    with pytest.raises(ValueError, match=r"x must have the coordinates of image_shape \(4, 4\).*got shape \(2, 8\)"):
        net(params, jnp.ones((2, 8)))
    with pytest.raises(ValueError, match="x must have the coordinates of image_shape.*Flatten each image"):
        ntkbook.empirical_ntk(net, params, jnp.ones((2, 8)))


def test_resnet_wants_points_of_the_right_length():
    net = ntkbook.resnet(width=4)
    with pytest.raises(ValueError, match="input_dim must be at least 1, got 0"):
        net.init(jax.random.key(0), 0)
    with pytest.raises(ValueError, match="params must have shapes .* points with 2 coordinates"):
        net(net.init(jax.random.key(0), 3), jnp.ones(2))


@pytest.mark.parametrize("name", ["layer_kernels", "limit_kernel"])
def test_what_knows_the_layers_of_an_mlp_alone_says_so(name):
    net = ntkbook.resnet(width=4)
    x = jnp.eye(3)
    arguments = (net.init(jax.random.key(0), 3), x) if name == "layer_kernels" else (x,)
    with pytest.raises(TypeError, match=f"{name} wants an ntkbook.mlp.*got ResNet"):
        getattr(ntkbook, name)(net, *arguments)

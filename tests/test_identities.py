"""The exact identities of the hierarchy, for random networks, points and labels."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from closeness import assert_close
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import ntkbook

pytestmark = pytest.mark.usefixtures("strict")

# Shapes stay the same, so that an example costs no compilation; a draw is a seed and scales, which do shrink.
settings.register_profile(
    "identities",
    deadline=None,
    max_examples=8,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("identities")

N, D, M = 3, 3, 4


@st.composite
def problems(draw, depth=2, activation="tanh"):
    """A network, its parameters, points and labels."""
    keys = jax.random.split(jax.random.key(draw(st.integers(0, 2**31 - 1))), 3)
    net = ntkbook.mlp(width=M, depth=depth, activation=activation)
    scale = draw(st.sampled_from([0.3, 1.0, 1.5]))
    params = jax.tree.map(lambda leaf: leaf * scale, net.init(keys[0], D))
    return net, params, ntkbook.data.sphere_points(keys[1], N, D), jax.random.normal(keys[2], (N,))


def kernel(net, params, x, order):
    return ntkbook.empirical_kernel(net, params, x, order=order)


# -- symmetries -------------------------------------------------------------------------------------------------------


@given(problems())
def test_symmetric_in_the_first_two_slots(problem):
    net, params, x, _ = problem
    for order in (2, 3, 4):
        K = kernel(net, params, x, order)
        assert_close(K, K.swapaxes(0, 1))


@given(problems(), st.permutations(range(N)))
def test_order_of_the_points_only_orders_the_entries(problem, order_of_points):
    net, params, x, _ = problem
    index = np.array(order_of_points)
    for order in (2, 3, 4):
        expected = kernel(net, params, x, order)[np.ix_(*[index] * order)]
        assert_close(kernel(net, params, x[index], order), expected)


def test_not_symmetric_in_any_other_pair_of_slots(small):
    for order in (3, 4):
        K = small.hierarchy.kernels[order]
        for i, j in itertools.combinations(range(order), 2):
            asymmetry = float(jnp.abs(K - K.swapaxes(i, j)).max() / jnp.abs(K).max())
            assert (asymmetry < 1e-5) == ((i, j) == (0, 1)), (order, i, j, asymmetry)


@given(problems())
def test_layer_kernels_are_positive_semidefinite(problem):
    net, params, x, _ = problem
    G = ntkbook.layer_kernels(net, params, x)
    K = kernel(net, params, x, 2)
    floor = -100 * jnp.finfo(K.dtype).eps * jnp.abs(K).max()
    for G_layer in G:
        assert_close(G_layer, G_layer.T)
        assert jnp.linalg.eigvalsh(G_layer).min() >= floor
        assert jnp.linalg.eigvalsh(K - G_layer).min() >= floor


@given(problems())
def test_sign_of_the_readout(problem):
    net, params, x, _ = problem
    for order in (2, 3, 4):
        flipped = kernel(net, params._replace(readout=-params.readout), x, order)
        assert_close(flipped, (-1) ** order * kernel(net, params, x, order))


@given(problems(), st.integers(0, N - 1))
def test_odd_activation_counts_the_sign_of_a_point_once_a_slot(problem, i):
    net, params, x, _ = problem
    signs = jnp.ones(N, x.dtype).at[i].set(-1)
    for order in (2, 3, 4):
        slots = functools.reduce(jnp.multiply.outer, [signs] * order)
        flipped = kernel(net, params, x * signs[:, None], order)
        assert_close(flipped, slots * kernel(net, params, x, order))


def test_an_activation_that_is_not_odd_breaks_that_law():
    net = ntkbook.mlp(width=M, depth=1, activation="softplus")
    params, x = net.init(jax.random.key(0), D), ntkbook.data.sphere_points(jax.random.key(1), N, D)
    K, flipped = kernel(net, params, x, 2), kernel(net, params, -x, 2)
    assert jnp.abs(K - flipped).max() > 1e-2


@given(problems(), st.integers(0, 2**31 - 1))
def test_rotation_of_inputs_and_first_layer(problem, seed):
    net, params, x, _ = problem
    Q, _ = jnp.linalg.qr(jax.random.normal(jax.random.key(seed), (D, D), x.dtype))
    first, *others = params.weights
    rotated = params._replace(weights=(first @ Q.T, *others))
    for order in (2, 3, 4):
        assert_close(kernel(net, rotated, x @ Q.T, order), kernel(net, params, x, order), float32=1e-4)


@given(problems(depth=1))
def test_duplicated_neurons(problem):
    net, params, x, _ = problem
    (W,), a = params.weights, params.readout
    double = ntkbook.mlp(width=2 * M, depth=1)
    twice = ntkbook.MLPParams((jnp.concatenate([W, W]),), jnp.concatenate([a, a]))
    for order in (2, 3, 4):
        assert_close(kernel(double, twice, x, order), 2 ** (1 - order / 2) * kernel(net, params, x, order))


@given(problems(depth=2, activation="relu"), st.sampled_from([0.5, 3.0]))
def test_homogeneous_activation_and_the_scale_of_a_point(problem, c):
    # f(c x) = c f(x), so every slot of every kernel is homogeneous in its point.
    net, params, x, _ = problem
    scales = jnp.ones(N, x.dtype).at[1].set(c)
    for order in (2, 3):
        slots = functools.reduce(jnp.multiply.outer, [scales] * order)
        assert_close(kernel(net, params, x * scales[:, None], order), slots * kernel(net, params, x, order))


@given(st.integers(0, 2**31 - 1))
def test_an_affine_model_has_no_higher_kernels(seed):
    keys = jax.random.split(jax.random.key(seed), 3)
    params = {"w": jax.random.normal(keys[0], (D,)), "b": jax.random.normal(keys[1], ())}
    x = jax.random.normal(keys[2], (N, D))
    assert_close(kernel(affine, params, x, 2), x @ x.T + 1)
    for order in (3, 4):
        assert jnp.abs(kernel(affine, params, x, order)).max() == 0


def affine(params, point):
    return params["w"] @ point + params["b"]


# -- along the flow: derivatives in the direction -grad L -------------------------------------------------------------


def loss(net, params, x, y):
    return jnp.sum((net(params, x) - y) ** 2) / (2 * len(y))


@functools.partial(jax.jit, static_argnames=("net", "observable"))
def rate(net, params, x, y, observable):
    """d/dt of observable(net, params, x, y) along the gradient flow."""
    velocity = jax.tree.map(jnp.negative, jax.grad(loss, argnums=1)(net, params, x, y))
    return jax.jvp(lambda params: observable(net, params, x, y), (params,), (velocity,))[1]


def outputs(net, params, x, y):
    return net(params, x)


def K3(net, params, x, y):
    return kernel(net, params, x, 3)


def squared_norms(net, params, x, y):
    return jnp.stack([jnp.sum(leaf**2) for leaf in jax.tree.leaves(params)])


@given(problems())
def test_slopes_of_outputs_loss_and_kernels(problem):
    # (2.1), dL/dt = -(1/n^2) r.K r, and (2.2) for r = 3.
    net, params, x, y = problem
    r, K = net(params, x) - y, kernel(net, params, x, 2)
    assert_close(rate(net, params, x, y, outputs), -K @ r / N)
    assert_close(rate(net, params, x, y, loss), -r @ K @ r / N**2)
    assert_close(rate(net, params, x, y, K3), -kernel(net, params, x, 4) @ r / N)
    slope = ntkbook.diagnostics.hierarchy_slope(net, params, x, y, order=3)
    assert_close(slope, -kernel(net, params, x, 4) @ r / N)


def balance(net, params, x, y):
    f = net(params, x)
    return -2 / N * (f @ (f - y))


@given(problems())
def test_norm_of_the_readout_for_every_activation(problem):
    assert_close(rate(*problem, squared_norms)[-1], balance(*problem))


@pytest.mark.parametrize("activation", ["relu", "identity"])
@given(data=st.data())
def test_norms_of_all_layers_for_homogeneous_activations(activation, data):
    problem = data.draw(problems(activation=activation))
    assert_close(rate(*problem, squared_norms), jnp.full((3,), balance(*problem)))


def test_norms_of_other_layers_differ_for_other_activations(small):
    slopes = rate(small.net, small.params, small.x, small.y, squared_norms)
    assert abs(slopes[0] - slopes[-1]) > 1e-3


@given(st.integers(0, 2**31 - 1))
def test_frozen_kernel_is_the_matrix_exponential(seed):
    keys = jax.random.split(jax.random.key(seed), 3)
    B = jax.random.normal(keys[0], (N, N))
    f, y = jax.random.normal(keys[1], (N,)), jax.random.normal(keys[2], (N,))
    flow = ntkbook.frozen_kernel_flow(ntkbook.KernelHierarchy(f, {2: B @ B.T}), y, jnp.array([0.0, 0.7]))
    eigenvalues, V = np.linalg.eigh(np.asarray(B @ B.T, float))
    expected = np.asarray(y) + V @ (np.exp(-eigenvalues * 0.7 / N) * (V.T @ np.asarray(f - y)))
    assert_close(flow.outputs, [f, expected], float32=1e-4)


@given(problems())
def test_loss_falls_along_the_exact_flow(problem):
    net, params, x, y = problem
    flow = ntkbook.gradient_flow(net, params, x, y, jnp.array([0.0, 0.5, 1.0, 2.0]))
    assert (jnp.diff(flow.loss) <= 0).all()

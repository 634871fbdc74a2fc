"""The flows against SciPy's integration of the equations as they are printed, and against each other."""

import pickle

import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest
from closeness import assert_close

import ntkbook
from ntkbook import _checks
from ntkbook.dynamics import _integrate

pytestmark = pytest.mark.usefixtures("strict")


def random_hierarchy(n=3, k=2, max_order=5):
    """A hierarchy of no network: kernels without any symmetry, so that a transposed slot shows."""
    rng = np.random.default_rng(0)
    dtype = jnp.result_type(float)

    def draw(*shape):
        return jnp.asarray(rng.normal(size=shape) / 2, dtype)

    kernels = {r: draw(*(n,) * r) for r in range(2, max_order + 1)}
    test_kernels = {r: draw(k, *(n,) * (r - 1)) for r in range(2, max_order + 1)}
    return ntkbook.KernelHierarchy(draw(n), kernels, draw(k), test_kernels)


def single(K2, K3, f=0.0):
    """One point: f' = -K r and K' = -K3 r."""
    return ntkbook.KernelHierarchy(jnp.array([f]), {2: jnp.full((1, 1), K2), 3: jnp.full((1, 1, 1), K3)})


@pytest.fixture(scope="module")
def exact(small):
    return ntkbook.gradient_flow(
        small.net, small.params, small.x, small.y, small.times, x_test=small.x_test, keep_params=True
    )


# -- truncated hierarchy ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", [2, 3, 4, 5])
def test_truncated_flow_solves_the_printed_hierarchy(small, level):
    h = random_hierarchy()
    flow = ntkbook.truncated_flow(h, small.y, small.times, level=level)
    f, K, f_test = oracles.truncated_flow(h, small.y, small.times, level)
    assert flow.result.ok and flow.params is None
    for actual, expected in ((flow.outputs, f), (flow.kernel, K), (flow.test_outputs, f_test)):
        assert_close(actual, expected, float64=1e-9, float32=2e-4)
    assert_close(flow.loss, ((f - np.asarray(small.y)) ** 2).sum(axis=1) / 6, float64=1e-9, float32=2e-4)


def test_time_zero_is_the_start(small):
    h = random_hierarchy()
    flow = ntkbook.truncated_flow(h, small.y, small.times, level=5)
    assert_close(flow.outputs[0], h.outputs)
    assert_close(flow.kernel[0], h.kernels[2])
    assert_close(flow.test_outputs[0], h.test_outputs)


def test_test_points_that_are_training_points(small):
    h = ntkbook.kernel_hierarchy(small.net, small.params, small.x, max_order=3, x_test=small.x)
    flow = ntkbook.truncated_flow(h, small.y, small.times, level=3)
    assert_close(flow.test_outputs, flow.outputs)
    frozen = ntkbook.frozen_kernel_flow(h, small.y, small.times)
    assert_close(frozen.test_outputs, frozen.outputs)


def test_level_uses_no_kernel_above(small):
    h = random_hierarchy()
    cut = ntkbook.KernelHierarchy(
        h.outputs, {r: h.kernels[r] for r in (2, 3)}, h.test_outputs, {r: h.test_kernels[r] for r in (2, 3)}
    )
    flows = [ntkbook.truncated_flow(hierarchy, small.y, small.times, level=3) for hierarchy in (h, cut)]
    assert_close(flows[0].outputs, flows[1].outputs)


def error_slopes(small, levels, x_test=None):
    h = ntkbook.kernel_hierarchy(small.net, small.params, small.x, max_order=max(levels))
    times = jnp.array([0.1, 0.2, 0.4])
    tight = {"rtol": 1e-13, "atol": 1e-14}
    exact = ntkbook.gradient_flow(small.net, small.params, small.x, small.y, times, **tight)
    for level in levels:
        flow = ntkbook.truncated_flow(h, small.y, times, level=level, **tight)
        error_f = np.abs(flow.outputs - exact.outputs).max(axis=1)
        error_K = np.abs(flow.kernel - exact.kernel).max(axis=(1, 2))
        yield level, np.log2(error_f[1:] / error_f[:-1]), np.log2(error_K[1:] / error_K[:-1])


@pytest.mark.parametrize("levels", [(2, 3, 4), pytest.param((5,), marks=pytest.mark.slow)])
def test_truncation_error_grows_as_a_power_of_time(small, levels):
    # f: t^p, K^(2): t^(p-1), as the first term that is left out says.
    if small.x.dtype != jnp.float64:
        pytest.skip("the errors are below what float32 resolves")
    for level, slope_f, slope_K in error_slopes(small, levels):
        assert np.abs(slope_f - level).max() < 0.35, (level, slope_f)
        assert np.abs(slope_K - (level - 1)).max() < 0.35, (level, slope_K)


# -- frozen kernel ----------------------------------------------------------------------------------------------------


def test_frozen_flow_is_the_matrix_exponential_and_level_two(small):
    h = small.hierarchy
    frozen = ntkbook.frozen_kernel_flow(h, small.y, small.times)
    f, K, f_test = oracles.truncated_flow(h, small.y, small.times, 2)
    assert_close(frozen.outputs, f, float64=1e-10)
    assert_close(frozen.test_outputs, f_test, float64=1e-10)
    assert_close(frozen.kernel, K)
    propagators = [jax.scipy.linalg.expm(-h.kernels[2] * (t / 3)) for t in small.times]
    assert_close(frozen.outputs, [small.y + E @ (h.outputs - small.y) for E in propagators])


def test_frozen_flow_with_a_singular_kernel(small):
    # A direction the kernel does not see stays where it is, and a test point may still see it.
    h = ntkbook.KernelHierarchy(
        jnp.zeros(2), {2: jnp.diag(jnp.array([2.0, 0.0]))}, jnp.zeros(1), {2: jnp.array([[0.0, 1.0]])}
    )
    flow = ntkbook.frozen_kernel_flow(h, jnp.array([1.0, 1.0]), jnp.array([0.0, 4.0]))
    assert_close(flow.outputs[1], [1 - np.exp(-4.0), 0.0])
    assert_close(flow.test_outputs, [[0.0], [2.0]])


def test_a_very_stiff_kernel_at_a_very_long_time():
    h = ntkbook.KernelHierarchy(jnp.zeros(2), {2: jnp.diag(jnp.array([1e8, 1.0]))})
    flow = ntkbook.frozen_kernel_flow(h, jnp.ones(2), jnp.array([2.0, 1e9]))
    assert_close(flow.outputs, [[1.0, 1 - np.exp(-1.0)], [1.0, 1.0]])


def test_overflow_of_the_frozen_flow_is_reported():
    h = ntkbook.KernelHierarchy(jnp.zeros(2), {2: -jnp.eye(2)})
    with pytest.raises(ntkbook.FlowError, match="grew without bound near t = 10.") as caught:
        ntkbook.frozen_kernel_flow(h, jnp.ones(2), jnp.array([1.0, 10.0, 1e4]))
    assert caught.value.trajectory.times.tolist() == [1.0, 10.0]


FAR = [0.0, 1.0, 1e2, 1e4, 1e6, 1e8, 1e12, 1e16, 1e30, np.inf]


def test_the_loss_of_a_gram_matrix_never_rises_up_to_infinity():
    # 9 parameters and 40 points: most eigenvalues are zero, and rounding makes half of them negative.
    net = ntkbook.mlp(width=3)
    x = jax.random.normal(jax.random.key(1), (40, 2))
    h = ntkbook.kernel_hierarchy(net, net.init(jax.random.key(0), 2), x, max_order=2, x_test=x[:5] + 0.1)
    assert jnp.linalg.eigvalsh(h.kernels[2]).min() < 0
    y = jnp.sign(x[:, 0])
    flow = ntkbook.frozen_kernel_flow(h, y, FAR)
    loss = np.asarray(flow.loss)
    assert (np.diff(loss) <= 1e-6 * loss[1:]).all() and loss[-1] < 0.1 * loss[0]
    K, k = np.asarray(h.kernels[2], float), np.asarray(h.test_kernels[2], float)
    rcond = 1e-13 if x.dtype == jnp.float64 else 3e-6
    weights = np.linalg.lstsq(K, np.asarray(h.outputs - y, float), rcond=rcond)[0]
    for last in (flow.outputs[-1], flow.outputs[-2]):
        assert_close(last, np.asarray(h.outputs, float) - K @ weights, float64=1e-10, float32=1e-3)
    for last in (flow.test_outputs[-1], flow.test_outputs[-2]):
        assert_close(last, np.asarray(h.test_outputs, float) - k @ weights, float64=1e-9, float32=1e-2)


def test_points_that_contradict_each_other_are_met_in_the_middle():
    x = jnp.array([[1.0, 0.0], [1.0, 0.0], [0.6, 0.8], [0.6, 0.8]])
    net = ntkbook.mlp(width=64, depth=2)
    h = ntkbook.kernel_hierarchy(net, net.init(jax.random.key(0), 2), x, max_order=2, x_test=x[::-1])
    h = ntkbook.KernelHierarchy(jnp.zeros(4), h.kernels, jnp.zeros(4), h.test_kernels)
    flow = ntkbook.frozen_kernel_flow(h, jnp.array([2.0, 0.0, 1.0, -1.0]), FAR[4:])
    middle = np.tile([1.0, 1.0, 0.0, 0.0], (6, 1))
    assert_close(flow.outputs, middle, float64=1e-12, float32=1e-5)
    assert_close(flow.test_outputs, middle[:, ::-1], float64=1e-12, float32=1e-5)


def test_an_eigenvalue_that_is_small_but_known_is_no_rounding():
    h = ntkbook.KernelHierarchy(jnp.zeros(2), {2: jnp.diag(jnp.array([1.0, 1e-20]))})
    flow = ntkbook.frozen_kernel_flow(h, jnp.ones(2), [1.0, 2e20, jnp.inf])
    assert_close(flow.outputs[:, 1], [0.0, 1 - np.exp(-1.0), 1.0])


def test_other_flows_refuse_infinity_and_say_which_takes_it(small):
    with pytest.raises(ValueError, match="times must be finite.*frozen_kernel_flow alone takes jnp.inf"):
        ntkbook.gradient_flow(small.net, small.params, small.x, small.y, [0.0, np.inf])
    with pytest.raises(ValueError, match="times must be finite.*frozen_kernel_flow alone takes jnp.inf"):
        ntkbook.truncated_flow(random_hierarchy(), small.y, [0.0, np.inf])
    with pytest.raises(ValueError, match="times must be strictly increasing, got inf before inf"):
        ntkbook.frozen_kernel_flow(ntkbook.KernelHierarchy(jnp.zeros(1), {2: jnp.eye(1)}), [1.0], [np.inf, np.inf])


# Near the ends of the spectrum: apart, equal, almost equal, stiff, singular.
SPECTRA = [
    [2.0, 1.0, 0.5, 0.3],
    [1.0, 1.0, 1.0, 2.0],
    [1.0, 1 + 1e-9, 1 - 1e-13, 3.0],
    [1e-3, 1e-3 * (1 + 1e-12), 50.0, 0.9],
    [5.0, 2.0, 0.0, 0.0],
]


@pytest.mark.parametrize("spectrum", SPECTRA)
def test_derivatives_of_the_frozen_flow(spectrum):
    # Against the derivative of the exponential of [[-K, 0], [1, 0]], whose lower block is the integral.
    rng = np.random.default_rng(0)
    dtype = jnp.result_type(float)
    Q, _ = np.linalg.qr(rng.normal(size=(4, 4)))
    K = Q @ np.diag(spectrum) @ Q.T
    k = rng.normal(size=(2, 4)) @ K  # sees what K sees
    draws = ((K + K.T) / 2, k, *(rng.normal(size=size) for size in (4, 4, 2)), [0.3, 2.0, 40.0])
    arguments = tuple(jnp.asarray(draw, dtype) for draw in draws)
    weights = jnp.asarray(rng.normal(size=(3, 6)), dtype)

    def closed_form(K, k, f, y, f_test, times):
        h = ntkbook.KernelHierarchy(f, {2: K}, f_test, {2: k})
        flow = ntkbook.frozen_kernel_flow(h, y, times, keep_kernel=False)
        return jnp.sum(weights * jnp.concatenate([flow.outputs, flow.test_outputs], axis=1))

    def by_expm(K, k, f, y, f_test, times):
        zero, one = jnp.zeros((4, 4), dtype), jnp.eye(4, dtype=dtype)
        A = jnp.block([[-(K + K.T) / 2, zero], [one, zero]]) / 4

        def outputs(t):
            z = jax.scipy.linalg.expm(A * t) @ jnp.concatenate([f - y, jnp.zeros(4, dtype)])
            return jnp.concatenate([y + z[:4], f_test - k @ z[4:]])

        return jnp.sum(weights * jax.vmap(outputs)(times))

    every = tuple(range(6))
    expected = jax.grad(by_expm, argnums=every)(*arguments)
    for derivative in (jax.grad, jax.jacfwd):
        for actual, wanted in zip(derivative(closed_form, argnums=every)(*arguments), expected, strict=True):
            assert_close(actual, wanted, float64=1e-11, float32=3e-4)


def test_the_derivative_in_an_entry_of_the_identity_by_hand():
    # L = sum over i of exp(-2 K_ii t / n) / (2n), so dL/dK_ii = -t exp(-2t/n) / n^2.
    def loss(K):
        h = ntkbook.KernelHierarchy(jnp.zeros(2), {2: K})
        return ntkbook.frozen_kernel_flow(h, jnp.ones(2), jnp.ones(1)).loss[0]

    for derivative in (jax.grad, jax.jacfwd):
        assert_close(jnp.diagonal(derivative(loss)(jnp.eye(2))), [-np.exp(-1.0) / 4] * 2)


@pytest.mark.parametrize("hessian", [jax.hessian, lambda f: jax.jacrev(jax.jacrev(f))], ids=["forward", "backward"])
def test_a_second_derivative_in_the_kernel_is_refused_and_those_in_the_rest_are_right(hessian):
    K, f, y, t = jnp.diag(jnp.array([1.0, 1.0, 0.0])), jnp.zeros(3), jnp.array([1.0, -2.0, 3.0]), jnp.array([2.0])

    def loss(K, y, t):
        return ntkbook.frozen_kernel_flow(ntkbook.KernelHierarchy(f, {2: K}), y, t).loss[0]

    with pytest.raises(NotImplementedError, match="first order"):
        hessian(loss)(K, y, t)
    decay = np.exp(-2 * 2 / 3 * np.array([1.0, 1.0, 0.0]))  # of the squared residuals
    assert_close(hessian(lambda y: loss(K, y, t))(y), np.diag(decay / 3))
    assert_close(hessian(lambda t: loss(K, y, t))(t)[0, 0], (2 / 3) ** 2 * (decay[:2] * np.array([1, 4])).sum() / 6)


def test_derivatives_at_infinity_are_those_of_the_pseudoinverse():
    if jnp.result_type(float) != jnp.float64:
        pytest.skip("a difference quotient, for float64")
    rng = np.random.default_rng(1)
    B, k, r, dB = rng.normal(size=(4, 2)), rng.normal(size=(2, 2)), rng.normal(size=4), rng.normal(size=(4, 2))

    def at(s):  # kernels of rank 2
        factor = jnp.asarray(B) + s * jnp.asarray(dB)
        h = ntkbook.KernelHierarchy(
            jnp.asarray(r), {2: factor @ factor.T}, jnp.zeros(2), {2: jnp.asarray(k) @ factor.T}
        )
        flow = ntkbook.frozen_kernel_flow(h, jnp.zeros(4), [jnp.inf])
        return jnp.concatenate([flow.outputs[0], flow.test_outputs[0]])

    def by_lstsq(s):
        factor = B + s * dB
        weights = np.linalg.pinv(factor @ factor.T, rcond=1e-10, hermitian=True) @ r
        return np.concatenate([r - factor @ factor.T @ weights, -k @ factor.T @ weights])

    assert_close(at(0.0), by_lstsq(0.0))
    slope = jax.jacfwd(at)(0.0)
    assert_close(slope, (by_lstsq(1e-5) - by_lstsq(-1e-5)) / 2e-5, float64=1e-7)
    assert_close(jax.jacrev(at)(0.0), slope)


# -- several outputs --------------------------------------------------------------------------------------------------


def test_several_outputs_are_slots_of_a_flat_hierarchy():
    # 2 points with 3 outputs are 6 slots; but the 1/n of the loss counts points, so that time runs 3 times as fast.
    rng = np.random.default_rng(0)
    dtype = jnp.result_type(float)
    y = jnp.asarray(rng.normal(size=(2, 3)), dtype)
    flat = random_hierarchy(n=6, k=3, max_order=4)
    shapes = {r: (2, 3) * r for r in flat.kernels}
    h = ntkbook.KernelHierarchy(
        flat.outputs.reshape(2, 3),
        {r: K.reshape(shapes[r]) for r, K in flat.kernels.items()},
        flat.test_outputs.reshape(1, 3),
        {r: K.reshape(1, *shapes[r][1:]) for r, K in flat.test_kernels.items()},
    )
    times = np.array([0.0, 0.1, 0.3])
    for level in (2, 4):
        flow = ntkbook.truncated_flow(h, y, times.astype(dtype), level=level)
        f, K, f_test = oracles.truncated_flow(flat, np.ravel(y), 3 * times, level)
        assert_close(flow.outputs, f.reshape(3, 2, 3), float64=1e-9, float32=2e-4)
        assert_close(flow.kernel, K.reshape(3, 2, 3, 2, 3), float64=1e-9, float32=2e-4)
        assert_close(flow.test_outputs, f_test.reshape(3, 1, 3), float64=1e-9, float32=2e-4)
        assert_close(flow.loss, ((f - np.ravel(y)) ** 2).sum(axis=1) / 4, float64=1e-9, float32=2e-4)
    symmetric = (flat.kernels[2] + flat.kernels[2].T) / 2
    h = ntkbook.KernelHierarchy(h.outputs, {2: symmetric.reshape(2, 3, 2, 3)}, h.test_outputs, h.test_kernels)
    frozen, level_2 = (flow(h, y, times.astype(dtype)) for flow in (ntkbook.frozen_kernel_flow, level_two))
    for name in ("outputs", "kernel", "loss", "test_outputs"):
        assert_close(getattr(frozen, name), getattr(level_2, name), float64=1e-9, float32=2e-4)


def level_two(h, y, times):
    return ntkbook.truncated_flow(h, y, times, level=2)


def test_training_of_several_outputs():
    # f_c = w_c . x: each output is a linear regression of its own, with the kernel x.x'.
    x, times = jnp.array([[1.0, 0.0, 1.0], [0.0, 2.0, 1.0]]), jnp.array([0.0, 0.5, 2.0])
    y = jnp.array([[1.0, -1.0], [0.5, 0.0]])
    params = jnp.array([[0.1, 0.2, 0.3], [-0.2, 0.0, 0.4]])

    def net(w, point):
        return w @ point

    flow = ntkbook.gradient_flow(net, params, x, y, times, x_test=x[:1], keep_kernel=False)
    assert flow.outputs.shape == (3, 2, 2) and flow.test_outputs.shape == (3, 1, 2) and flow.kernel is None
    for c in range(2):
        h = ntkbook.KernelHierarchy(x @ params[c], {2: x @ x.T})
        assert_close(
            flow.outputs[..., c], ntkbook.frozen_kernel_flow(h, y[:, c], times).outputs, float64=1e-9, float32=2e-4
        )
    assert_close(flow.test_outputs[:, 0], flow.outputs[:, 0])
    assert_close(flow.loss, ((np.asarray(flow.outputs) - np.asarray(y)) ** 2).sum(axis=(1, 2)) / 4)
    descent = ntkbook.gradient_descent(net, params, x, y, learning_rate=0.1, steps=1, keep_kernel=False)
    assert_close(descent.outputs[1], x @ (params - 0.1 / 2 * (params @ x.T - y.T) @ x).T)
    with pytest.raises(ValueError, match=r"y must hold one label for each of the 2 points and each of the 2 outputs"):
        ntkbook.gradient_flow(net, params, x, y[:, :1], times)
    with pytest.raises(ValueError, match=r"y must have 2 axes, got shape \(2,\)"):
        ntkbook.gradient_flow(net, params, x, y[:, 0], times)


# -- what a trajectory holds ------------------------------------------------------------------------------------------


def all_flows(small, times, **options):
    h = ntkbook.KernelHierarchy(jnp.zeros(3), {2: jnp.eye(3), 3: jnp.zeros((3, 3, 3))})
    yield lambda: ntkbook.gradient_flow(small.net, small.params, small.x, small.y, times, **options)
    yield lambda: ntkbook.truncated_flow(h, small.y, times, level=3, **options)
    yield lambda: ntkbook.frozen_kernel_flow(h, small.y, times, **options)
    steps = {"learning_rate": 0.1, "steps": len(times) - 1}
    yield lambda: ntkbook.gradient_descent(small.net, small.params, small.x, small.y, **steps, **options)


def test_the_kernel_can_be_left_out(small):
    with_kernel, without = (list(all_flows(small, small.times, **options)) for options in ({}, {"keep_kernel": False}))
    for flow, same in zip(with_kernel, without, strict=True):
        assert same().kernel is None and flow().kernel.shape == (4, 3, 3)
        assert_close(same().outputs, flow().outputs)


def test_what_does_not_fit_into_memory_is_refused_before_any_work(small, monkeypatch):
    # 4 times: 36 numbers of kernels, 12 of outputs, and 4 x 45 of parameters
    size = small.y.dtype.itemsize
    fits = list(all_flows(small, small.times))
    monkeypatch.setattr(_checks, "memory", lambda: 47.0 * size)
    for flow in fits:
        with pytest.raises(
            ValueError, match="a trajectory of 4 times must fit.*kernels .*outputs .*keep_kernel=False or f"
        ):
            flow()
    for flow in all_flows(small, small.times, keep_kernel=False):
        assert flow().kernel is None
    monkeypatch.setattr(_checks, "memory", lambda: 48.0 * size)
    for flow in fits:
        assert flow().kernel is not None
    with pytest.raises(ValueError, match="parameters .*keep_params=False or fewer times"):
        ntkbook.gradient_flow(small.net, small.params, small.x, small.y, small.times, keep_params=True)
    with pytest.raises(ValueError, match="a larger every"):
        ntkbook.gradient_descent(small.net, small.params, small.x, small.y, learning_rate=0.1, steps=4)
    with pytest.raises(ValueError, match="a trajectory of 5 times must fit into memory"):
        jax.jit(lambda y: ntkbook.truncated_flow(random_hierarchy(), y, jnp.arange(5.0), level=2).loss)(small.y)


def test_a_thousand_points_at_two_thousand_times_are_told_what_they_ask_for(monkeypatch):
    monkeypatch.setattr(_checks, "memory", lambda: 8e9)
    h = ntkbook.KernelHierarchy(np.zeros(1000, "f4"), {2: np.eye(1000, dtype="f4")})
    with pytest.raises(ValueError, match="got 8e.09 bytes .kernels 8e.09, outputs 8e.06., and this machine has 8e.09"):
        ntkbook.frozen_kernel_flow(h, np.zeros(1000, "f4"), np.arange(2001, dtype="f4"))


def test_empty_parts_of_the_parameters_are_carried_along():
    # a layer without parameters, as other libraries write it, and an array of size zero
    x, y = jnp.array([[1.0, 0.5], [0.0, 1.0]]), jnp.array([1.0, -1.0])
    params = {"w": jnp.array([0.5, -0.5]), "nothing": (), "empty": jnp.zeros((0, 3))}
    flow = ntkbook.gradient_flow(linear, params, x, y, [0.0, 1.0], keep_params=True)
    alone = ntkbook.gradient_flow(linear, {"w": params["w"]}, x, y, [0.0, 1.0])
    assert_close(flow.outputs, alone.outputs)
    assert flow.params["nothing"] == () and flow.params["empty"].shape == (2, 0, 3)
    descent = ntkbook.gradient_descent(linear, params, x, y, learning_rate=0.1, steps=2, keep_params=True)
    assert descent.params["nothing"] == () and descent.params["empty"].shape == (3, 0, 3)


def linear(params, point):
    return params["w"] @ point


# -- the integrator ---------------------------------------------------------------------------------------------------


def test_the_method_meets_the_conditions_of_its_orders():
    # Quadrature of t^k, alone and behind one more stage, to order 8; its partner to order 7, and to no more.
    c = _integrate._A.sum(axis=1)
    b, difference = _integrate._B
    assert np.abs(np.triu(_integrate._A)).max() == 0
    for order in range(1, 9):
        assert b @ c ** (order - 1) == pytest.approx(1 / order, abs=1e-14)
    for order in range(2, 9):
        assert b @ _integrate._A @ c ** (order - 2) == pytest.approx(1 / order / (order - 1), abs=1e-13)
    for order in range(1, 8):
        assert difference @ c ** (order - 1) == pytest.approx(0, abs=1e-13)
    assert abs(difference @ c**7) > 1e-5


def test_the_error_falls_as_the_tolerance():
    if jnp.result_type(float) != jnp.float64:
        pytest.skip("tolerances below what float32 resolves")
    h, exact = single(2.0, 1.0, f=2.0), 2 / (1 + np.array([1.0, 3.0])) ** 2
    for tolerance in (1e-5, 1e-8, 1e-11):
        flow = ntkbook.truncated_flow(h, [0.0], [1.0, 3.0], level=3, rtol=tolerance, atol=tolerance)
        error = np.abs(flow.outputs[:, 0] - exact).max()
        assert 1e-5 * tolerance < error < 10 * tolerance


def test_gradients_pass_through_the_integrated_flows(small):
    if jnp.result_type(float) != jnp.float64:
        pytest.skip("a difference quotient, for float64")
    h = random_hierarchy(max_order=3)

    def last(y):
        return ntkbook.truncated_flow(h, y, small.times, level=3).outputs[-1].sum()

    gradient = jax.grad(last)(small.y)
    for k in range(3):
        step = jnp.zeros(3).at[k].set(1e-4)
        assert_close(gradient[k], (last(small.y + step) - last(small.y - step)) / 2e-4, float64=1e-6)


# -- exact flow -------------------------------------------------------------------------------------------------------


def test_gradient_flow_solves_the_printed_equations(small, exact):
    # The default accuracy: 1e-9 in float64.
    f, f_test, params = oracles.gradient_flow(small.params, small.x, small.y, small.times, "tanh", small.x_test)
    assert exact.result.ok
    assert_close(exact.outputs, f, float64=1e-9, float32=2e-4)
    assert_close(exact.test_outputs, f_test, float64=1e-9, float32=2e-4)
    for kept, expected in zip(jax.tree.leaves(exact.params), zip(*params, strict=True), strict=True):
        assert_close(kept, np.array(expected), float64=1e-9, float32=2e-4)


def test_gradient_flow_reports_the_kernel_and_loss_of_its_parameters(small, exact):
    last = jax.tree.map(lambda leaf: leaf[-1], exact.params)
    assert_close(exact.kernel[-1], ntkbook.empirical_ntk(small.net, last, small.x))
    residual = small.net(last, small.x) - small.y
    assert_close(exact.loss[-1], residual @ residual / 6)
    assert_close(exact.times, small.times)
    assert_close(exact.outputs[0], small.net(small.params, small.x))


def test_parameters_are_kept_on_request_only(small):
    flow = ntkbook.gradient_flow(small.net, small.params, small.x, small.y, small.times)
    assert flow.params is None and flow.test_outputs is None


def test_gradient_flow_of_any_callable():
    # f = w.x: the kernel never moves, so the flow is the frozen one.
    x = jnp.array([[1.0, 0.0, 1.0], [0.0, 2.0, 1.0], [1.0, 1.0, 0.0]])
    y, times = jnp.array([1.0, -1.0, 0.5]), jnp.array([0.0, 0.5, 1.0, 2.0])

    def affine(params, point):
        return params["w"] @ point

    params = {"w": jnp.array([0.1, 0.2, 0.3])}
    flow = ntkbook.gradient_flow(affine, params, x, y, times, keep_params=True)
    assert flow.params["w"].shape == (4, 3)
    h = ntkbook.kernel_hierarchy(affine, params, x, max_order=3)
    assert_close(h.kernels[3], np.zeros((3, 3, 3)))
    assert_close(flow.outputs, ntkbook.frozen_kernel_flow(h, y, times).outputs, float64=1e-9, float32=2e-4)


def test_gradient_descent_tends_to_the_flow_at_first_order(small, exact):
    errors = []
    for steps in (64, 128):
        descent = ntkbook.gradient_descent(
            small.net, small.params, small.x, small.y, learning_rate=2 / steps, steps=steps, every=steps // 4
        )
        assert_close(descent.times, [0.0, 0.5, 1.0, 1.5, 2.0])
        errors.append(np.abs(descent.outputs[2] - exact.outputs[2]).max())
    assert errors[0] < 0.02
    assert np.log2(errors[0] / errors[1]) == pytest.approx(1, abs=0.1)


def test_gradient_descent_takes_the_steps_it_says(small):
    descent = ntkbook.gradient_descent(
        small.net, small.params, small.x, small.y, learning_rate=0.1, steps=2, x_test=small.x_test, keep_params=True
    )

    def loss(params):
        return jnp.sum((small.net(params, small.x) - small.y) ** 2) / 6

    params = small.params
    for k in range(3):
        assert_close(descent.outputs[k], small.net(params, small.x))
        assert_close(descent.test_outputs[k], small.net(params, small.x_test))
        assert_close(descent.params.readout[k], params.readout)
        assert_close(descent.kernel[k], ntkbook.empirical_ntk(small.net, params, small.x))
        assert_close(descent.loss[k], loss(params))
        params = jax.tree.map(lambda p, g: p - 0.1 * g, params, jax.grad(loss)(params))


# -- ends of a flow ---------------------------------------------------------------------------------------------------
# One point with y = 0: f' = -K f, K' = -K3 f. So K - K3 f / K ... K^2 / 2 - K3 f is conserved (K K' = K3 f'), and with
# K(0)^2 = 2 K3 f(0) and f = K^2 / (2 K3): K' = -K^2 / 2, hence K = K(0) / (1 + K(0) t / 2), infinite at t = -2 / K(0).


@pytest.fixture(scope="module")
def blow_up():
    h, y, times = single(-2.0, 1.0, f=2.0), jnp.zeros(1), jnp.array([0.25, 0.5, 0.75, 2.0])
    return h, y, times, ntkbook.truncated_flow(h, y, times, level=3, throw=False)


def test_a_blow_up_is_found_at_its_time(blow_up):
    *_, times, flow = blow_up
    assert int(flow.result.code) == 2 and not flow.result.ok
    assert float(flow.result.time) == pytest.approx(1.0, abs=2e-3)
    reached = np.asarray(times[:3])
    assert_close(flow.kernel[:3, 0, 0], -2 / (1 - reached), float64=1e-8, float32=1e-3)
    assert_close(flow.outputs[:3, 0], 2 / (1 - reached) ** 2, float64=1e-8, float32=1e-3)
    for field in (flow.outputs, flow.kernel, flow.loss):
        assert np.isnan(field[3]).all()


def test_a_blow_up_raises_with_what_was_computed_and_the_remedy(blow_up):
    h, y, times, flow = blow_up
    with pytest.raises(ntkbook.FlowError, match="near t = .*earlier times, a wider network or another level") as caught:
        ntkbook.truncated_flow(h, y, times, level=3)
    kept = caught.value.trajectory
    assert_close(kept.outputs, flow.outputs[:3])
    assert kept.times.shape == kept.loss.shape == (3,) and kept.kernel.shape == (3, 1, 1)
    again = pickle.loads(pickle.dumps(caught.value))
    assert str(again) == str(caught.value)
    assert_close(again.trajectory.outputs, kept.outputs)


def test_the_same_equations_with_the_other_sign_converge(blow_up):
    # The mirror image K(0) = 2 > 0 decays as 1/(1 + t)^2.
    _, y, times, _ = blow_up
    flow = ntkbook.truncated_flow(single(2.0, 1.0, f=2.0), y, times, level=3)
    assert_close(flow.outputs[:, 0], 2 / (1 + np.asarray(times)) ** 2, float64=1e-9, float32=1e-4)


def test_the_step_limit_is_reported(blow_up):
    _, y, times, _ = blow_up
    h = single(2.0, 1.0, f=2.0)
    flow = ntkbook.truncated_flow(h, y, times, level=3, max_steps=2, throw=False)
    assert int(flow.result.code) == 1 and 0 < float(flow.result.time) < 2
    assert np.isnan(flow.outputs[-1]).all()
    with pytest.raises(ntkbook.FlowError, match="step limit was reached at t = .*Raise max_steps"):
        ntkbook.truncated_flow(h, y, times, level=3, max_steps=2)


def test_parameters_that_are_no_numbers_are_reported(small):
    params = jax.tree.map(lambda leaf: leaf * jnp.nan, small.params)
    with pytest.raises(ntkbook.FlowError, match="NaN or infinite after t = 0.*Look at outputs"):
        ntkbook.gradient_flow(small.net, params, small.x, small.y, small.times)


def test_a_huge_learning_rate_is_reported(small):
    net = ntkbook.mlp(width=4, depth=1, activation="identity")
    params = net.init(jax.random.key(0), 3)
    with pytest.raises(ntkbook.FlowError, match="lower the learning rate") as caught:
        ntkbook.gradient_descent(net, params, small.x, small.y, learning_rate=1e3, steps=10)
    assert 0 < len(caught.value.trajectory.times) < 11
    assert np.isfinite(caught.value.trajectory.outputs).all()


# -- transformations --------------------------------------------------------------------------------------------------


def test_jit_and_vmap_of_the_flows(blow_up):
    h, y, times, flow = blow_up
    hs = jax.tree.map(lambda a, b: jnp.stack([a, b]), h, single(2.0, 1.0, f=2.0))
    both = jax.jit(jax.vmap(lambda h: ntkbook.truncated_flow(h, y, times, level=3)))(hs)  # nothing is raised
    assert_close(both.outputs[0, :3], flow.outputs[:3], float64=1e-8, float32=1e-3)
    assert_close(both.outputs[1, :, 0], 2 / (1 + np.asarray(times)) ** 2, float64=1e-9, float32=1e-4)
    assert both.result.code.tolist() == [2, 0] and not both.result.ok
    assert "grew without bound" in str(both.result) and "successful" in str(both.result)
    frozen = jax.jit(jax.vmap(lambda h: ntkbook.frozen_kernel_flow(h, y, times).outputs))(hs)
    assert_close(frozen[1, :, 0], 2 * np.exp(-2 * np.asarray(times)))


def test_jit_of_gradient_flow_and_vmap_of_gradient_descent(small, exact):
    def flow(params):
        return ntkbook.gradient_flow(small.net, params, small.x, small.y, small.times)

    assert_close(jax.jit(flow)(small.params).outputs, exact.outputs, float64=1e-9, float32=2e-4)

    def descent(learning_rate, params):
        return ntkbook.gradient_descent(
            small.net, params, small.x, small.y, learning_rate=learning_rate, steps=2
        ).outputs

    rates = jnp.array([0.1, 0.2])
    both = jax.vmap(descent, in_axes=(0, None))(rates, small.params)
    assert_close(both[1], descent(0.2, small.params))


def test_a_trajectory_is_a_pytree_that_pickles(blow_up):
    flow = blow_up[-1]
    for copy in (jax.tree.map(lambda leaf: leaf, flow), pickle.loads(pickle.dumps(flow))):
        assert isinstance(copy, ntkbook.Trajectory)
        assert_close(copy.outputs[:3], flow.outputs[:3])
        assert str(copy.result) == str(flow.result)


@pytest.mark.parametrize("times", [[0.0], [1e-12], [3]])
def test_a_single_time(times):
    h = single(2.0, 0.0, f=1.0)
    flow = ntkbook.truncated_flow(h, [0], times, level=2)
    assert flow.times.dtype == h.outputs.dtype
    assert_close(flow.outputs, [[np.exp(-2 * times[0])]], float64=1e-9, float32=1e-4)


def test_long_times_stay_at_the_solution():
    flow = ntkbook.truncated_flow(single(2.0, 0.0, f=1.0), [0], [2000.0], level=2)
    assert np.abs(flow.outputs).max() < (1e-8 if flow.outputs.dtype == jnp.float64 else 1e-3)


# -- bad arguments ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "match", "changes"),
    [
        (ValueError, r"y must have 1 axes, got shape \(3, 1\)", {"y": np.ones((3, 1), "f4")}),
        (ValueError, r"y must hold one label for each of the 3 points, got shape \(2,\)", {"y": [1.0, 2.0]}),
        (ValueError, "y must be finite", {"y": [1.0, np.nan, 0.0]}),
        (ValueError, "times must not be negative, got -1.0. Training starts at time 0", {"times": [-1.0, 1.0]}),
        (ValueError, "times must be strictly increasing, got .* before .*. Sort them", {"times": [0.0, 1.0, 1.0]}),
        (ValueError, "times must hold at least one time, got none. Pass", {"times": []}),
        (ValueError, r"times must have 1 axes, got shape \(\)", {"times": 1.0}),
        (ValueError, "times must be finite", {"times": [0.0, np.nan]}),
        (ValueError, "rtol must be positive and finite, got 0.0. Pass a number above 0", {"rtol": 0}),
        (TypeError, "atol must be a number, got 'small'. Pass a Python float", {"atol": "small"}),
        (ValueError, "max_steps must be at least 1, got 0", {"max_steps": 0}),
        (TypeError, "max_steps must be an integer, got 10.0", {"max_steps": 10.0}),
    ],
)
def test_bad_arguments_of_the_integrated_flows(small, error, match, changes):
    arguments = {"y": small.y, "times": small.times} | changes
    with pytest.raises(error, match=match):
        ntkbook.truncated_flow(random_hierarchy(), level=3, **arguments)
    with pytest.raises(error, match=match):
        ntkbook.gradient_flow(small.net, small.params, small.x, **arguments)
    if set(changes) <= {"y", "times"}:
        with pytest.raises(error, match=match):
            ntkbook.frozen_kernel_flow(ntkbook.KernelHierarchy(jnp.zeros(3), {2: jnp.eye(3)}), **arguments)


@pytest.mark.parametrize(
    ("error", "match", "h", "level"),
    [
        (ValueError, "level must be at least 2, got 1", ntkbook.KernelHierarchy([0.0], {2: [[1.0]]}), 1),
        (TypeError, "level must be an integer, got 2.5", ntkbook.KernelHierarchy([0.0], {2: [[1.0]]}), 2.5),
        (ValueError, r"level 3 needs hierarchy.kernels of orders 2 to 3, got \[2\].*Compute the hierarchy with "
         "max_order=3, or lower the level", ntkbook.KernelHierarchy([0.0], {2: [[1.0]]}), 3),
        (ValueError, r"kernels\[2\] must have shape \(1, 1\), got \(2, 2\)",
         ntkbook.KernelHierarchy([0.0], {2: [[1.0, 0.0], [0.0, 1.0]]}), 2),
        (ValueError, r"level 2 needs hierarchy.test_kernels", ntkbook.KernelHierarchy([0.0], {2: [[1.0]]}, [0.0]), 2),
        (ValueError, r"test_kernels\[2\] must have shape \(2, 1\), got \(1, 1\)",
         ntkbook.KernelHierarchy([0.0], {2: [[1.0]]}, [0.0, 0.0], {2: [[1.0]]}), 2),
        (TypeError, "hierarchy.kernels must be a dict from order to kernel, got list",
         ntkbook.KernelHierarchy([0.0], [[[1.0]]]), 2),
        (ValueError, "hold at least one point, got none", ntkbook.KernelHierarchy([], {2: np.zeros((0, 0), "f4")}), 2),
        (ValueError, r"hierarchy.kernels\[2\] must be finite", ntkbook.KernelHierarchy([0.0], {2: [[np.nan]]}), 2),
        (TypeError, "must be an ntkbook.KernelHierarchy, got dict.*Make one with", {2: [[1.0]]}, 2),
    ],
)  # fmt: skip
def test_bad_hierarchies(error, match, h, level):
    y = np.zeros(len(getattr(h, "outputs", [0.0])), "f4").astype(jnp.result_type(float))
    with pytest.raises(error, match=match):
        ntkbook.truncated_flow(h, y, [0.0, 1.0], level=level)
    if level == 2:
        with pytest.raises(error, match=match):
            ntkbook.frozen_kernel_flow(h, y, [0.0, 1.0])


def test_a_frozen_kernel_must_be_symmetric():
    h = ntkbook.KernelHierarchy(jnp.zeros(2), {2: jnp.array([[1.0, 1.0], [0.0, 1.0]])})
    with pytest.raises(ValueError, match=r"kernels\[2\] must be symmetric.*Pass \(K \+ K.T\) / 2"):
        ntkbook.frozen_kernel_flow(h, jnp.ones(2), jnp.ones(1))


@pytest.mark.parametrize(
    ("error", "match", "changes"),
    [
        (ValueError, "learning_rate must be positive and finite, got -1.0", {"learning_rate": -1}),
        (TypeError, "learning_rate must be a number", {"learning_rate": "fast"}),
        (ValueError, "steps must be at least 1, got 0", {"steps": 0}),
        (ValueError, "every must divide steps, got every=3 and steps=10. Choose a divisor", {"every": 3}),
        (TypeError, "every must be an integer", {"every": 1.0}),
        (ValueError, "y must hold one label", {"y": [1.0]}),
    ],
)
def test_bad_arguments_of_gradient_descent(small, error, match, changes):
    arguments = {"y": small.y, "learning_rate": 0.1, "steps": 10} | changes
    with pytest.raises(error, match=match):
        ntkbook.gradient_descent(small.net, small.params, small.x, **arguments)


def test_mixed_precision_is_refused(small):
    other = {jnp.dtype("float32"): "float64", jnp.dtype("float64"): "float32"}[small.y.dtype]
    if jnp.zeros(0, other).dtype == small.y.dtype:
        pytest.skip("float64 is off")
    y = small.y.astype(other)
    with pytest.raises(TypeError, match=f"must share one floating dtype.*y: {other}"):
        ntkbook.gradient_flow(small.net, small.params, small.x, y, small.times)
    with pytest.raises(TypeError, match=f"must share one floating dtype.*y: {other}"):
        ntkbook.truncated_flow(random_hierarchy(), y, small.times)


def test_labels_and_times_may_be_lists_and_integers(small):
    h = random_hierarchy()
    expected = ntkbook.truncated_flow(h, jnp.array([1.0, -1.0, 0.0]), jnp.array([0.0, 1.0, 2.0, 3.0]), level=2)
    for y in ([1, -1, 0], [1.0, -1.0, 0.0], np.array([1, -1, 0])):
        assert_close(ntkbook.truncated_flow(h, y, [0, 1, 2, 3], level=2).outputs, expected.outputs)

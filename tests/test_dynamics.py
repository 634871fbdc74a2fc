"""The flows against SciPy's integration of the equations as they are printed, and against each other."""

import pickle

import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest
from closeness import assert_close

import ntkbook

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
        (ValueError, "times must be finite", {"times": [0.0, np.inf]}),
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
    y = small.y.astype(jnp.float16)
    with pytest.raises(TypeError, match="must share one floating dtype.*y: float16"):
        ntkbook.gradient_flow(small.net, small.params, small.x, y, small.times)
    with pytest.raises(TypeError, match="must share one floating dtype.*y: float16"):
        ntkbook.truncated_flow(random_hierarchy(), y, small.times)


def test_labels_and_times_may_be_lists_and_integers(small):
    h = random_hierarchy()
    expected = ntkbook.truncated_flow(h, jnp.array([1.0, -1.0, 0.0]), jnp.array([0.0, 1.0, 2.0, 3.0]), level=2)
    for y in ([1, -1, 0], [1.0, -1.0, 0.0], np.array([1, -1, 0])):
        assert_close(ntkbook.truncated_flow(h, y, [0, 1, 2, 3], level=2).outputs, expected.outputs)

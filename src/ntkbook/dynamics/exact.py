"""The exact flow: gradient descent in continuous time, in parameter space."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from ntkbook import _checks, _progress
from ntkbook.dynamics._integrate import MAX_STEPS, integrate, solver_options
from ntkbook.dynamics.trajectory import Trajectory, check_size, finish, loss
from ntkbook.kernels import Network, check_network, empirical_ntk

__all__ = ["gradient_flow"]


def gradient_flow(
    net: Network,
    params: Any,
    x: Array,
    y: Array,
    times: Array,
    x_test: Array | None = None,
    *,
    keep_params: bool = False,
    keep_kernel: bool = True,
    rtol: float | None = None,
    atol: float | None = None,
    max_steps: int = MAX_STEPS,
    throw: bool = True,
    progress: bool = True,
) -> Trajectory:
    r"""The exact flow :math:`\dot\theta = -\nabla_\theta L(\theta)`, (1.3), integrated in parameter space.

    See the chapter "Networks, gradient flow and the neural tangent kernel".

    Parameters
    ----------
    net, params
        A network of `mlp`, or any function ``f(params, x_point)`` that gives a scalar, or a vector of C outputs, and
        its parameters at time 0.
    x, y
        Training points (n, d) and labels (n,), or (n, C).
    times
        When to report: (T,), increasing, not negative. The integrator steps exactly onto each.
    x_test
        Test points (n', d), or None.
    keep_params
        Whether to return the parameters at every time: T times their memory.
    keep_kernel
        Whether to return the kernel at every time: T n^2 numbers, and as many kernels to compute.
    rtol, atol
        Bounds on the Euclidean norm of the error a step makes in the parameters, relative and absolute. By default
        1e-10 in float64, where outputs come out to 1e-9 or better for smooth activations, and 1e-5 in float32.
    max_steps
        The most steps to take.
    throw
        Whether to raise `FlowError` where the flow ends early. With False, look at ``.result``. Under jit and vmap
        nothing is raised: rows that were not reached hold NaN, and ``.result`` says why.
    progress
        Whether to show how far the integration is, once it has taken three seconds.

    Returns
    -------
    Trajectory

    Raises
    ------
    ValueError, TypeError
        Before any computation, if an argument does not fit, or the trajectory is larger than the machine's memory.
    FlowError
        If the flow ends early and `throw` is true.

    Notes
    -----
    Explicit Runge-Kutta of order 8 (Prince and Dormand). A step evaluates 13 gradients of the loss, each
    6 n (d m + (H-1) m^2) flops for an `mlp`. Memory: about 20 times that of the parameters, and the trajectory. It has
    a derivative in reverse mode (`jax.grad`), with respect to parameters, points and labels.

    Examples
    --------
    >>> import jax, jax.numpy as jnp, ntkbook
    >>> net = ntkbook.mlp(width=16, depth=1)
    >>> params = net.init(jax.random.key(0), 3)
    >>> flow = ntkbook.gradient_flow(net, params, jnp.eye(3), jnp.ones(3), jnp.linspace(0.0, 1.0, 5))
    >>> flow.outputs.shape, flow.kernel.shape, bool(flow.loss[-1] < flow.loss[0])
    ((5, 3), (5, 3, 3), True)
    """
    x, y, x_test, slots, test_slots = check_training(net, params, x, y, x_test)
    progress = bool(progress) and not _checks.is_traced(params, x, y, x_test, times)
    options = solver_options(x.dtype, times, rtol, atol, max_steps, progress)
    kept = {"keep_params": bool(keep_params), "keep_kernel": bool(keep_kernel)}
    check_size(
        len(options["times"]),
        slots,
        test_slots,
        x.dtype,
        keep_kernel=keep_kernel,
        params=params if keep_params else None,
    )
    with _progress.bar("gradient flow", wanted=progress):
        trajectory = _gradient_flow(net, params, x, y, x_test, **kept, **options)
    return finish(trajectory, throw)


def check_training(
    net: Network, params: Any, x: Array, y: Array, x_test: Array | None
) -> tuple[Array, Array, Array | None, int, int]:
    """The arguments that training shares, checked, and the numbers of outputs at the training and test points."""
    x, x_test = check_network(net, params, x, x_test)
    each = jax.eval_shape(net, params, jax.ShapeDtypeStruct(x.shape[1:], x.dtype)).shape
    y = _checks.labels(y, x, outputs=each)
    _checks.same_dtype(x=x, y=y)
    return x, y, x_test, y.size, 0 if x_test is None else len(x_test) * math.prod(each)


@partial(jax.jit, static_argnames=("net", "keep_params", "keep_kernel", "max_steps", "progress"))
def _gradient_flow(
    net: Network,
    params: Any,
    x: Array,
    y: Array,
    x_test: Array | None,
    *,
    keep_params: bool,
    keep_kernel: bool,
    **options: Any,
) -> Trajectory:
    def field(theta: Any) -> Any:
        return jax.tree.map(jnp.negative, jax.grad(loss_at)(theta, net, x, y))

    observe = observer(net, x, x_test, keep_params=keep_params, keep_kernel=keep_kernel)
    (f, K, f_test, kept), result = integrate(field, params, observe, flops=flops(params, x), **options)
    return Trajectory(options["times"], f, K, loss(f, y), f_test, kept, result)


def outputs(net: Network, theta: Any, x: Array) -> Array:
    """f at each point, (n,) or (n, C)."""
    return jax.vmap(net, in_axes=(None, 0))(theta, x)


def loss_at(theta: Any, net: Network, x: Array, y: Array) -> Array:
    """The loss of these parameters."""
    return loss(outputs(net, theta, x), y)


def observer(net: Network, x: Array, x_test: Array | None, *, keep_params: bool, keep_kernel: bool) -> Any:
    """What a trajectory keeps of the parameters at one time: outputs, kernel, test outputs, parameters."""

    def observe(theta: Any) -> tuple:
        kernel = empirical_ntk(net, theta, x) if keep_kernel else None
        test_outputs = None if x_test is None else outputs(net, theta, x_test)
        return outputs(net, theta, x), kernel, test_outputs, theta if keep_params else None

    return observe


def flops(params: Any, x: Array) -> float:
    """About what a gradient of the loss costs."""
    return 6.0 * len(x) * sum(leaf.size for leaf in jax.tree.leaves(params))

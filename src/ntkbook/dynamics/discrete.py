"""Gradient descent in discrete time."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from ntkbook import _checks, _progress
from ntkbook.dynamics.exact import check_training, flops, loss_at, observer
from ntkbook.dynamics.trajectory import Trajectory, check_size, finish, loss, result_of
from ntkbook.kernels import Network

__all__ = ["gradient_descent"]


def gradient_descent(
    net: Network,
    params: Any,
    x: Array,
    y: Array,
    *,
    learning_rate: float,
    steps: int,
    every: int = 1,
    x_test: Array | None = None,
    keep_params: bool = False,
    keep_kernel: bool = True,
    throw: bool = True,
    progress: bool = True,
) -> Trajectory:
    r"""Gradient descent in discrete time, :math:`\theta_{k+1} = \theta_k - \eta \nabla L(\theta_k)`.

    Parameters
    ----------
    net, params, x, y, x_test, keep_params, keep_kernel, throw, progress
        As for `gradient_flow`.
    learning_rate
        eta > 0, the step in units of gradient flow.
    steps
        How many steps to take.
    every
        Report every so many steps; it must divide `steps`. A report costs one NTK, unless `keep_kernel` is false.

    Returns
    -------
    Trajectory
        At steps 0, every, 2 every, ..., steps; its times are learning rate times steps.

    Raises
    ------
    ValueError, TypeError
        Before any computation, if an argument does not fit, or the trajectory is larger than the machine's memory.
    FlowError
        If a value becomes NaN or infinite and `throw` is true: the learning rate is too large.

    Notes
    -----
    A step costs one gradient of the loss.

    Examples
    --------
    >>> import jax, jax.numpy as jnp, ntkbook
    >>> net = ntkbook.mlp(width=16, depth=1)
    >>> params = net.init(jax.random.key(0), 3)
    >>> descent = ntkbook.gradient_descent(net, params, jnp.eye(3), jnp.ones(3), learning_rate=0.1, steps=20, every=10)
    >>> [round(float(t), 3) for t in descent.times]
    [0.0, 1.0, 2.0]
    """
    x, y, x_test, slots, test_slots = check_training(net, params, x, y, x_test)
    eta = _checks.positive(learning_rate, "learning_rate")
    steps = _checks.integer(steps, "steps", at_least=1)
    every = _checks.integer(every, "every", at_least=1)
    if steps % every:
        raise ValueError(f"every must divide steps, got every={every} and steps={steps}. Choose a divisor.")
    check_size(
        steps // every + 1,
        slots,
        test_slots,
        x.dtype,
        keep_kernel=keep_kernel,
        params=params if keep_params else None,
        fewer="reports (a larger every)",
    )
    progress = bool(progress) and not _checks.is_traced(params, x, y, x_test, eta)
    with _progress.bar("gradient descent", wanted=progress):
        trajectory = _gradient_descent(
            net,
            params,
            x,
            y,
            x_test,
            jnp.asarray(eta, x.dtype),
            reports=steps // every,
            every=every,
            keep_params=bool(keep_params),
            keep_kernel=bool(keep_kernel),
            progress=progress,
        )
    return finish(trajectory, throw)


@partial(jax.jit, static_argnames=("net", "reports", "every", "keep_params", "keep_kernel", "progress"))
def _gradient_descent(
    net: Network,
    params: Any,
    x: Array,
    y: Array,
    x_test: Array | None,
    eta: Array,
    *,
    reports: int,
    every: int,
    keep_params: bool,
    keep_kernel: bool,
    progress: bool,
) -> Trajectory:
    def step(theta: Any, k: Array) -> tuple[Any, None]:
        if progress:
            due = k % _progress.interval(flops(params, x)) == 0
            jax.lax.cond(due, lambda: _progress.report(k / (reports * every)), lambda: None)
        gradient = jax.grad(loss_at)(theta, net, x, y)
        return jax.tree.map(lambda p, g: p - eta * g, theta, gradient), None

    observe = observer(net, x, x_test, keep_params=keep_params, keep_kernel=keep_kernel)

    def report(theta: Any, k: Array) -> tuple[Any, tuple]:
        steps = every * (k - 1) + jnp.arange(every)  # those before report k; none before the first
        theta = jax.lax.cond(k > 0, lambda: jax.lax.scan(step, theta, steps)[0], lambda: theta)
        return theta, observe(theta)

    _, (f, K, f_test, kept) = jax.lax.scan(report, params, jnp.arange(reports + 1))
    times = eta * every * jnp.arange(reports + 1, dtype=x.dtype)
    return Trajectory(times, f, K, loss(f, y), f_test, kept, result_of(times, f))

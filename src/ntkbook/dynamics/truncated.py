"""The truncated hierarchy."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from ntkbook import _checks, _progress
from ntkbook.dynamics._hierarchies import Slots, check_hierarchy, flatten
from ntkbook.dynamics._integrate import MAX_STEPS, integrate, solver_options
from ntkbook.dynamics.trajectory import Trajectory, check_size, finish, loss
from ntkbook.kernels import KernelHierarchy

__all__ = ["truncated_flow"]


def truncated_flow(
    hierarchy: KernelHierarchy,
    y: Array,
    times: Array,
    level: int = 4,
    *,
    keep_kernel: bool = True,
    rtol: float | None = None,
    atol: float | None = None,
    max_steps: int = MAX_STEPS,
    throw: bool = True,
    progress: bool = True,
) -> Trajectory:
    r"""The hierarchy truncated at level p, (2.7): (2.1) and (2.2) with :math:`\partial_t K^{(p)} = 0`.

    With test kernels in the hierarchy also (2.11). What is integrated is not (2.7) as it stands but its exact solution
    in terms of iterated integrals of :math:`R_b(t) = \frac1n \int_0^t r_b\,ds`:

    .. math:: K_t^{(2)} = \sum_{j=0}^{p-2} (-1)^j \sum_{b_1 \ldots b_j} K_0^{(2+j)}(\cdot, \cdot, b_1, \ldots, b_j)\,
              R_{b_1 \ldots b_j}, \qquad dR_{b_1 \ldots b_j} = R_{b_2 \ldots b_j}\,dR_{b_1},

    so that the state holds n + n + n^2 + ... + n^(p-2) numbers and no kernel.

    Parameters
    ----------
    hierarchy
        Of `kernel_hierarchy`, or built by hand: outputs and kernels of orders 2 to p at time 0.
    y
        Labels, (n,), or (n, C) where the hierarchy is that of C outputs: then n stands for n C in the sums and sizes
        below, but not in the factor 1/n.
    times
        When to report: (T,), increasing, not negative.
    level
        p, at least 2 and at most the largest order in the hierarchy. Level 2 is the frozen kernel.
    keep_kernel
        Whether to return the kernel at every time: T n^2 numbers.
    rtol, atol, max_steps, throw, progress
        As for `gradient_flow`.

    Returns
    -------
    Trajectory
        Its kernel is the truncated hierarchy's own :math:`\tilde K_t^{(2)}`; params is None.

    Raises
    ------
    ValueError, TypeError
        Before any computation, if an argument does not fit, or the trajectory is larger than the machine's memory.
    FlowError
        If the solution blows up in finite time (levels above 2 can) or the step limit is reached, and `throw` is true.

    Notes
    -----
    A step costs 13 contractions of 2 n^p flops each (2 n' n^(p-1) more with n' test points). It has a derivative in
    reverse mode (`jax.grad`), with respect to kernels, outputs and labels.

    Examples
    --------
    >>> import jax, jax.numpy as jnp, ntkbook
    >>> net = ntkbook.mlp(width=64, depth=1)
    >>> h = ntkbook.kernel_hierarchy(net, net.init(jax.random.key(0), 3), jnp.eye(3), max_order=4)
    >>> ntkbook.truncated_flow(h, jnp.ones(3), jnp.linspace(0.0, 1.0, 5), level=4).kernel.shape
    (5, 3, 3)
    """
    level = _checks.integer(level, "level", at_least=2)
    hierarchy, y, slots = check_hierarchy(hierarchy, y, level)
    progress = bool(progress) and not _checks.is_traced(hierarchy, y, times)
    options = solver_options(y.dtype, times, rtol, atol, max_steps, progress)
    check_size(len(options["times"]), y.size, math.prod(slots.test or (0,)), y.dtype, keep_kernel=keep_kernel)
    with _progress.bar(f"truncated flow, level {level}", wanted=progress):
        trajectory = _truncated_flow(hierarchy, y, slots, level=level, keep_kernel=bool(keep_kernel), **options)
    return finish(trajectory, throw)


@partial(jax.jit, static_argnames=("slots", "level", "keep_kernel", "max_steps", "progress"))
def _truncated_flow(
    h: KernelHierarchy, y: Array, slots: Slots, *, level: int, keep_kernel: bool, **options: Any
) -> Trajectory:
    h, labels, n = flatten(h), y.ravel(), len(y)

    def kernel_at(kernels: dict[int, Array], integrals: tuple[Array, ...]) -> Array:
        signs = [(-1) ** k for k in range(level - 1)]
        terms = [
            sign * jnp.tensordot(kernels[2 + k], S, axes=k)
            for k, (sign, S) in enumerate(zip(signs, integrals, strict=True))
        ]
        return sum(terms[1:], start=terms[0])

    def field(state: tuple) -> tuple:
        f, f_test, integrals = state
        dR = (f - labels) / n
        slopes = [jnp.zeros_like(integrals[0])] + [jnp.multiply.outer(dR, S) for S in integrals[:-1]]
        df_test = None if f_test is None else -kernel_at(h.test_kernels, integrals) @ dR  # type: ignore[arg-type]
        return -kernel_at(h.kernels, integrals) @ dR, df_test, tuple(slopes)

    def observe(state: tuple) -> tuple:
        f, f_test, integrals = state
        K = kernel_at(h.kernels, integrals).reshape(slots.train * 2) if keep_kernel else None
        return f.reshape(slots.train), None if f_test is None else f_test.reshape(slots.test), K

    empty = jnp.ones((), y.dtype)  # S^(0) = 1
    rest = (jnp.zeros((y.size,) * k, y.dtype) for k in range(1, level - 1))
    start = (h.outputs, h.test_outputs, (empty, *rest))
    (f, f_test, K), result = integrate(field, start, observe, flops=2.0 * y.size**level, **options)
    return Trajectory(options["times"], f, K, loss(f, y), f_test, None, result)

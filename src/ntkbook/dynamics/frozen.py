"""The flow with a frozen kernel, for all times up to infinity, and its derivative at every spectrum."""

from __future__ import annotations

import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ntkbook import _checks
from ntkbook.dynamics._hierarchies import Slots, check_hierarchy, flatten
from ntkbook.dynamics.trajectory import Trajectory, check_size, finish, loss, result_of
from ntkbook.kernels import KernelHierarchy

__all__ = ["frozen_kernel_flow"]


def frozen_kernel_flow(
    hierarchy: KernelHierarchy, y: Array, times: Array, *, keep_kernel: bool = True, throw: bool = True
) -> Trajectory:
    r"""The flow with the kernel frozen at time 0, (1.8), in closed form, up to infinite time.

    .. math:: f(t) = y + e^{-K^{(2)} t/n} (f(0) - y), \qquad
              f_x(t) = f_x(0) - K^{(2)}(x, \cdot)\, \frac1n \int_0^t r(s)\,ds.

    The last time may be infinite. What the flow tends to is kernel regression, with the pseudoinverse of the kernel:

    .. math:: f(\infty) = f(0) - K^{(2)} K^{(2)+} (f(0) - y), \qquad
              f_x(\infty) = f_x(0) - K^{(2)}(x, \cdot)\, K^{(2)+} (f(0) - y).

    Level 2 of `truncated_flow`. With ``KernelHierarchy(outputs, {2: K})`` it runs on any kernel, a limit included.

    Parameters
    ----------
    hierarchy
        Outputs (n,) and kernels[2] (n, n), symmetric; test outputs and test kernels where wanted.
    y, throw
        As for `truncated_flow`.
    times
        When to report: (T,), increasing, not negative; the last may be ``jnp.inf``.
    keep_kernel
        Whether to return the kernel, T times the same: T n^2 numbers.

    Returns
    -------
    Trajectory
        Exact to rounding; its kernel is the same at all times.

    Raises
    ------
    ValueError, TypeError
        If an argument does not fit, or the trajectory is larger than the machine's memory.
    NotImplementedError
        If it is differentiated twice in the kernel.
    FlowError
        If a value overflows, which it can only where a kernel built by hand has negative eigenvalues.

    Notes
    -----
    Cost: one eigendecomposition, about 10 n^3 flops.

    An eigenvalue, with eigenvector v, that rounding can turn into zero counts as zero: one of absolute value at most

    .. math:: \delta_v = 8 \varepsilon \Big(\sum_\alpha |v_\alpha| \sqrt{|K_{\alpha\alpha}|}\Big)^2
              + 8 \lVert K v - \lambda v \rVert,

    since the entries of a Gram matrix are wrong by about :math:`\varepsilon \sqrt{K_{\alpha\alpha} K_{\beta\beta}}` and
    the last term bounds the error of the eigensolver. Along v the outputs then stay where they are, so that the loss
    of a positive semidefinite kernel never rises. What a test kernel sees of v moves the test outputs at a constant
    rate, as long as t is below :math:`n / \delta_v`; what is within rounding of zero does not, nor does anything at
    infinity. Eigenvalues below :math:`-\delta_v` are real, and their directions grow.

    It has derivatives of first order, forward and backward, in the kernels, outputs, labels and times, also at equal
    eigenvalues; at infinity for changes that keep the kernel's rank. A second one in the kernel is refused.

    Examples
    --------
    >>> import jax.numpy as jnp, ntkbook
    >>> h = ntkbook.KernelHierarchy(outputs=jnp.zeros(2), kernels={2: jnp.eye(2)})
    >>> flow = ntkbook.frozen_kernel_flow(h, jnp.ones(2), jnp.array([0.0, 2.0, jnp.inf]))
    >>> [round(float(f), 4) for f in flow.outputs[:, 0]]
    [0.0, 0.6321, 1.0]
    """
    hierarchy, y, slots = check_hierarchy(hierarchy, y, level=2)
    times = _checks.increasing_times(times, infinite=True).astype(y.dtype)
    check_size(len(times), y.size, math.prod(slots.test or (0,)), y.dtype, keep_kernel=keep_kernel)
    K = flatten(hierarchy).kernels[2]
    if not _checks.is_traced(K) and not _is_symmetric(np.asarray(K)):
        raise ValueError(
            "hierarchy.kernels[2] must be symmetric, got a matrix that is not. Pass (K + K.T) / 2, or use "
            "truncated_flow(..., level=2), which takes any."
        )
    return finish(_frozen_kernel_flow(hierarchy, y, times, slots, keep_kernel=bool(keep_kernel)), throw)


def _is_symmetric(K: np.ndarray) -> bool:
    return bool(np.abs(K - K.T).max() <= np.sqrt(jnp.finfo(K.dtype).eps) * np.abs(K).max())


@partial(jax.jit, static_argnames=("slots", "keep_kernel"))
def _frozen_kernel_flow(h: KernelHierarchy, y: Array, times: Array, slots: Slots, *, keep_kernel: bool) -> Trajectory:
    flat = flatten(h)
    K = flat.kernels[2]
    test_kernel = jnp.zeros((0, y.size), y.dtype) if flat.test_kernels is None else flat.test_kernels[2]
    residual, moved = _solution((K + K.T) / 2, test_kernel, flat.outputs - y.ravel(), times / len(y))
    f = jnp.broadcast_to(y, (len(times), *slots.train)) + residual.reshape(-1, *slots.train)
    f_test = None
    if h.test_outputs is not None:
        f_test = jnp.broadcast_to(h.test_outputs, (len(times), *h.test_outputs.shape)) - moved.reshape(
            -1, *h.test_outputs.shape
        )
    kernel = jnp.broadcast_to(h.kernels[2], (len(times), *slots.train * 2)) if keep_kernel else None
    return Trajectory(times, f, kernel, loss(f, y), f_test, None, result_of(times, f))


# ---------------------------------------------------------------------------------------------------------------------
# exp(-s K) r and K_x int_0^s exp(-u K) r du, with their derivatives. In the basis of eigenvectors the derivative of a
# function of a matrix multiplies entry (i, j) by the divided difference of the function at the eigenvalues i and j
# (Daleckii and Krein), in which no difference of eigenvalues stands in a denominator that rounding could harm.
# ---------------------------------------------------------------------------------------------------------------------

_product = partial(jnp.matmul, precision="highest")  # rounding decides below what counts as zero
_MARGIN = 8  # eigenvalues of Gram matrices that should be zero were seen up to twice the estimate away from it


@jax.custom_jvp
def _solution(K: Array, test_kernel: Array, r: Array, s: Array) -> tuple[Array, Array]:
    """The residual (T, n) at the times s, and what the test outputs have moved, (T, n')."""
    eigenvalues, V, doubt = _spectrum(K)
    decay, integral = jax.vmap(lambda s: _factors(eigenvalues, doubt, s))(s)
    c = _product(V.T, r)
    seen = _seen(test_kernel, V, eigenvalues)
    return _product(decay * c[None], V.T), _product(integral * c[None], seen.T)


@jax.custom_jvp
def _once(K: Array) -> Array:
    """The kernel, in a derivative: what follows knows no second one where eigenvalues meet."""
    return K


@_once.defjvp
def _once_jvp(primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    raise NotImplementedError(
        "frozen_kernel_flow has derivatives of first order in the kernel; a second one was asked for. Differentiate "
        "jax.scipy.linalg.expm(-K * t / n) @ (f0 - y) instead."
    )


@_solution.defjvp
def _solution_jvp(primals: tuple, tangents: tuple) -> tuple[tuple, tuple]:
    K, test_kernel, r, s = primals
    dK, d_test_kernel, dr, ds = tangents
    eigenvalues, V, doubt = _spectrum(_once(K))
    c, dc, M = _product(V.T, r), _product(V.T, dr), _product(_product(V.T, dK), V)

    def at(s: Array, ds: Array) -> tuple[Array, Array, Array]:
        decay, integral = _factors(eigenvalues, doubt, s)
        d_decay, d_integral = _divided_differences(eigenvalues, s)
        ds = jnp.where(jnp.isinf(s), 0, ds)
        change = _product(d_decay * M, c) + decay * dc - eigenvalues * decay * c * ds
        return change, _product(d_integral * M, c) + integral * dc + decay * c * ds, integral * c

    change, d_swept, swept = jax.vmap(at)(s, ds)
    moved = _product(_product(d_swept, V.T), test_kernel.T) + _product(_product(swept, V.T), d_test_kernel.T)
    return _solution(K, test_kernel, r, s), (_product(change, V.T), moved)


def _spectrum(K: Array) -> tuple[Array, Array, Array]:
    """Eigenvalues, zero where rounding can make them so, eigenvectors, and what rounding can do to each eigenvalue."""
    eigenvalues, V = jnp.linalg.eigh(K)
    entries = jnp.finfo(K.dtype).eps * _product(jnp.abs(V).T, jnp.sqrt(jnp.abs(jnp.diagonal(K)))) ** 2
    doubt = _MARGIN * (entries + jnp.linalg.norm(_product(K, V) - V * eigenvalues[None], axis=0))
    return jnp.where(jnp.abs(eigenvalues) <= doubt, 0, eigenvalues), V, doubt


def _seen(test_kernel: Array, V: Array, eigenvalues: Array) -> Array:
    """What the test kernel sees of each eigenvector, (n', n); zero where it and the eigenvalue are within rounding."""
    seen = _product(test_kernel, V)
    doubt = _MARGIN * jnp.finfo(V.dtype).eps * _product(jnp.abs(test_kernel), jnp.abs(V))
    return jnp.where((eigenvalues[None] == 0) & (jnp.abs(seen) <= doubt), 0, seen)


def _factors(eigenvalues: Array, doubt: Array, s: Array) -> tuple[Array, Array]:
    """exp(-s a) and its integral over (0, s), at each eigenvalue a."""
    flat = eigenvalues == 0
    a = jnp.where(flat, 1, eigenvalues)
    finite = jnp.where(jnp.isinf(s), 0, s)
    drift = finite * jnp.exp(-doubt * finite)
    return jnp.where(flat, 1, jnp.exp(-a * s)), jnp.where(flat, drift, -jnp.expm1(-a * s) / a)


def _divided_differences(eigenvalues: Array, s: Array) -> tuple[Array, Array]:
    """Those of the two functions of `_factors` at each pair of eigenvalues, (n, n)."""
    a, b = jnp.broadcast_arrays(eigenvalues[:, None], eigenvalues[None])
    finite = jnp.where(jnp.isinf(s), 0, s)
    decay = -finite * _exp2(-finite * a, -finite * b)
    integral = -(finite**2) * _exp3(-finite * a, -finite * b, jnp.zeros_like(a))
    # at infinity the projector on the kernel's null space, and the pseudoinverse
    flat = eigenvalues == 0
    inverse = jnp.where(flat, 0, 1 / jnp.where(flat, 1, eigenvalues))
    p, q = jnp.broadcast_arrays(inverse[:, None], inverse[None])
    across = flat[:, None] != flat[None]
    never = jnp.isinf(s)
    return (
        jnp.where(never, jnp.where(across, -(p + q), 0), decay),
        jnp.where(never, jnp.where(across, p**2 + q**2, -p * q), integral),
    )


def _exp2(u: Array, v: Array) -> Array:
    """The divided difference (exp u - exp v) / (u - v)."""
    d = jnp.abs(u - v)
    return jnp.exp(jnp.maximum(u, v)) * jnp.where(d == 0, 1, -jnp.expm1(-d) / jnp.where(d == 0, 1, d))


def _exp3(u: Array, v: Array, w: Array) -> Array:
    """The second divided difference of exp: by definition, or for close arguments by the power series."""
    low, middle, high = jnp.sort(jnp.stack([u, v, w]), axis=0)
    spread = high - low
    close = spread < 1
    wide = (_exp2(middle, high) - _exp2(low, middle)) / jnp.where(close, 1, spread)
    p, q = (jnp.where(close, x - high, 0) for x in (low, middle))
    total, power, symmetric, factor = jnp.zeros_like(p), jnp.ones_like(q), jnp.ones_like(p), 0.5
    for k in range(18):  # sum over k of h_k(p, q) / (k + 2)!, with h_k = sum of p^i q^(k-i)
        total = total + factor * symmetric
        power = power * q
        symmetric, factor = p * symmetric + power, factor / (k + 3)
    return jnp.where(close, jnp.exp(high) * total, wide)

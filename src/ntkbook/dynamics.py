r"""The dynamics: the exact flow, the truncated hierarchy, the frozen kernel and discrete gradient descent.

The loss is :math:`L = \frac{1}{2n} \sum_\beta r_\beta^2` with the residual :math:`r_\beta = f_\beta - y_\beta`.
Time is in units of gradient flow: learning rate times steps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ntkbook import _checks, _progress
from ntkbook.kernels import KernelHierarchy, Network, check_network, empirical_ntk

__all__ = [
    "FlowError",
    "Result",
    "Trajectory",
    "frozen_kernel_flow",
    "gradient_descent",
    "gradient_flow",
    "truncated_flow",
]

_MAX_STEPS = 16**4
_STAGES = 13  # evaluations of the field in a step of Dopri8
_BLOW_UP = 1e8  # growth of the state, relative to its start or to 1, past which a solution counts as diverged

_RESULTS = (
    "successful",
    "the step limit was reached at t = {time:.6g}. Raise max_steps, loosen rtol and atol, or ask for earlier times.",
    "the solution grew without bound near t = {time:.6g}. Truncated hierarchies can blow up in finite time: ask for "
    "earlier times, a wider network or another level. For gradient descent, lower the learning rate.",
    "a value became NaN or infinite after t = {time:.6g}. Look at outputs and kernels at the start, or use float64.",
)
_SUCCESSFUL, _STEP_LIMIT, _DIVERGED, _NON_FINITE = range(4)


@partial(jax.tree_util.register_dataclass, data_fields=["code", "time"], meta_fields=[])
@dataclass(frozen=True)
class Result:
    """How a flow ended: a code, and the time it reached. `str` gives the text, which names the remedy.

    Codes: 0 successful, 1 step limit reached, 2 diverged, 3 not finite.

    Examples
    --------
    >>> import ntkbook
    >>> str(ntkbook.Result(code=0, time=1.0)), ntkbook.Result(code=2, time=1.0).ok
    ('successful', False)
    """

    code: Any
    time: Any

    @property
    def ok(self) -> bool:
        """Whether all requested times were reached, in every run where a vmap made several."""
        return bool((np.asarray(self.code) == _SUCCESSFUL).all())

    def __str__(self) -> str:
        ends = zip(np.ravel(self.code), np.ravel(self.time), strict=True)
        return " | ".join(dict.fromkeys(_RESULTS[code].format(time=time) for code, time in ends))


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["times", "outputs", "kernel", "loss", "test_outputs", "params", "result"],
    meta_fields=[],
)
@dataclass(frozen=True)
class Trajectory:
    """What a flow did at the requested times.

    Attributes
    ----------
    times
        (T,), in units of gradient flow.
    outputs
        f at the training points, (T, n).
    kernel
        The kernel K_t^(2) that drives the flow, (T, n, n).
    loss
        1/(2n) sum_b (f_b - y_b)^2, (T,).
    test_outputs
        f at the test points, (T, k), or None.
    params
        The parameters, each leaf with leading axis T, or None.
    result
        How the flow ended; see `Result`. Rows at times that were not reached hold NaN.

    Examples
    --------
    >>> import jax.numpy as jnp, ntkbook
    >>> h = ntkbook.KernelHierarchy(outputs=jnp.zeros(2), kernels={2: jnp.eye(2)})
    >>> flow = ntkbook.frozen_kernel_flow(h, jnp.ones(2), jnp.array([0.0, 2.0, 4.0]))
    >>> flow.outputs.shape, flow.kernel.shape, flow.loss.shape, str(flow.result)
    ((3, 2), (3, 2, 2), (3,), 'successful')
    """

    times: Array
    outputs: Array
    kernel: Array
    loss: Array
    test_outputs: Array | None
    params: Any
    result: Result


class FlowError(RuntimeError):
    """A flow did not reach the requested times. `trajectory` holds what was computed until then.

    Examples
    --------
    >>> import jax.numpy as jnp, ntkbook
    >>> h = ntkbook.KernelHierarchy(jnp.zeros(1), {2: jnp.ones((1, 1)), 3: jnp.ones((1, 1, 1))})
    >>> try:  # dK/dt = -r drives K below zero, where the residual grows
    ...     ntkbook.truncated_flow(h, -10 * jnp.ones(1), jnp.array([0.1, 100.0]), level=3)
    ... except ntkbook.FlowError as error:
    ...     error.trajectory.result.code.item(), bool(jnp.isfinite(error.trajectory.outputs[0, 0]))
    (2, True)
    """

    def __init__(self, message: str, trajectory: Trajectory) -> None:
        super().__init__(message)
        self.trajectory = trajectory

    def __reduce__(self) -> tuple:  # for pickle, hence for worker processes
        return type(self), (str(self), self.trajectory)


def gradient_flow(
    net: Network,
    params: Any,
    x: Array,
    y: Array,
    times: Array,
    x_test: Array | None = None,
    *,
    keep_params: bool = False,
    rtol: float | None = None,
    atol: float | None = None,
    max_steps: int = _MAX_STEPS,
    throw: bool = True,
    progress: bool = True,
) -> Trajectory:
    r"""The exact flow :math:`\dot\theta = -\nabla_\theta L(\theta)`, (1.3), integrated in parameter space.

    See the chapter "Networks, gradient flow and the neural tangent kernel".

    Parameters
    ----------
    net, params
        A network of `mlp`, or any function ``f(params, x_point) -> scalar``, and its parameters at time 0.
    x, y
        Training points (n, d) and labels (n,).
    times
        When to report: (T,), increasing, not negative. The integrator steps exactly onto each.
    x_test
        Test points (k, d), or None.
    keep_params
        Whether to return the parameters at every time: T times their memory.
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
        Before any computation, if an argument does not fit.
    FlowError
        If the flow ends early and `throw` is true.

    Notes
    -----
    Explicit Runge-Kutta of order 8 (Dormand and Prince). A step evaluates 13 gradients of the loss, each
    6 n (d m + (H-1) m^2) flops for an `mlp`. Memory: about 20 times that of the parameters.

    Examples
    --------
    >>> import jax, jax.numpy as jnp, ntkbook
    >>> net = ntkbook.mlp(width=16, depth=1)
    >>> params = net.init(jax.random.key(0), 3)
    >>> flow = ntkbook.gradient_flow(net, params, jnp.eye(3), jnp.ones(3), jnp.linspace(0.0, 1.0, 5))
    >>> flow.outputs.shape, flow.kernel.shape, bool(flow.loss[-1] < flow.loss[0])
    ((5, 3), (5, 3, 3), True)
    """
    x, x_test = check_network(net, params, x, x_test)
    y = _checks.labels(y, x)
    _checks.same_dtype(x=x, y=y)
    progress = bool(progress) and not _checks.is_traced(params, x, y, x_test, times)
    options = _solver_options(x.dtype, times, rtol, atol, max_steps, progress)
    with _progress.bar("gradient flow", wanted=progress):
        trajectory = _gradient_flow(net, params, x, y, x_test, keep_params=bool(keep_params), **options)
    return _finish(trajectory, throw)


@partial(jax.jit, static_argnames=("net", "keep_params", "max_steps", "progress"))
def _gradient_flow(
    net: Network, params: Any, x: Array, y: Array, x_test: Array | None, *, keep_params: bool, **options: Any
) -> Trajectory:
    outputs = jax.vmap(net, in_axes=(None, 0))

    def field(theta: Any) -> Any:
        gradient = jax.grad(lambda theta: _loss(outputs(theta, x), y))(theta)
        return jax.tree.map(jnp.negative, gradient)

    def observe(theta: Any) -> tuple:
        test_outputs = None if x_test is None else outputs(theta, x_test)
        kept = theta if keep_params else None
        return outputs(theta, x), empirical_ntk(net, theta, x), test_outputs, kept

    (f, K, f_test, kept), times, result = _integrate(field, params, observe, flops=_flops(params, x), **options)
    return Trajectory(times, f, K, _loss(f, y), f_test, kept, result)


def truncated_flow(
    hierarchy: KernelHierarchy,
    y: Array,
    times: Array,
    level: int = 4,
    *,
    rtol: float | None = None,
    atol: float | None = None,
    max_steps: int = _MAX_STEPS,
    throw: bool = True,
    progress: bool = True,
) -> Trajectory:
    r"""The hierarchy truncated at level p, (2.7): (2.1) and (2.2) with :math:`\partial_t K^{(p)} = 0`.

    With test kernels in the hierarchy also (2.11). What is integrated is not (2.7) as it stands but its exact solution
    in terms of iterated integrals of :math:`R_b(t) = \frac1n \int_0^t r_b\,ds`:

    .. math:: K_t^{(2)} = \sum_{k=0}^{p-2} (-1)^k \sum_{b_1 \ldots b_k} K_0^{(2+k)}(\cdot, \cdot, b_1, \ldots, b_k)\,
              S^{(k)}_{b_1 \ldots b_k}, \qquad dS^{(k)}_{b_1 \ldots b_k} = S^{(k-1)}_{b_2 \ldots b_k}\,dR_{b_1},

    so that the state holds n + n + n^2 + ... + n^(p-2) numbers and no kernel.

    Parameters
    ----------
    hierarchy
        Of `kernel_hierarchy`, or built by hand: outputs and kernels of orders 2 to p at time 0.
    y
        Labels, (n,).
    times
        When to report: (T,), increasing, not negative.
    level
        p, at least 2 and at most the largest order in the hierarchy. Level 2 is the frozen kernel.
    rtol, atol, max_steps, throw, progress
        As for `gradient_flow`.

    Returns
    -------
    Trajectory
        Its kernel is the truncated hierarchy's own :math:`\tilde K_t^{(2)}`; params is None.

    Raises
    ------
    ValueError, TypeError
        Before any computation, if an argument does not fit.
    FlowError
        If the solution blows up in finite time (levels above 2 can) or the step limit is reached, and `throw` is true.

    Notes
    -----
    A step costs 13 contractions of 2 n^p flops each (2 k n^(p-1) more with k test points).

    Examples
    --------
    >>> import jax, jax.numpy as jnp, ntkbook
    >>> net = ntkbook.mlp(width=64, depth=1)
    >>> h = ntkbook.kernel_hierarchy(net, net.init(jax.random.key(0), 3), jnp.eye(3), max_order=4)
    >>> ntkbook.truncated_flow(h, jnp.ones(3), jnp.linspace(0.0, 1.0, 5), level=4).kernel.shape
    (5, 3, 3)
    """
    level = _checks.integer(level, "level", at_least=2)
    hierarchy, y = _check_hierarchy(hierarchy, y, level)
    progress = bool(progress) and not _checks.is_traced(hierarchy, y, times)
    options = _solver_options(y.dtype, times, rtol, atol, max_steps, progress)
    with _progress.bar(f"truncated flow, level {level}", wanted=progress):
        trajectory = _truncated_flow(hierarchy, y, level=level, **options)
    return _finish(trajectory, throw)


@partial(jax.jit, static_argnames=("level", "max_steps", "progress"))
def _truncated_flow(h: KernelHierarchy, y: Array, *, level: int, **options: Any) -> Trajectory:
    n = len(y)

    def kernel_at(kernels: dict[int, Array], integrals: tuple[Array, ...]) -> Array:
        signs = [(-1) ** k for k in range(level - 1)]
        terms = [
            sign * jnp.tensordot(kernels[2 + k], S, axes=k)
            for k, (sign, S) in enumerate(zip(signs, integrals, strict=True))
        ]
        return sum(terms[1:], start=terms[0])

    def field(state: tuple) -> tuple:
        f, f_test, integrals = state
        dR = (f - y) / n
        slopes = [jnp.zeros_like(integrals[0])] + [jnp.multiply.outer(dR, S) for S in integrals[:-1]]
        df_test = None if f_test is None else -kernel_at(h.test_kernels, integrals) @ dR  # type: ignore[arg-type]
        return -kernel_at(h.kernels, integrals) @ dR, df_test, tuple(slopes)

    def observe(state: tuple) -> tuple:
        f, f_test, integrals = state
        return f, f_test, kernel_at(h.kernels, integrals)

    empty = jnp.ones((), y.dtype)  # S^(0) = 1
    start = (h.outputs, h.test_outputs, (empty, *(jnp.zeros((n,) * k, y.dtype) for k in range(1, level - 1))))
    (f, f_test, K), times, result = _integrate(field, start, observe, flops=2.0 * n**level, **options)
    return Trajectory(times, f, K, _loss(f, y), f_test, None, result)


def frozen_kernel_flow(hierarchy: KernelHierarchy, y: Array, times: Array, *, throw: bool = True) -> Trajectory:
    r"""The flow with the kernel frozen at time 0, (1.8), in closed form.

    .. math:: f(t) = y + e^{-K^{(2)} t/n} (f(0) - y), \qquad
              f_x(t) = f_x(0) - K^{(2)}(x, \cdot)\, \frac1n \int_0^t r(s)\,ds.

    Level 2 of `truncated_flow`. With ``KernelHierarchy(outputs, {2: K})`` it runs on any kernel, a limit included.

    Parameters
    ----------
    hierarchy
        Outputs (n,) and kernels[2] (n, n), symmetric; test outputs and test kernels where wanted.
    y, times, throw
        As for `truncated_flow`.

    Returns
    -------
    Trajectory
        Exact to rounding; its kernel is the same at all times.

    Raises
    ------
    ValueError, TypeError
        If an argument does not fit.
    FlowError
        If a value overflows, which it can only where a kernel built by hand has negative eigenvalues.

    Notes
    -----
    Cost: one eigendecomposition, about 10 n^3 flops.

    Examples
    --------
    >>> import jax.numpy as jnp, ntkbook
    >>> h = ntkbook.KernelHierarchy(outputs=jnp.zeros(2), kernels={2: jnp.eye(2)})
    >>> flow = ntkbook.frozen_kernel_flow(h, jnp.ones(2), jnp.array([0.0, 2.0]))
    >>> [round(float(f), 4) for f in flow.outputs[:, 0]]
    [0.0, 0.6321]
    """
    hierarchy, y = _check_hierarchy(hierarchy, y, level=2)
    if not _checks.is_traced(hierarchy.kernels[2]) and not _is_symmetric(np.asarray(hierarchy.kernels[2])):
        raise ValueError(
            "hierarchy.kernels[2] must be symmetric, got a matrix that is not. Pass (K + K.T) / 2, or use "
            "truncated_flow(..., level=2), which takes any."
        )
    return _finish(_frozen_kernel_flow(hierarchy, y, _checks.increasing_times(times).astype(y.dtype)), throw)


def _is_symmetric(K: np.ndarray) -> bool:
    return bool(np.abs(K - K.T).max() <= np.sqrt(jnp.finfo(K.dtype).eps) * np.abs(K).max())


@jax.jit
def _frozen_kernel_flow(h: KernelHierarchy, y: Array, times: Array) -> Trajectory:
    n = len(y)
    K = h.kernels[2]
    eigenvalues, V = jnp.linalg.eigh((K + K.T) / 2)
    c = V.T @ (h.outputs - y)
    flat = eigenvalues == 0

    def at(t: Array) -> tuple[Array, Array | None]:
        f = y + V @ (jnp.exp(-eigenvalues * t / n) * c)
        if h.test_outputs is None:
            return f, None
        grown = jnp.where(flat, t / n, -jnp.expm1(-eigenvalues * t / n) / jnp.where(flat, 1, eigenvalues))
        return f, h.test_outputs - h.test_kernels[2] @ V @ (grown * c)  # type: ignore[index]

    f, f_test = jax.vmap(at)(times)
    kernel = jnp.broadcast_to(K, (len(times), n, n))
    return Trajectory(times, f, kernel, _loss(f, y), f_test, None, _result_of(f, times))


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
    throw: bool = True,
    progress: bool = True,
) -> Trajectory:
    r"""Gradient descent in discrete time, :math:`\theta_{k+1} = \theta_k - \eta \nabla L(\theta_k)`.

    Parameters
    ----------
    net, params, x, y, x_test, keep_params, throw, progress
        As for `gradient_flow`.
    learning_rate
        eta > 0, the step in units of gradient flow.
    steps
        How many steps to take.
    every
        Report every so many steps; it must divide `steps`.

    Returns
    -------
    Trajectory
        At steps 0, every, 2 every, ..., steps; its times are learning rate times steps.

    Raises
    ------
    ValueError, TypeError
        Before any computation, if an argument does not fit.
    FlowError
        If a value becomes NaN or infinite and `throw` is true: the learning rate is too large.

    Notes
    -----
    A step costs one gradient of the loss, a report one NTK.

    Examples
    --------
    >>> import jax, jax.numpy as jnp, ntkbook
    >>> net = ntkbook.mlp(width=16, depth=1)
    >>> params = net.init(jax.random.key(0), 3)
    >>> descent = ntkbook.gradient_descent(net, params, jnp.eye(3), jnp.ones(3), learning_rate=0.1, steps=20, every=10)
    >>> [round(float(t), 3) for t in descent.times]
    [0.0, 1.0, 2.0]
    """
    x, x_test = check_network(net, params, x, x_test)
    y = _checks.labels(y, x)
    _checks.same_dtype(x=x, y=y)
    eta = _checks.positive(learning_rate, "learning_rate")
    steps = _checks.integer(steps, "steps", at_least=1)
    every = _checks.integer(every, "every", at_least=1)
    if steps % every:
        raise ValueError(f"every must divide steps, got every={every} and steps={steps}. Choose a divisor.")
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
            progress=progress,
        )
    return _finish(trajectory, throw)


@partial(jax.jit, static_argnames=("net", "reports", "every", "keep_params", "progress"))
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
    progress: bool,
) -> Trajectory:
    outputs = jax.vmap(net, in_axes=(None, 0))

    def step(theta: Any, k: Array) -> tuple[Any, None]:
        if progress:
            due = k % _progress.interval(_flops(params, x)) == 0
            jax.lax.cond(due, lambda: _progress.report(k / (reports * every)), lambda: None)
        gradient = jax.grad(lambda theta: _loss(outputs(theta, x), y))(theta)
        return jax.tree.map(lambda p, g: p - eta * g, theta, gradient), None

    def observe(theta: Any) -> tuple:
        test_outputs = None if x_test is None else outputs(theta, x_test)
        kept = theta if keep_params else None
        return outputs(theta, x), empirical_ntk(net, theta, x), test_outputs, kept

    def report(theta: Any, first: Array) -> tuple[Any, tuple]:
        theta, _ = jax.lax.scan(step, theta, first + jnp.arange(every))
        return theta, observe(theta)

    _, later = jax.lax.scan(report, params, every * jnp.arange(reports))
    f, K, f_test, kept = jax.tree.map(lambda a, b: jnp.concatenate([a[None], b]), observe(params), later)
    times = eta * every * jnp.arange(reports + 1, dtype=x.dtype)
    return Trajectory(times, f, K, _loss(f, y), f_test, kept, _result_of(f, times))


# ---------------------------------------------------------------------------------------------------------------------
# Shared: loss, checks, the integrator and the end of a flow
# ---------------------------------------------------------------------------------------------------------------------


def _loss(f: Array, y: Array) -> Array:
    return jnp.mean((f - jnp.broadcast_to(y, f.shape)) ** 2, axis=-1) / 2


def _flops(params: Any, x: Array) -> float:
    """About what a gradient of the loss costs."""
    return 6.0 * len(x) * sum(leaf.size for leaf in jax.tree.leaves(params))


def _check_hierarchy(h: KernelHierarchy, y: Array, level: int) -> tuple[KernelHierarchy, Array]:
    """The part of the hierarchy up to `level` and the labels, checked against each other."""
    if not isinstance(h, KernelHierarchy):
        raise TypeError(
            f"the first argument must be an ntkbook.KernelHierarchy, got {type(h).__name__}. Make one with "
            "ntkbook.kernel_hierarchy, or by hand: KernelHierarchy(outputs=f, kernels={2: K})."
        )
    f = _checks.floating_array(h.outputs, "hierarchy.outputs", ndim=1)
    y = _checks.labels(y, f)
    n = f.shape[0]
    has_test = h.test_outputs is not None
    f_test = _checks.floating_array(h.test_outputs, "hierarchy.test_outputs", ndim=1) if has_test else None
    if n == 0 or (f_test is not None and f_test.shape[0] == 0):
        raise ValueError("a hierarchy must hold at least one point, got none. Leave test_outputs at None without any.")

    def kernels(family: dict[int, Array] | None, name: str, first: int) -> dict[int, Array]:
        family = {} if family is None else family
        if not isinstance(family, Mapping):
            raise TypeError(f"{name} must be a dict from order to kernel, got {type(family).__name__}. Pass {{2: K}}.")
        missing = [r for r in range(2, level + 1) if r not in family]
        if missing:
            raise ValueError(
                f"level {level} needs {name} of orders 2 to {level}, got {sorted(family)}. "
                f"Compute the hierarchy with max_order={level}, or lower the level"
                f"{', or leave out test_outputs' if 'test' in name else ''}."
            )
        checked = {}
        for r in range(2, level + 1):
            K = _checks.floating_array(family[r], f"{name}[{r}]", ndim=r)
            if K.shape != (first,) + (n,) * (r - 1):
                raise ValueError(
                    f"{name}[{r}] must have shape {(first,) + (n,) * (r - 1)}, got {K.shape}. "
                    "The first axis runs over evaluation points, all others over the training points of outputs."
                )
            checked[r] = K
        return checked

    checked = KernelHierarchy(
        outputs=f,
        kernels=kernels(h.kernels, "hierarchy.kernels", n),
        test_outputs=f_test,
        test_kernels=kernels(h.test_kernels, "hierarchy.test_kernels", len(f_test)) if f_test is not None else None,
    )
    _checks.same_dtype(hierarchy=checked, y=y)
    return checked, y


def _solver_options(
    dtype: Any, times: Array, rtol: float | None, atol: float | None, max_steps: int, progress: bool
) -> dict[str, Any]:
    default = 1e-10 if dtype == jnp.float64 else 1e-5
    return {
        "times": _checks.increasing_times(times).astype(dtype),
        "rtol": jnp.asarray(default if rtol is None else _checks.positive(rtol, "rtol"), dtype),
        "atol": jnp.asarray(default if atol is None else _checks.positive(atol, "atol"), dtype),
        "max_steps": _checks.integer(max_steps, "max_steps", at_least=1),
        "progress": progress,
    }


def _result_of(f: Array, times: Array) -> Result:
    """Diverged where outputs overflow; the time reached is the last one before."""
    finite = jnp.isfinite(f).all(axis=1)
    code = jnp.where(finite.all(), _SUCCESSFUL, _DIVERGED)
    return Result(code, jnp.where(jnp.cumprod(finite), times, times[0]).max())


def _largest(tree: Any) -> Array:
    return jnp.stack([jnp.abs(leaf).max() for leaf in jax.tree.leaves(tree)]).max()


def _integrate(
    field: Callable[[Any], Any],
    start: Any,
    observe: Callable[[Any], Any],
    *,
    times: Array,
    rtol: Array,
    atol: Array,
    max_steps: int,
    progress: bool,
    flops: float,
) -> tuple[Any, Array, Result]:
    """Integrate an autonomous field from time 0 and observe it at `times`, onto which the steps are clipped.

    `flops` is about what the field costs.
    """
    import diffrax  # the one place that needs the solver library

    limit = _BLOW_UP * jnp.maximum(1, _largest(start))

    def blown_up(t: Array, state: Any, args: Any, **_: Any) -> Array:
        return _largest(state) > limit

    def euclidean(tree: Any) -> Array:
        return jnp.sqrt(sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(tree)))

    solution = diffrax.diffeqsolve(
        diffrax.ODETerm(lambda t, state, args: field(state)),
        diffrax.Dopri8(),
        t0=jnp.zeros_like(times[0]),
        t1=times[-1],
        dt0=None,
        y0=start,
        saveat=diffrax.SaveAt(
            subs=[
                diffrax.SubSaveAt(ts=times, fn=lambda t, state, args: observe(state)),
                diffrax.SubSaveAt(t1=True),
            ]
        ),
        stepsize_controller=diffrax.ClipStepSizeController(
            diffrax.PIDController(rtol=rtol, atol=atol, norm=euclidean), step_ts=times
        ),
        event=diffrax.Event(blown_up),
        max_steps=max_steps,
        throw=False,
        progress_meter=_meter(_progress.interval(_STAGES * flops)) if progress else diffrax.NoProgressMeter(),
    )
    observed, _ = solution.ys
    sound = jnp.isfinite(_largest((start, field(start))))
    reached = solution.ts[1][0]
    unreached = (times > reached) | ~sound
    observed = jax.tree.map(
        lambda leaf: jnp.where(unreached.reshape((-1,) + (1,) * (leaf.ndim - 1)), jnp.nan, leaf), observed
    )
    finite = jnp.stack([jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(observed)]).all()
    code = jnp.select(
        [
            ~sound,
            solution.result == diffrax.RESULTS.event_occurred,
            solution.result != diffrax.RESULTS.successful,
            ~finite,
        ],
        [_NON_FINITE, _DIVERGED, _STEP_LIMIT, _NON_FINITE],
        _SUCCESSFUL,
    )
    return observed, times, Result(code, reached)


def _meter(steps_between: int) -> Any:
    import diffrax

    class Meter(diffrax.AbstractProgressMeter):
        """Moves the bar, now and then; its state is the number of steps."""

        def init(self) -> Array:
            return jnp.ones((), int)

        def step(self, state: Array, progress: Any) -> Array:
            jax.lax.cond(state % steps_between == 0, lambda: _progress.report(progress), lambda: None)
            return state + 1

        def close(self, state: Array) -> None:
            pass

    return Meter()


def _finish(trajectory: Trajectory, throw: bool) -> Trajectory:
    """The trajectory; or `FlowError` with its reached part, where the flow ended early outside of jit."""
    if not throw or _checks.is_traced(trajectory.result) or trajectory.result.ok:
        return trajectory
    rows = np.flatnonzero(np.isfinite(np.asarray(trajectory.outputs)).all(axis=1))
    cut = {
        name: jax.tree.map(lambda leaf: leaf[rows], getattr(trajectory, name))
        for name in ("times", "outputs", "kernel", "loss", "test_outputs", "params")
    }
    raise FlowError(f"The flow stopped early: {trajectory.result}", replace(trajectory, **cut))

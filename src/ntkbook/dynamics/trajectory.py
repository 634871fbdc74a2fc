"""What a flow gives back, how it ended, and what it may hold."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ntkbook import _checks

__all__ = ["FlowError", "Result", "Trajectory"]

_RESULTS = (
    "successful",
    "the step limit was reached at t = {time:.6g}. Raise max_steps, loosen rtol and atol, or ask for earlier "
    "times. At the kinks of an activation such as ReLU steps become ever shorter: use gradient_descent.",
    "the solution grew without bound near t = {time:.6g}. Truncated hierarchies can blow up in finite time: ask for "
    "earlier times, a wider network or another level. For gradient descent, lower the learning rate.",
    "a value became NaN or infinite after t = {time:.6g}. Look at outputs and kernels at the start, or use float64.",
)
SUCCESSFUL, STEP_LIMIT, DIVERGED, NON_FINITE = range(4)


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
        return bool((np.asarray(self.code) == SUCCESSFUL).all())

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

    For a network of C outputs: outputs (T, n, C), kernel (T, n, C, n, C), test_outputs (T, k, C), and the loss is
    1/(2n) times the sum over points and outputs.

    Attributes
    ----------
    times
        (T,), in units of gradient flow.
    outputs
        f at the training points, (T, n).
    kernel
        The kernel K_t^(2) that drives the flow, (T, n, n), or None where it is not kept.
    loss
        1/(2n) sum_b (f_b - y_b)^2, (T,).
    test_outputs
        f at the test points, (T, n'), or None.
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
    kernel: Any
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


def loss(f: Array, y: Array) -> Array:
    """1/(2n) of the sum of squares, at each time: y is (n,) or (n, C), f has leading axes of time."""
    return jnp.sum((f - jnp.broadcast_to(y, f.shape)) ** 2, axis=tuple(range(-y.ndim, 0))) / len(y) / 2


def result_of(times: Array, *observed: Array | None) -> Result:
    """Diverged where a value overflows; the time reached is the last one before."""
    rows = [jnp.isfinite(leaf).reshape(len(times), -1).all(axis=1) for leaf in observed if leaf is not None]
    finite = jnp.stack(rows).all(axis=0)
    code = jnp.where(finite.all(), SUCCESSFUL, DIVERGED)
    return Result(code, jnp.where(jnp.cumprod(finite), times, times[0]).max())


def finish(trajectory: Trajectory, throw: bool) -> Trajectory:
    """The trajectory; or `FlowError` with its reached part, where the flow ended early outside of jit."""
    if not throw or _checks.is_traced(trajectory.result) or trajectory.result.ok:
        return trajectory
    finite = np.isfinite(np.asarray(trajectory.outputs))
    rows = np.flatnonzero(finite.reshape(len(finite), -1).all(axis=1))
    cut = {
        name: jax.tree.map(lambda leaf: leaf[rows], getattr(trajectory, name))
        for name in ("times", "outputs", "kernel", "loss", "test_outputs", "params")
    }
    raise FlowError(f"The flow stopped early: {trajectory.result}", replace(trajectory, **cut))


def check_size(
    rows: int, slots: int, test_slots: int, dtype: Any, *, keep_kernel: bool, params: Any = None, fewer: str = "times"
) -> None:
    """Refuse a trajectory of so many rows that the machine's memory cannot hold. `params`: those kept, if any."""
    numbers = {
        "kernels": slots**2 if keep_kernel else 0,
        "parameters": sum(leaf.size for leaf in jax.tree.leaves(params)),
        "outputs": slots + test_slots,
    }
    remedies = ["keep_kernel=False"] * keep_kernel + ["keep_params=False"] * (params is not None) + [f"fewer {fewer}"]
    _checks.fits_memory(
        f"a trajectory of {rows} times",
        {name: rows * count * np.dtype(dtype).itemsize for name, count in numbers.items()},
        f"Pass {' or '.join(remedies)}.",
    )

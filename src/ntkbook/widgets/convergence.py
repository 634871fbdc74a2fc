"""Linear convergence: loss and least eigenvalue of the kernel along training, beside the rates of Corollary 2.5."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import ArrayLike

import ntkbook
from ntkbook import _checks
from ntkbook.widgets._base import BookWidget, module_text

__all__ = ["LinearConvergence", "linear_convergence", "residual_at_start"]

MOST_POINTS, INPUT_DIM = 32, 8
LABELS = ("hardest", "signs")
TIMES = tuple(k / 5 for k in range(21))  # in units of n / lambda
AXES = ("activations", "depths", "labels", "points", "widths")


def residual_at_start(kernel: Array, *, labels: str) -> Array:
    r"""A residual at time 0 with :math:`\sum_\beta r_\beta^2 = n`, for the two tasks of the chapter on convergence.

    See the chapter "Corollary 2.5: linear convergence when m exceeds (n/λ)³".

    Parameters
    ----------
    kernel
        A limiting kernel, (n, n) with n at most 32.
    labels
        "hardest": :math:`\sqrt n` times the eigenvector of the least eigenvalue, the slowest residual there is; its
        largest entry is positive. "signs": signs drawn once, the first n of 32.

    Returns
    -------
    Array
        Shape (n,).

    Raises
    ------
    ValueError
        If labels is neither of the two.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from ntkbook.widgets import residual_at_start
    >>> residual_at_start(jnp.diag(jnp.array([2.0, 1.0])), labels="hardest").round(3).tolist()
    [0.0, 1.414]
    """
    labels = _checks.one_of(labels, "labels", LABELS)
    n = len(kernel)
    if labels == "signs":
        return jnp.where(jax.random.bernoulli(jax.random.key(7), 0.5, (MOST_POINTS,)), 1.0, -1.0)[:n]
    v = jnp.linalg.eigh(kernel)[1][:, 0]
    return jnp.sqrt(n) * v * jnp.sign(v[jnp.argmax(jnp.abs(v))])


def linear_convergence(
    *,
    n: int,
    width: int,
    seeds: Sequence[int],
    depth: int = 1,
    activation: str = "tanh",
    labels: str = "hardest",
) -> np.ndarray:
    r"""Training error and least eigenvalue of the kernel along the exact flow, on the scales of Corollary 2.5.

    The first n of 32 fixed points on the unit sphere of :math:`R^8`. With :math:`\lambda` the least eigenvalue of the
    limiting kernel, the times are :math:`s\, n/\lambda` for s = 0, 0.2, ..., 4. The labels are such that the residual
    starts as `residual_at_start` says, whatever the random weights. All in float64, whatever the caller's mode.
    See the chapter "Corollary 2.5: linear convergence when m exceeds (n/λ)³".

    Parameters
    ----------
    n
        Number of points, at most 32.
    width, depth, activation
        The network, as in `ntkbook.mlp`.
    seeds
        Integers, one a network.
    labels
        "hardest" or "signs".

    Returns
    -------
    ndarray
        Shape (seeds, 2, times), float64: :math:`S_t / S_0` with :math:`S = \sum_\beta r_\beta^2`, and
        :math:`\lambda_{\min}(K_t^{(2)}) / \lambda`.

    Raises
    ------
    ValueError, TypeError
        If an argument does not fit.

    Notes
    -----
    The cost is that of `gradient_flow` until 4 n / lambda: the smaller lambda, the longer.

    Examples
    --------
    >>> from ntkbook.widgets import linear_convergence
    >>> linear_convergence(n=4, width=8, seeds=[0, 1]).shape
    (2, 2, 21)
    """
    n = _checks.integer(n, "n", at_least=1)
    if n > MOST_POINTS:
        raise ValueError(f"n must be at most {MOST_POINTS}, the points of the data set, got {n}.")
    with jax.enable_x64(True):
        net = ntkbook.mlp(width=width, depth=depth, activation=activation)
        x = ntkbook.data.sphere_points(jax.random.key(0), MOST_POINTS, INPUT_DIM)[:n]
        kernel = ntkbook.limit_kernel(net, x)
        keys = jnp.stack([jax.random.fold_in(jax.random.key(seed), width) for seed in seeds])
        least = jnp.linalg.eigvalsh(kernel)[0]
        return np.asarray(_convergence(net, x, residual_at_start(kernel, labels=labels), least, keys))


@partial(jax.jit, static_argnames="net")
def _convergence(net: ntkbook.MLP, x: Array, residual: Array, least: Array, keys: Array) -> Array:
    n = len(x)

    def along(key: Array) -> Array:
        params = net.init(key, x.shape[1])
        times = jnp.array(TIMES) * n / least
        y = net(params, x) - residual
        flow = ntkbook.gradient_flow(net, params, x, y, times, rtol=1e-6, atol=1e-6, throw=False)
        return jnp.stack([2 * n * flow.loss / (residual @ residual), jnp.linalg.eigvalsh(flow.kernel)[:, 0] / least])

    return jax.lax.map(along, keys)


class LinearConvergence(BookWidget):
    """Training error against time beside the three rates, and the least eigenvalue of the kernel below it.

    Parameters
    ----------
    runs
        What `linear_convergence` gives for every setting: shape (activations, depths, labels, points, widths, seeds,
        2, times). Entries may be nan where a flow was given up.
    least
        The least eigenvalue of the limiting kernel: shape (activations, depths, points).
    activations, depths, labels, points, widths
        The values along these axes.
    initial
        The setting shown first: any of ``points``, ``width``, ``depth``, ``activation``, ``labels``.
    id
        The name of this widget in the page's address; needed where a page holds two of a kind.

    Raises
    ------
    ValueError
        If the shapes do not fit.

    Examples
    --------
    >>> from ntkbook import results
    >>> from ntkbook.widgets import LinearConvergence
    >>> LinearConvergence.from_file(results.FOLDER / "convergence.npz").meta["widths"]
    [2, 8, 32, 128]
    """

    _esm = module_text("convergence")

    def __init__(
        self,
        runs: ArrayLike,
        least: ArrayLike,
        *,
        activations: Sequence[str],
        depths: Sequence[int],
        labels: Sequence[str],
        points: Sequence[int],
        widths: Sequence[int],
        initial: dict[str, Any] | None = None,
        id: str = "linear-convergence",
    ) -> None:
        runs, least = np.asarray(runs, np.float32), np.asarray(least, float)
        axes = dict(zip(AXES, (list(axis) for axis in (activations, depths, labels, points, widths)), strict=True))
        grid = tuple(len(axis) for axis in axes.values())
        eigenvalues = (grid[0], grid[1], grid[3])
        if runs.ndim != 8 or runs.shape[:5] != grid or runs.shape[6:] != (2, len(TIMES)) or least.shape != eigenvalues:
            raise ValueError(
                f"runs must have the shape {grid} + (seeds, 2, {len(TIMES)}) and least the shape {eigenvalues}, "
                f"got {runs.shape} and {least.shape}."
            )
        meta = axes | {
            "id": id,
            "seeds": runs.shape[5],
            "times": list(TIMES),
            "least": least.tolist(),
            "initial": initial or {},
        }
        super().__init__(meta, runs.ravel())

    @classmethod
    def from_file(cls, path: str | Path, **keywords: Any) -> LinearConvergence:
        """The widget of a file that ``tools/sweep_convergence.py`` has written."""
        with np.load(path) as file:
            about = json.loads(str(file["about"]))
            return cls(file["runs"], file["least"], **{axis: about[axis] for axis in AXES}, **keywords)

    def answer(self, request: dict[str, Any]) -> tuple[dict[str, Any], np.ndarray]:
        """Other networks in one setting: (seeds, 2, times)."""
        setting = {name: request[name] for name in ("width", "depth", "activation", "labels")}
        seeds = range(request["first_seed"], request["first_seed"] + self.meta["seeds"])
        return {}, linear_convergence(n=request["points"], seeds=seeds, **setting)

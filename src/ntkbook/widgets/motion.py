"""The kernel in motion: m (K_t - K_0) along training, for many networks at several widths."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import ArrayLike

import ntkbook
from ntkbook.widgets._base import BookWidget, module_text

__all__ = ["KernelInMotion", "kernel_motion", "limiting_motion"]

POINTS, INPUT_DIM = 3, 5
ENTRIES = POINTS * (POINTS + 1) // 2  # of a symmetric matrix, row by row from the diagonal on
TIMES = tuple(0.5 * k for k in range(17))
LARGE = 1e5  # a width at which the truncated hierarchy shows its limit


def kernel_motion(*, width: int, seeds: Sequence[int]) -> np.ndarray:
    r"""How far and how fast the kernel has moved, times the width, for networks and their mirror twins.

    One hidden layer, tanh, three fixed points on the unit sphere of :math:`R^5`, times 0, 0.5, ..., 8. The labels are
    :math:`f_0 + 1`, so that every residual starts at -1. The twin of a network has the readout -a in place of a.
    See the chapter "Corollary 2.4: the kernel moves at rate 1/m". All in float64, whatever the caller's mode.

    Parameters
    ----------
    width
        m.
    seeds
        Integers, one a network.

    Returns
    -------
    ndarray
        Shape (seeds, 2, 2, times, 6), float64: for the network and its twin, :math:`m (K_t^{(2)} - K_0^{(2)})` and
        :math:`m\, \frac{d}{dt} K_t^{(2)}`; the six entries are those on and above the diagonal, row by row.

    Examples
    --------
    >>> from ntkbook.widgets import kernel_motion
    >>> kernel_motion(width=16, seeds=[0, 1]).shape
    (2, 2, 2, 17, 6)
    """
    with jax.enable_x64(True):
        x = ntkbook.data.sphere_points(jax.random.key(1), POINTS, INPUT_DIM)
        keys = jnp.stack([jax.random.key(seed) for seed in seeds])
        return np.asarray(_motion(ntkbook.mlp(width=width), x, keys))


@partial(jax.jit, static_argnames="net")
def _motion(net: ntkbook.MLP, x: Array, keys: Array) -> Array:
    def along(params: ntkbook.MLPParams) -> Array:
        y = net(params, x) + 1.0
        flow = ntkbook.gradient_flow(
            net, params, x, y, jnp.array(TIMES), keep_params=True, rtol=1e-9, atol=1e-9, throw=False
        )
        slope = partial(ntkbook.diagnostics.hierarchy_slope, net, x=x, y=y, order=2)
        rates = jax.lax.map(slope, flow.params)
        return net.width * jnp.stack([flow.kernel - flow.kernel[0], rates])[..., *jnp.triu_indices(POINTS)]

    def twins(key: Array) -> Array:
        params = net.init(key, x.shape[1])
        return jnp.stack([along(params), along(params._replace(readout=-params.readout))])

    return jax.lax.map(twins, keys)


def limiting_motion() -> np.ndarray:
    r"""The limit of the mean of `kernel_motion` as the width grows: no network is drawn.

    The hierarchy truncated at level 4 runs on the limits of Theorem 2.3, :math:`K^{(2)}`, 0 and :math:`K^{(4)} / m`,
    with :math:`m = 10^5`.

    Returns
    -------
    ndarray
        Shape (times, 6), float64.

    Examples
    --------
    >>> from ntkbook.widgets import limiting_motion
    >>> limiting_motion().shape
    (17, 6)
    """
    with jax.enable_x64(True):
        net = ntkbook.mlp(width=1)
        x = ntkbook.data.sphere_points(jax.random.key(1), POINTS, INPUT_DIM)
        kernels = {2: ntkbook.limit_kernel(net, x, 2), 3: jnp.zeros((POINTS,) * 3)}
        kernels[4] = ntkbook.limit_kernel(net, x, 4) / LARGE
        h = ntkbook.KernelHierarchy(outputs=-jnp.ones(POINTS), kernels=kernels)
        flow = ntkbook.truncated_flow(h, jnp.zeros(POINTS), jnp.array(TIMES), level=4, rtol=1e-12, atol=1e-12)
        motion = LARGE * (flow.kernel - flow.kernel[0])
        return np.asarray(motion[:, *np.triu_indices(POINTS)])


class KernelInMotion(BookWidget):
    """Heat maps of m (K_t - K_0) at several widths beside the limit of their mean, with the time to drag.

    Parameters
    ----------
    runs
        width -> the first half of what `kernel_motion` gives, shape (seeds, 2, times, 6); as many seeds at each width.
    limit
        What `limiting_motion` gives.
    initial
        The setting shown first: any of ``seed``, ``count``, ``twins``, ``time``, ``entry`` (as "1,2").
    id
        The name of this widget in the page's address; needed where a page holds two of a kind.

    Raises
    ------
    ValueError
        If the shapes do not fit.

    Examples
    --------
    >>> from ntkbook import results
    >>> from ntkbook.widgets import KernelInMotion
    >>> KernelInMotion.from_file(results.FOLDER / "kernel-in-motion.npz").meta["widths"]
    [16, 64, 512, 4096]
    """

    _esm = module_text("motion")

    def __init__(
        self,
        runs: Mapping[int, ArrayLike],
        limit: ArrayLike,
        *,
        initial: dict[str, Any] | None = None,
        id: str = "kernel-in-motion",
    ) -> None:
        arrays = {int(width): np.asarray(run, np.float32) for width, run in sorted(runs.items())}
        shapes = {run.shape for run in arrays.values()}
        seeds = len(next(iter(arrays.values())))
        if shapes != {(seeds, 2, len(TIMES), ENTRIES)} or np.shape(limit) != (len(TIMES), ENTRIES):
            raise ValueError(
                f"every run must have the shape (seeds, 2, {len(TIMES)}, {ENTRIES}) and limit the shape "
                f"({len(TIMES)}, {ENTRIES}), got runs {sorted(shapes)} and limit {np.shape(limit)}."
            )
        meta = {
            "id": id,
            "widths": list(arrays),
            "seeds": seeds,
            "points": POINTS,
            "times": list(TIMES),
            "initial": initial or {},
        }
        parts = [np.asarray(limit, np.float32).ravel(), *(run.ravel() for run in arrays.values())]
        super().__init__(meta, np.concatenate(parts))

    @classmethod
    def from_file(cls, path: str | Path, **keywords: Any) -> KernelInMotion:
        """The widget of a file that ``tools/sweep_kernel_motion.py`` has written."""
        with np.load(path) as file:
            widths = json.loads(str(file["about"]))["widths"]
            return cls(dict(zip(widths, file["runs"], strict=True)), file["limit"], **keywords)

    def answer(self, request: dict[str, Any]) -> tuple[dict[str, Any], np.ndarray]:
        """Other networks: the motion at every width, (widths, seeds, 2, times, 6)."""
        first, count = request["first_seed"], self.meta["seeds"]
        seeds = range(first, first + count)
        runs = [kernel_motion(width=width, seeds=seeds)[:, :, 0] for width in self.meta["widths"]]
        return {"first_seed": first}, np.stack(runs)

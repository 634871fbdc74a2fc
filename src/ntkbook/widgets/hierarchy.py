"""The hierarchy at work: both sides of (2.1) and (2.2) along the training of one network."""

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

__all__ = ["HierarchyAtWork", "along_training"]

POINTS, INPUT_DIM = 3, 5
TARGETS = (1.0, -1.0, 0.5)
STEP = 0.3
TIMES = tuple(STEP * k for k in range(41))
STENCIL = 0.02  # the spacing of the central difference that measures d/dt
DIFFERENCES = 3 + 9 + 27  # numbers a time: those of the outputs, of K^(2), of K^(3)
LENGTH = 3 + 9 + 27 + 81 + DIFFERENCES  # the residual and K^(2..4) before them


def along_training(*, width: int, depth: int = 2, activation: str = "tanh", seed: int = 0) -> np.ndarray:
    r"""Residual, kernels, and how far (2.1) and (2.2) are from a measured derivative, along the exact flow.

    Three fixed points on the unit sphere of :math:`R^5`; times 0, 0.3, ..., 12. The derivative d/dt is measured by
    central differences of fourth order between five states of the flow that are 0.02 apart; at time 0, which has no
    past, the differences are nan. All in float64, whatever the caller's mode.

    Parameters
    ----------
    width, depth, activation
        The network, as in `ntkbook.mlp`.
    seed
        Of the weights.

    Returns
    -------
    ndarray
        Shape (times, 159), float64. In each row: the residual r (3), K^(2) (9), K^(3) (27), K^(4) (81), and for the
        outputs (3), K^(2) (9) and K^(3) (27) the measured derivative minus
        :math:`-\frac1n \sum_\beta K^{(r+1)} r_\beta`.

    Examples
    --------
    >>> import numpy as np
    >>> from ntkbook import results
    >>> np.load(results.FOLDER / "at-work.npz")["runs"].shape  # stored runs of four widths
    (4, 41, 159)
    """
    with jax.enable_x64(True):
        net = ntkbook.mlp(width=width, depth=depth, activation=activation)
        x = ntkbook.data.sphere_points(jax.random.key(3), POINTS, INPUT_DIM)
        y = jnp.array(TARGETS)
        params = net.init(jax.random.fold_in(jax.random.key(seed), width), INPUT_DIM)
        flow = partial(ntkbook.gradient_flow, net, x=x, y=y, keep_params=True, rtol=1e-12, atol=1e-12)
        lead = flow(params, times=jnp.array([0.0, STEP - 2 * STENCIL])).params
        stops = jnp.array([0.0, *(STENCIL * k for k in (1, 2, 3, 4)), STEP])
        at_zero = _row(net, x, y, jax.tree.map(lambda leaf: jnp.stack([leaf[0]] * 5), lead))
        rows = [at_zero.at[-DIFFERENCES:].set(jnp.nan)]
        params = jax.tree.map(lambda leaf: leaf[-1], lead)
        for _ in TIMES[1:]:
            states = flow(params, times=stops).params
            rows.append(_row(net, x, y, jax.tree.map(lambda leaf: leaf[:-1], states)))
            params = jax.tree.map(lambda leaf: leaf[-1], states)
        return np.asarray(jnp.stack(rows))


@partial(jax.jit, static_argnames="net")
def _row(net: ntkbook.MLP, x: Array, y: Array, states: ntkbook.MLPParams) -> Array:
    """One row of `along_training`, from the five states of the stencil."""

    def evaluate(params: ntkbook.MLPParams) -> list[Array]:
        h = ntkbook.kernel_hierarchy(net, params, x, max_order=3)
        return [h.outputs, h.kernels[2], h.kernels[3]]

    def derivative(values: Array) -> Array:
        weights = jnp.array([1.0, -8.0, 0.0, 8.0, -1.0]) / (12 * STENCIL)
        return jnp.tensordot(weights, values, axes=1)

    stencil = jax.lax.map(evaluate, states)
    middle = jax.tree.map(lambda leaf: leaf[2], states)
    kernels = [stencil[1][2], stencil[2][2], ntkbook.empirical_kernel(net, middle, x, order=4)]
    residual = stencil[0][2] - y
    differences = [derivative(v) + K @ residual / len(y) for v, K in zip(stencil, kernels, strict=True)]
    return jnp.concatenate([part.ravel() for part in (residual, *kernels, *differences)])


class HierarchyAtWork(BookWidget):
    """The measured d/dt of the outputs, of K^(2), of K^(3) against what the kernel one order up makes of it.

    Parameters
    ----------
    runs
        width -> what `along_training` gives for it.
    depth, activation
        The network of all runs.
    initial
        The setting shown first: any of ``width``, ``order``, ``entry`` (as "1,2"), ``time``.
    id
        The name of this widget in the page's address; needed where a page holds two of a kind.

    Raises
    ------
    ValueError
        If a run does not have the shape of `along_training`.

    Examples
    --------
    >>> from ntkbook import results
    >>> from ntkbook.widgets import HierarchyAtWork
    >>> HierarchyAtWork.from_file(results.FOLDER / "at-work.npz").meta["widths"]
    [16, 64, 256, 1024]
    """

    _esm = module_text("hierarchy")

    def __init__(
        self,
        runs: Mapping[int, ArrayLike],
        *,
        depth: int = 2,
        activation: str = "tanh",
        initial: dict[str, Any] | None = None,
        id: str = "hierarchy-at-work",
    ) -> None:
        arrays = {int(width): np.asarray(run) for width, run in sorted(runs.items())}
        for width, run in arrays.items():
            if run.shape != (len(TIMES), LENGTH):
                raise ValueError(
                    f"a run must have shape {(len(TIMES), LENGTH)} as along_training makes it, got {run.shape} for "
                    f"width {width}."
                )
        meta = {
            "id": id,
            "widths": list(arrays),
            "points": POINTS,
            "times": [round(t, 6) for t in TIMES],
            "depth": depth,
            "activation": activation,
            "initial": initial or {},
        }
        super().__init__(meta, np.stack(list(arrays.values())))

    @classmethod
    def compute(
        cls, widths: Sequence[int] = (16, 64, 256), *, depth: int = 2, activation: str = "tanh", **keywords: Any
    ) -> HierarchyAtWork:
        """The widget, its runs computed now: some seconds a width."""
        runs = {width: along_training(width=width, depth=depth, activation=activation) for width in widths}
        return cls(runs, depth=depth, activation=activation, **keywords)

    @classmethod
    def from_file(cls, path: str | Path, **keywords: Any) -> HierarchyAtWork:
        """The widget of a file that ``tools/sweep_at_work.py`` has written."""
        with np.load(path) as file:
            about = json.loads(str(file["about"]))
            runs = dict(zip(about["widths"], file["runs"], strict=True))
        return cls(runs, depth=about["depth"], activation=about["activation"], **keywords)

    def answer(self, request: dict[str, Any]) -> tuple[dict[str, Any], np.ndarray]:
        """The run of another width or another draw of the weights."""
        network = {key: self.meta[key] for key in ("depth", "activation")}
        return {"width": request["width"]}, along_training(width=request["width"], seed=request["seed"], **network)

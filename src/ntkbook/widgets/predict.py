"""Predicting new points: what a network learns on the half circle, and what the hierarchy says it will learn."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

import ntkbook
from ntkbook.widgets._base import BookWidget, module_text

__all__ = ["PredictNewPoint", "learned", "regression"]

W_STD = 2.0  # of the first layer: the functions of the circle that it makes easy are less flat than with 1
POINTS = 6
GRID = 37  # angles from 0 to pi; the training angles are among them
HORIZON = 32.0


@partial(jax.jit, static_argnames=("net", "levels", "tolerance"))
def learned(
    net: ntkbook.MLP,
    params: ntkbook.MLPParams,
    x: Array,
    targets: Array,
    times: Array,
    x_test: Array,
    *,
    levels: tuple[int, ...] = (2, 3, 4),
    tolerance: float = 1e-11,
) -> Array:
    r"""What a network learns, :math:`f_t - f_0` at test points: exactly, and as the hierarchy predicts it, (2.11).

    The labels are :math:`f_0 + z` with the targets z. See the chapter "Predicting new points".

    Parameters
    ----------
    net, params
        A network of `mlp` and its parameters at time 0.
    x, targets
        Training points (n, d) and z, (n,).
    times
        Increasing, (T,).
    x_test
        Test points, (k, d).
    levels
        The levels at which the hierarchy is cut.
    tolerance
        rtol and atol of all integrations.

    Returns
    -------
    Array
        Shape (1 + levels, T, k): the exact network first. Times that a level does not reach hold NaN.

    Examples
    --------
    >>> import jax, jax.numpy as jnp, ntkbook
    >>> from ntkbook.widgets import learned
    >>> net = ntkbook.mlp(width=16)
    >>> params = net.init(jax.random.key(0), 3)
    >>> learned(net, params, jnp.eye(3), jnp.ones(3), jnp.linspace(0.0, 1.0, 5), jnp.ones((1, 3)), levels=(2, 3)).shape
    (3, 5, 1)
    """
    y = net(params, x) + targets
    options: dict[str, Any] = {"rtol": tolerance, "atol": tolerance, "throw": False}
    h = ntkbook.kernel_hierarchy(net, params, x, max(levels), x_test=x_test)
    flows = [ntkbook.gradient_flow(net, params, x, y, times, x_test, **options)]
    flows += [ntkbook.truncated_flow(h, y, times, level, **options) for level in levels]
    return jnp.stack([jnp.asarray(flow.test_outputs) for flow in flows]) - jnp.asarray(h.test_outputs)


def regression() -> tuple[Array, Array, Array, Array, Array]:
    """The regression of the chapter "Predicting new points": six training points on the half circle, 37 test points.

    Returns
    -------
    tuple of Arrays
        Training angles (6,), training points (6, 2) and targets (6,); test angles (37,) from 0 to pi, the training
        angles among them, and test points (37, 2).

    Examples
    --------
    >>> from ntkbook.widgets import regression
    >>> [array.shape for array in regression()]
    [(6,), (6, 2), (6,), (37,), (37, 2)]
    """
    angles, x = ntkbook.data.half_circle(POINTS)
    grid = jnp.linspace(0.0, jnp.pi, GRID)
    return angles, x, jnp.sin(2 * angles) + 0.5 * jnp.cos(angles), grid, jnp.stack([jnp.cos(grid), jnp.sin(grid)], 1)


class PredictNewPoint(BookWidget):
    """A regression on the half circle, trained in the page, beside what five predictors say of a new point.

    The page draws the weights, integrates the exact flow, computes the kernels of orders 2 to 4 of its network and runs
    the hierarchy. All it is given is the limiting kernel, which takes a Gaussian integral.

    Parameters
    ----------
    initial
        The setting shown first: any of ``angle`` (degrees), ``label`` (1 to 6), ``value``, ``width``, ``time``,
        ``targets`` (six numbers) and ``seed``.
    id
        The name of this widget in the page's address; needed where a page holds two of a kind.

    Raises
    ------
    ValueError
        If there are not six targets.

    Examples
    --------
    >>> from ntkbook.widgets import PredictNewPoint
    >>> PredictNewPoint(initial={"width": 128}).meta["w_std"]
    2.0
    """

    _esm = module_text("predict")

    def __init__(self, *, initial: dict[str, Any] | None = None, id: str = "predict-new-point") -> None:
        initial = dict(initial or {})
        if np.shape(initial.get("targets", np.zeros(POINTS))) != (POINTS,):
            raise ValueError(f"initial['targets'] must be {POINTS} numbers, got {initial['targets']!r}.")
        with jax.enable_x64(True):
            angles, x, targets, grid, x_test = regression()
            limit = ntkbook.limit_kernel(ntkbook.mlp(width=1, w_std=W_STD), x, 2, x_test)
        meta = {
            "id": id,
            "angles": np.asarray(angles).tolist(),
            "grid": np.asarray(grid).tolist(),
            "targets": np.asarray(2 * targets, float).round(1).tolist(),
            "w_std": W_STD,
            "horizon": HORIZON,
            "initial": initial,
        }
        super().__init__(meta, np.asarray(limit))

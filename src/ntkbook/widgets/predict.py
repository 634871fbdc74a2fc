"""Predicting new points: what a network learns on the half circle, and what the hierarchy says it will learn."""

from __future__ import annotations

from typing import Any

import numpy as np

from ntkbook.experiments.predicting import POINTS, W_STD, regression_in_the_limit
from ntkbook.widgets._base import BookWidget, module_text

__all__ = ["PredictNewPoint"]

HORIZON = 32.0


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
        angles, targets, grid, limit = regression_in_the_limit()
        meta = {
            "id": id,
            "angles": angles.tolist(),
            "grid": grid.tolist(),
            "targets": (2 * targets).round(1).tolist(),
            "w_std": W_STD,
            "horizon": HORIZON,
            "initial": initial,
        }
        super().__init__(meta, limit)

"""Train it live: a small network trained in the page by gradient flow."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ntkbook.data import half_circle
from ntkbook.widgets._base import BookWidget, module_text

__all__ = ["TrainLive"]


def default_data() -> tuple[np.ndarray, np.ndarray]:
    """Six points of a regression in one dimension on the half circle, and their targets."""
    angles = np.asarray(half_circle(6)[0], float)
    return angles, 0.8 * np.sin(2 * angles) + 0.5 * np.cos(angles) + 0.2


class TrainLive(BookWidget):
    """A network of one or two hidden layers, trained in the page; its fit, its loss, its kernel as it moves.

    The points are (cos angle, sin angle). Nothing is computed in advance: the page draws the weights and integrates the
    flow, by the classical Runge-Kutta method in float64.

    Parameters
    ----------
    angles
        Where the data lie on the half circle, in radians, shape (n,); no two of them antipodal.
    y
        The targets, shape (n,).
    initial
        The setting shown first: any of ``depth``, ``width``, ``activation``, ``speed``, ``seed``.
    id
        The name of this widget in the page's address; needed where a page holds two of a kind.

    Raises
    ------
    ValueError
        If angles and y do not fit each other.

    Examples
    --------
    >>> from ntkbook.widgets import TrainLive
    >>> len(TrainLive(initial={"width": 128}).meta["angles"])
    6
    """

    _esm = module_text("train")

    def __init__(
        self,
        angles: ArrayLike | None = None,
        y: ArrayLike | None = None,
        *,
        initial: dict[str, Any] | None = None,
        id: str = "train-live",
    ) -> None:
        if (angles is None) != (y is None):
            raise ValueError("angles and y go together, got one without the other. Pass both or neither.")
        points, targets = default_data() if angles is None else (np.asarray(angles, float), np.asarray(y, float))
        if points.ndim != 1 or points.shape != targets.shape or len(points) < 2:
            raise ValueError(
                f"angles and y must be of one shape (n,) with n >= 2, got {points.shape} and {targets.shape}."
            )
        super().__init__({"id": id, "angles": points.tolist(), "y": targets.tolist(), "initial": initial or {}})

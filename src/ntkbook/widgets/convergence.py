"""Linear convergence: loss and least eigenvalue of the kernel along training, beside the rates of Corollary 2.5."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ntkbook.experiments import linear_convergence
from ntkbook.experiments.corollary_2_5 import TIMES
from ntkbook.widgets._base import BookWidget, module_text

__all__ = ["LinearConvergence"]

AXES = ("activations", "depths", "labels", "points", "widths")


class LinearConvergence(BookWidget):
    """Training error against time beside the three rates, and the least eigenvalue of the kernel below it.

    Parameters
    ----------
    runs
        What `ntkbook.experiments.linear_convergence` gives for every setting: shape (activations, depths, labels,
        points, widths, seeds, 2, times). Entries may be nan where a flow was given up.
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
    >>> from ntkbook import experiments
    >>> from ntkbook.widgets import LinearConvergence
    >>> LinearConvergence.from_result(experiments.load("convergence")).meta["widths"]
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
        axes = dict(
            zip(
                AXES, (np.asarray(axis).tolist() for axis in (activations, depths, labels, points, widths)), strict=True
            )
        )
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
    def from_result(cls, result: Mapping[str, Any], **keywords: Any) -> LinearConvergence:
        """The widget of a result of the experiment "convergence"."""
        return cls(result["runs"], result["least"], **{axis: result[axis] for axis in AXES}, **keywords)

    def answer(self, request: dict[str, Any]) -> tuple[dict[str, Any], np.ndarray]:
        """Other networks in one setting: (seeds, 2, times)."""
        setting = {name: request[name] for name in ("width", "depth", "activation", "labels")}
        seeds = range(request["first_seed"], request["first_seed"] + self.meta["seeds"])
        return {}, linear_convergence(n=request["points"], seeds=seeds, **setting)

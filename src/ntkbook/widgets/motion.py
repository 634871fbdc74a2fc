"""The kernel in motion: m (K_t - K_0) along training, for many networks at several widths."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ntkbook.experiments import kernel_motion
from ntkbook.experiments.corollary_2_4 import ENTRIES, POINTS, TIMES
from ntkbook.widgets._base import BookWidget, module_text

__all__ = ["KernelInMotion"]


class KernelInMotion(BookWidget):
    """Heat maps of m (K_t - K_0) at several widths beside the limit of their mean, with the time to drag.

    Parameters
    ----------
    runs
        width -> the first half of what `ntkbook.experiments.kernel_motion` gives, shape (seeds, 2, times, 6); as many
        seeds at each width.
    limit
        What `ntkbook.experiments.limiting_motion` gives.
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
    >>> from ntkbook import experiments
    >>> from ntkbook.widgets import KernelInMotion
    >>> KernelInMotion.from_result(experiments.load("kernel-in-motion")).meta["widths"]
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
    def from_result(cls, result: Mapping[str, Any], **keywords: Any) -> KernelInMotion:
        """The widget of a result of the experiment "kernel-in-motion"."""
        return cls(dict(zip(result["widths"], result["runs"], strict=True)), result["limit"], **keywords)

    def answer(self, request: dict[str, Any]) -> tuple[dict[str, Any], np.ndarray]:
        """Other networks: the motion at every width, (widths, seeds, 2, times, 6)."""
        first, count = request["first_seed"], self.meta["seeds"]
        seeds = range(first, first + count)
        runs = [kernel_motion(width=width, seeds=seeds)[:, :, 0] for width in self.meta["widths"]]
        return {"first_seed": first}, np.stack(runs)

"""The hierarchy at work: both sides of (2.1) and (2.2) along the training of one network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ntkbook.experiments import along_training
from ntkbook.experiments.theorem_2_3 import LENGTH, POINTS, TIMES
from ntkbook.widgets._base import BookWidget, module_text

__all__ = ["HierarchyAtWork"]


class HierarchyAtWork(BookWidget):
    """The measured d/dt of the outputs, of K^(2), of K^(3) against what the kernel one order up makes of it.

    Parameters
    ----------
    runs
        width -> what `ntkbook.experiments.along_training` gives for it.
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
    >>> from ntkbook import experiments
    >>> from ntkbook.widgets import HierarchyAtWork
    >>> HierarchyAtWork.from_result(experiments.load("at-work")).meta["widths"]
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
    def from_result(cls, result: Mapping[str, Any], **keywords: Any) -> HierarchyAtWork:
        """The widget of a result of the experiment "at-work"."""
        runs = dict(zip(result["widths"], result["runs"], strict=True))
        return cls(runs, depth=result["depth"], activation=result["activation"], **keywords)

    def answer(self, request: dict[str, Any]) -> tuple[dict[str, Any], np.ndarray]:
        """The run of another width or another draw of the weights."""
        network = {key: self.meta[key] for key in ("depth", "activation")}
        return {"width": request["width"]}, along_training(width=request["width"], seed=request["seed"], **network)

"""The truncation explorer: the exact flow against the hierarchy cut off at a level, at several widths."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ntkbook.experiments import truncation_run
from ntkbook.experiments.theorem_2_6 import DATA_SETS, LEVELS, TIMES
from ntkbook.widgets._base import BookWidget, module_text

__all__ = ["TruncationExplorer"]


class TruncationExplorer(BookWidget):
    """Outputs and kernel, exact and of a truncated level, with the error against width and against time.

    Parameters
    ----------
    runs
        data set -> width -> what `ntkbook.experiments.truncation_run` gives for one network, at the levels 2, 3, 4, 5.
    errors
        data set -> the largest errors of several networks, of outputs and kernel: (seeds, widths, 4, times, 2).
    initial
        The setting shown first: any of ``data``, ``level``, ``width``, ``time``, ``entry`` (as "1,2").
    id
        The name of this widget in the page's address; needed where a page holds two of a kind.

    Raises
    ------
    ValueError
        If the shapes do not fit.

    Examples
    --------
    >>> from ntkbook import experiments
    >>> from ntkbook.widgets import TruncationExplorer
    >>> TruncationExplorer.from_result(experiments.load("truncation")).meta["widths"]
    [16, 32, 64, 128, 256, 512, 1024]
    """

    _esm = module_text("truncation")

    def __init__(
        self,
        runs: Mapping[str, Mapping[int, ArrayLike]],
        errors: Mapping[str, ArrayLike],
        *,
        initial: dict[str, Any] | None = None,
        id: str = "truncation-explorer",
    ) -> None:
        widths = sorted(int(width) for width in next(iter(runs.values())))
        seeds = len(np.asarray(next(iter(errors.values()))))
        parts = []
        for name, by_width in runs.items():
            n = DATA_SETS[name]
            table = np.stack([np.asarray(by_width[width], np.float32) for width in widths])
            sizes = np.asarray(errors[name], np.float32)
            wanted = (len(widths), 1 + len(LEVELS), len(TIMES), n + n * (n + 1) // 2)
            if table.shape != wanted or sizes.shape != (seeds, len(widths), len(LEVELS), len(TIMES), 2):
                raise ValueError(
                    f"{name}: runs must have the shape {wanted} and errors the shape (seeds, {len(widths)}, "
                    f"{len(LEVELS)}, {len(TIMES)}, 2), got {table.shape} and {sizes.shape}."
                )
            parts += [table.ravel(), sizes.ravel()]
        meta = {
            "id": id,
            "data": [{"name": name, "points": DATA_SETS[name]} for name in runs],
            "widths": widths,
            "seeds": seeds,
            "levels": list(LEVELS),
            "times": list(TIMES),
            "initial": initial or {},
        }
        super().__init__(meta, np.concatenate(parts))

    @classmethod
    def from_result(cls, result: Mapping[str, Any], **keywords: Any) -> TruncationExplorer:
        """The widget of a result of the experiment "truncation"."""
        names = [name for name in DATA_SETS if f"runs {name}" in result]
        runs = {name: dict(zip(result["widths"], result[f"runs {name}"], strict=True)) for name in names}
        return cls(runs, {name: result[f"errors {name}"] for name in names}, **keywords)

    def answer(self, request: dict[str, Any]) -> tuple[dict[str, Any], np.ndarray]:
        """Another network on a data set, at every width: (widths, 1 + levels, times, numbers)."""
        data, seed = request["data"], request["seed"]
        runs = [truncation_run(data=data, width=width, seed=seed) for width in self.meta["widths"]]
        return {"data": data, "seed": seed}, np.stack(runs)

"""The truncation explorer: the exact flow against the hierarchy cut off at a level, at several widths."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
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

__all__ = ["TruncationExplorer", "truncation_run"]

DATA_SETS = {"sphere": 3, "half circle": 6, "digits": 8}  # and their numbers of points
LEVELS = (2, 3, 4, 5)
TIMES = tuple(0.5 * k for k in range(13))


def truncation_run(*, data: str, width: int, seed: int, levels: Sequence[int] = LEVELS) -> np.ndarray:
    r"""One network trained exactly, and how far each level of the truncated hierarchy (2.7) is from it.

    One hidden layer, tanh, times 0, 0.5, ..., 6, integrated to 1e-12. See the chapter "Theorem 2.6: the truncated
    hierarchy". All in float64, whatever the caller's mode.

    Parameters
    ----------
    data
        "sphere": three points of :math:`R^5` with the labels :math:`f_0 + 1`; "half circle": six points with the
        labels :math:`\sin 2\varphi`; "digits": four threes (label 1) and four eights (label -1).
    width
        m.
    seed
        Draws the network.
    levels
        p, each at least 2.

    Returns
    -------
    ndarray
        Shape (1 + levels, times, n + n (n+1) / 2), float64. First the exact outputs and the exact entries of
        :math:`K_t^{(2)}` on and above the diagonal, row by row; then, for each level, truncated minus exact. Past the
        time at which a level blows up its rows are NaN.

    Raises
    ------
    ValueError
        If there is no such data set.

    Examples
    --------
    >>> from ntkbook.widgets import truncation_run
    >>> truncation_run(data="sphere", width=16, seed=0, levels=[2, 3]).shape
    (3, 13, 9)
    """
    with jax.enable_x64(True):
        net = ntkbook.mlp(width=width)
        x, labels = _points(data)
        params = net.init(jax.random.key(seed), x.shape[1])
        y = net(params, x) + 1.0 if labels is None else labels
        times = jnp.array(TIMES)
        tight: dict[str, Any] = {"rtol": 1e-12, "atol": 1e-12, "progress": False}
        exact = _numbers(ntkbook.gradient_flow(net, params, x, y, times, **tight))
        h = ntkbook.kernel_hierarchy(net, params, x, max_order=max(levels))
        flows = [ntkbook.truncated_flow(h, y, times, level=p, throw=False, **tight) for p in levels]
        return np.stack([exact, *(_numbers(flow) - exact for flow in flows)])


def _points(data: str) -> tuple[Array, Array | None]:
    data = _checks.one_of(data, "data", tuple(DATA_SETS))
    if data == "sphere":
        return ntkbook.data.sphere_points(jax.random.key(1), DATA_SETS[data], 5), None
    if data == "half circle":
        angles, x = ntkbook.data.half_circle(DATA_SETS[data])
        return x, jnp.sin(2 * angles)
    return ntkbook.data.digits(DATA_SETS[data], key=jax.random.key(0))


def _numbers(flow: ntkbook.Trajectory) -> np.ndarray:
    upper = flow.kernel[:, *jnp.triu_indices(flow.kernel.shape[1])]
    return np.asarray(jnp.concatenate([flow.outputs, upper], axis=1))


def largest_errors(run: np.ndarray, points: int) -> np.ndarray:
    """From a run of `truncation_run`: the largest error over points and over entries, (levels, times, 2)."""
    errors = np.abs(run[1:])
    return np.stack([errors[..., :points].max(axis=-1), errors[..., points:].max(axis=-1)], axis=-1)


class TruncationExplorer(BookWidget):
    """Outputs and kernel, exact and of a truncated level, with the error against width and against time.

    Parameters
    ----------
    runs
        data set -> width -> what `truncation_run` gives for one network, at the levels 2, 3, 4, 5.
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
    >>> from ntkbook import results
    >>> from ntkbook.widgets import TruncationExplorer
    >>> TruncationExplorer.from_file(results.FOLDER / "truncation.npz").meta["widths"]
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
        widths = sorted(next(iter(runs.values())))
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
    def from_file(cls, path: str | Path, **keywords: Any) -> TruncationExplorer:
        """The widget of a file that ``tools/sweep_truncation.py`` has written."""
        with np.load(path) as file:
            widths = json.loads(str(file["about"]))["widths"]
            runs = {name: dict(zip(widths, file[f"runs {name}"], strict=True)) for name in DATA_SETS}
            return cls(runs, {name: file[f"errors {name}"] for name in DATA_SETS}, **keywords)

    def answer(self, request: dict[str, Any]) -> tuple[dict[str, Any], np.ndarray]:
        """Another network on a data set, at every width: (widths, 1 + levels, times, numbers)."""
        data, seed = request["data"], request["seed"]
        runs = [truncation_run(data=data, width=width, seed=seed) for width in self.meta["widths"]]
        return {"data": data, "seed": seed}, np.stack(runs)

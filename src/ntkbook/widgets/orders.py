"""Orders of magnitude: the size of K^(k) at the random start against the width."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ntkbook.experiments import sizes_at_start
from ntkbook.widgets._base import BookWidget, module_text

__all__ = ["OrdersOfMagnitude"]


class OrdersOfMagnitude(BookWidget):
    """The sizes of the kernels at the start against the width, with fitted and predicted slopes.

    Parameters
    ----------
    widths
        (w,), increasing.
    table
        The sizes, shape (activations, depths, orders, seeds, w), positive.
    activations, depths, orders
        What its first three axes stand for.
    initial
        The setting shown first: any of ``activation``, ``depth``, ``orders``, ``fit_from``.
    id
        The name of this widget in the page's address; needed where a page holds two of a kind.

    Raises
    ------
    ValueError
        If the table does not have that shape, or holds a number that is not positive.

    Examples
    --------
    >>> from ntkbook import experiments
    >>> from ntkbook.widgets import OrdersOfMagnitude
    >>> OrdersOfMagnitude.from_result(experiments.load("orders")).meta["orders"]
    [2, 3, 4, 5]
    """

    _esm = module_text("orders")

    def __init__(
        self,
        widths: Sequence[int],
        table: ArrayLike,
        *,
        activations: Sequence[str] = ("tanh", "erf", "softplus", "relu"),
        depths: Sequence[int] = (1, 2),
        orders: Sequence[int] = (2, 3, 4, 5),
        initial: dict[str, Any] | None = None,
        id: str = "orders-of-magnitude",
    ) -> None:
        sizes = np.asarray(table, np.float32)
        wanted = (len(activations), len(depths), len(orders), len(widths))
        if sizes.ndim != 5 or sizes.shape[:3] + sizes.shape[4:] != wanted:
            raise ValueError(
                "table must have shape (activations, depths, orders, seeds, widths) = "
                f"({wanted[0]}, {wanted[1]}, {wanted[2]}, any, {wanted[3]}), got {sizes.shape}."
            )
        if not (np.isfinite(sizes) & (sizes > 0)).all():
            raise ValueError("table must hold positive finite sizes, since their logarithms are drawn and fitted.")
        meta = {
            "id": id,
            "widths": np.asarray(widths).tolist(),
            "activations": list(activations),
            "depths": np.asarray(depths).tolist(),
            "orders": np.asarray(orders).tolist(),
            "seeds": sizes.shape[3],
            "initial": initial or {},
        }
        super().__init__(meta, sizes)

    @classmethod
    def from_result(cls, result: Mapping[str, Any], **keywords: Any) -> OrdersOfMagnitude:
        """The widget of a result of the experiment "orders"."""
        axes = {key: result[key] for key in ("activations", "depths", "orders")}
        networks = product(axes["activations"], axes["depths"], result["widths"])
        cells = [result["sizes"][f"{activation} {depth} {width}"] for activation, depth, width in networks]
        shape = [len(result[key]) for key in ("activations", "depths", "widths", "orders")]
        return cls(result["widths"], np.moveaxis(np.reshape(cells, (*shape, -1)), 2, 4), **axes, **keywords)

    def answer(self, request: dict[str, Any]) -> tuple[dict[str, Any], np.ndarray]:
        """New draws of one network's weights, at the widths up to the one asked for: (orders, seeds, widths)."""
        widths = [m for m in self.meta["widths"] if m <= request["up_to"]]
        seeds = range(request["first_seed"], request["first_seed"] + request["count"])
        network = {key: request[key] for key in ("activation", "depth", "orders")}
        sizes = [sizes_at_start(width=m, seeds=seeds, **network) for m in widths]
        return {"widths": widths}, np.stack(sizes, axis=-1)

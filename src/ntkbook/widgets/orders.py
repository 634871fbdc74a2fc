"""Orders of magnitude: the size of K^(r) at the random start against the width."""

from __future__ import annotations

import json
from collections.abc import Sequence
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

__all__ = ["OrdersOfMagnitude", "sizes_at_start"]

POINTS, INPUT_DIM = 4, 8


def sizes_at_start(
    *, activation: str, depth: int, width: int, seeds: Sequence[int], orders: Sequence[int] = (2, 3, 4, 5)
) -> np.ndarray:
    r"""The largest entry :math:`\max |K_0^{(r)}|` for several draws of the weights, (2.3).

    Four fixed points on the unit sphere of :math:`R^8`; the draw depends on the seed and the width.

    Parameters
    ----------
    activation, depth, width
        The network, as in `ntkbook.mlp`.
    seeds
        Integers, one a draw.
    orders
        Which r.

    Returns
    -------
    ndarray
        Shape (orders, seeds), in JAX's default floating dtype.

    Examples
    --------
    >>> from ntkbook.widgets import sizes_at_start
    >>> sizes_at_start(activation="tanh", depth=1, width=16, seeds=[0, 1, 2], orders=(2, 3)).shape
    (2, 3)
    """
    net = ntkbook.mlp(width=width, depth=depth, activation=activation)
    x = ntkbook.data.sphere_points(jax.random.key(0), POINTS, INPUT_DIM)
    keys = jnp.stack([jax.random.fold_in(jax.random.key(seed), width) for seed in seeds])
    return np.asarray(_sizes(net, x, tuple(orders), keys)).T


@partial(jax.jit, static_argnames=("net", "orders"))
def _sizes(net: ntkbook.MLP, x: Array, orders: tuple[int, ...], keys: Array) -> Array:
    def of_draw(key: Array) -> Array:
        params = net.init(key, x.shape[1])
        hierarchy = ntkbook.kernel_hierarchy(net, params, x, max_order=max(orders))
        return jnp.stack([jnp.abs(hierarchy.kernels[r]).max() for r in orders])

    return jax.lax.map(of_draw, keys)


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
    >>> from ntkbook import results
    >>> from ntkbook.widgets import OrdersOfMagnitude
    >>> OrdersOfMagnitude.from_file(results.FOLDER / "orders.json").meta["orders"]
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
            "widths": list(widths),
            "activations": list(activations),
            "depths": list(depths),
            "orders": list(orders),
            "seeds": sizes.shape[3],
            "initial": initial or {},
        }
        super().__init__(meta, sizes)

    @classmethod
    def from_file(cls, path: str | Path, **keywords: Any) -> OrdersOfMagnitude:
        """The widget of a file that ``tools/sweep_orders.py`` has written."""
        sweep = json.loads(Path(path).read_text(encoding="utf-8"))
        axes = {key: sweep[key] for key in ("activations", "depths", "orders")}
        widths, seeds = sweep["widths"], sweep["seeds"]
        shape = [len(sweep[key]) for key in ("activations", "depths", "widths", "orders")]
        cells = [sweep["sizes"][f"{a} {d} {m}"] for a in axes["activations"] for d in axes["depths"] for m in widths]
        table = np.moveaxis(np.reshape(cells, (*shape, seeds)), 2, 4)
        return cls(widths, table, **axes, **keywords)

    def answer(self, request: dict[str, Any]) -> tuple[dict[str, Any], np.ndarray]:
        """New draws of one network's weights, at the widths up to the one asked for: (orders, seeds, widths)."""
        widths = [m for m in self.meta["widths"] if m <= request["up_to"]]
        seeds = range(request["first_seed"], request["first_seed"] + request["count"])
        network = {key: request[key] for key in ("activation", "depth", "orders")}
        sizes = [sizes_at_start(width=m, seeds=seeds, **network) for m in widths]
        return {"widths": widths}, np.stack(sizes, axis=-1)

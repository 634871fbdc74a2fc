"""What is measured along a trajectory or over widths: exponents, and the two sides of (2.1) and (2.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ntkbook import _checks
from ntkbook.kernels import Network, check_network, empirical_kernel

__all__ = ["PowerLaw", "fit_exponent", "hierarchy_slope", "max_abs"]


@dataclass(frozen=True)
class PowerLaw:
    """values = exp(intercept) * widths ** slope, with the standard error of the slope over seeds (nan for one seed).

    Examples
    --------
    >>> import ntkbook
    >>> law = ntkbook.diagnostics.PowerLaw(slope=-1.0, intercept=0.0, standard_error=0.1)
    >>> law([1, 2, 4]).tolist()
    [1.0, 0.5, 0.25]
    """

    slope: float
    intercept: float
    standard_error: float

    def __call__(self, widths: Any) -> np.ndarray:
        """The fitted values at some widths."""
        return np.exp(self.intercept) * np.asarray(widths, float) ** self.slope


def fit_exponent(widths: Any, values: Any) -> PowerLaw:
    """The exponent of a power law, by least squares of log(value) on log(width).

    Parameters
    ----------
    widths
        Widths (or any other positive scale), shape (w,), at least two different ones.
    values
        Positive values, shape (w,), or (seeds, w): then logarithms are averaged over seeds, and the standard error of
        the slope comes from the slopes of single seeds.

    Returns
    -------
    PowerLaw
        slope, intercept, standard_error.

    Raises
    ------
    ValueError
        If shapes do not fit, or a number is not positive and finite.

    Examples
    --------
    >>> import ntkbook
    >>> round(ntkbook.diagnostics.fit_exponent([16, 64, 256], [1.0, 0.25, 0.0625]).slope, 6)
    -1.0
    """
    log_m, log_v = np.log(_positive(widths, "widths")), np.log(np.atleast_2d(_positive(values, "values")))
    if log_m.ndim != 1 or log_v.ndim != 2 or log_v.shape[1] != log_m.size or np.unique(log_m).size < 2:
        raise ValueError(
            f"fit_exponent wants at least two different widths (w,) and values (w,) or (seeds, w), got shapes "
            f"{np.shape(widths)} and {np.shape(values)}."
        )
    centred = log_m - log_m.mean()
    slopes = log_v @ centred / (centred @ centred)
    slope = slopes.mean()
    error = slopes.std(ddof=1) / np.sqrt(slopes.size) if slopes.size > 1 else np.nan
    return PowerLaw(float(slope), float(log_v.mean() - slope * log_m.mean()), float(error))


def _positive(values: Any, name: str) -> np.ndarray:
    array = np.asarray(values, float)
    if not (np.isfinite(array).all() and (array > 0).all()):
        raise ValueError(f"{name} must be positive and finite, since their logarithms are fitted. Drop other entries.")
    return array


def max_abs(kernel: Array) -> Array:
    """The largest absolute entry of a kernel, of JAX or NumPy: the norm in which (2.3) and (2.4) are stated.

    Examples
    --------
    >>> import jax.numpy as jnp, ntkbook
    >>> float(ntkbook.diagnostics.max_abs(jnp.array([[1.0, -3.0]])))
    3.0
    """
    return abs(kernel).max()


def hierarchy_slope(net: Network, params: Any, x: Array, y: Array, *, order: int) -> Array:
    r"""The right side of (2.1) and (2.2): :math:`-\frac1n \sum_\beta K^{(k+1)}(\ldots, x_\beta)\,(f_\beta - y_\beta)`.

    Parameters
    ----------
    net, params, x, y
        As for `gradient_flow`; params at the moment in question.
    order
        k: 1 stands for the outputs themselves, whose slope (2.1) gives; from 2 on for K^(k).

    Returns
    -------
    Array
        The time derivative of the outputs, shape (n,), or of K^(k), shape (n,) * k; for a network of C outputs
        (n, C), or (n, C) * k.

    Raises
    ------
    ValueError, TypeError
        As `empirical_kernel`; or if y does not hold one label a point.

    Notes
    -----
    Cost: that of K^(k+1).

    Examples
    --------
    >>> import jax, jax.numpy as jnp, ntkbook
    >>> net = ntkbook.mlp(width=16, depth=1)
    >>> params = net.init(jax.random.key(0), 3)
    >>> ntkbook.diagnostics.hierarchy_slope(net, params, jnp.eye(3), jnp.ones(3), order=2).shape
    (3, 3)
    """
    order = _checks.integer(order, "order", at_least=1)
    x, _ = check_network(net, params, x, None)
    outputs = jax.vmap(net, in_axes=(None, 0))
    y = _checks.labels(y, x, outputs=jax.eval_shape(outputs, params, x).shape[1:])
    kernel = empirical_kernel(net, params, x, order=order + 1)
    return -jnp.tensordot(kernel, outputs(params, x) - y, axes=y.ndim) / len(y)

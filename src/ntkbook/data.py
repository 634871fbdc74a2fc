"""Data sets, and how far they satisfy Assumption 2.2."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ntkbook import _checks
from ntkbook._extras import book_extra

__all__ = ["SingularValueReport", "digits", "half_circle", "smallest_singular_value", "sphere_points"]


def sphere_points(key: Array, n: int, input_dim: int) -> Array:
    """n independent points, uniform on the unit sphere of R^d.

    No two are antipodal (a network without biases sees such a pair as one direction) but for a chance of zero.

    Parameters
    ----------
    key
        A key of `jax.random.key`.
    n, input_dim
        Number of points, and of coordinates d >= 2.

    Returns
    -------
    Array
        Shape (n, d), rows of norm 1.

    Raises
    ------
    ValueError, TypeError
        If n < 1 or input_dim < 2, or the key is not a key.

    Examples
    --------
    >>> import jax, ntkbook
    >>> ntkbook.data.sphere_points(jax.random.key(0), n=5, input_dim=3).shape
    (5, 3)
    """
    key = _checks.prng_key(key)
    shape = (_checks.integer(n, "n", at_least=1), _checks.integer(input_dim, "input_dim", at_least=2))
    return _on_sphere(key, shape)


@partial(jax.jit, static_argnames="shape", inline=True)
def _on_sphere(key: Array, shape: tuple[int, int]) -> Array:
    z = jax.random.normal(key, shape)
    return z / jnp.linalg.norm(z, axis=1, keepdims=True)


def half_circle(n: int) -> tuple[Array, Array]:
    """n equally spaced angles inside (0, pi), and the line they parametrise embedded as (cos, sin).

    A network without biases is no function of a raw one-dimensional input that is worth fitting; on the half circle
    it is one of the angle, and no two points are antipodal.

    Returns
    -------
    tuple of Arrays
        The angles (n,), at (k - 1/2) pi / n for k = 1..n, and the points (n, 2) of norm 1.

    Examples
    --------
    >>> import ntkbook
    >>> angles, x = ntkbook.data.half_circle(6)
    >>> angles.shape, x.shape
    ((6,), (6, 2))
    """
    return _on_half_circle(_checks.integer(n, "n", at_least=1))


@partial(jax.jit, static_argnames="n", inline=True)
def _on_half_circle(n: int) -> tuple[Array, Array]:
    angles = jnp.arange(0.5, n) * (jnp.pi / n)
    return angles, jnp.stack([jnp.cos(angles), jnp.sin(angles)], axis=1)


def digits(n: int, *, key: Array, classes: tuple[int, int] = (3, 8)) -> tuple[Array, Array]:
    """n handwritten digits of two classes, half of each (rounded), with labels +1 for the first class and -1.

    The 8 x 8 images that scikit-learn ships, each scaled to norm 1.

    Parameters
    ----------
    n
        How many, at least 2.
    key
        Chooses them: a key of `jax.random.key`.
    classes
        Two different digits.

    Returns
    -------
    tuple of Arrays
        Points (n, 64) and labels (n,).

    Raises
    ------
    ValueError, TypeError
        If the classes are not two different digits, or hold fewer images than asked for.
    ModuleNotFoundError
        If scikit-learn is missing.

    Examples
    --------
    >>> import jax, ntkbook
    >>> x, y = ntkbook.data.digits(10, key=jax.random.key(0))
    >>> x.shape, int(y.sum())
    ((10, 64), 0)
    """
    with book_extra("ntkbook.data.digits"):
        from sklearn.datasets import load_digits

    n = _checks.integer(n, "n", at_least=2)
    key = _checks.prng_key(key)
    if len(set(classes)) != 2 or not set(classes) <= set(range(10)):
        raise ValueError(f"classes must be two different digits from 0 to 9, got {classes!r}.")
    images, digit = load_digits(return_X_y=True)
    counts = ((n + 1) // 2, n // 2)
    candidates = [np.flatnonzero(digit == label) for label in classes]
    for label, count, of_label in zip(classes, counts, candidates, strict=True):
        if count > len(of_label):
            raise ValueError(
                f"n must be at most twice the {len(of_label)} images of digit {label}, got {n}. Ask for fewer."
            )
    drawn, order = _drawn(key, tuple(map(len, candidates)), counts)
    rows = [of_label[np.asarray(places)] for of_label, places in zip(candidates, drawn, strict=True)]
    x = images[np.concatenate(rows)][order]
    y = np.repeat([1.0, -1.0], counts)[order]
    dtype = jnp.result_type(float)
    return jnp.asarray(x / np.linalg.norm(x, axis=1, keepdims=True), dtype), jnp.asarray(y, dtype)


@partial(jax.jit, static_argnames=("sizes", "counts"))
def _drawn(key: Array, sizes: tuple[int, ...], counts: tuple[int, ...]) -> tuple[list[Array], Array]:
    """So many of each class, without replacement, and the order of all of them."""
    keys = jax.random.split(key, len(sizes))
    drawn = [
        jax.random.choice(k, size, (count,), replace=False) for k, size, count in zip(keys, sizes, counts, strict=True)
    ]
    return drawn, jax.random.permutation(jax.random.fold_in(key, 0), sum(counts))


@dataclass(frozen=True)
class SingularValueReport:
    """The smallest singular value over sets of points, and which sets were looked at.

    Parameters
    ----------
    value
        The smallest singular value.
    size
        The number of points in a set.
    subsets
        How many sets were looked at.
    exhaustive
        Whether the value holds for all sets of that size.

    Examples
    --------
    >>> import ntkbook
    >>> print(ntkbook.data.SingularValueReport(value=0.5, size=3, subsets=20, exhaustive=True))
    smallest singular value 0.5 over all 20 subsets of 3 points
    """

    value: float
    size: int
    subsets: int
    exhaustive: bool

    def __str__(self) -> str:
        if self.exhaustive:
            which = "all subsets, bounded by the whole set" if self.subsets == 1 else f"all {self.subsets} subsets"
        else:
            which = f"{self.subsets} random subsets"
        return f"smallest singular value {self.value:.3g} over {which} of {self.size} points"


def smallest_singular_value(
    x: Array, size: int | None = None, *, key: Array | None = None, max_subsets: int = 1000
) -> SingularValueReport:
    """How far the points are from linear dependence: the constant c_r of Assumption 2.2.

    The assumption bounds from below the smallest singular value of the matrix [x_1, ..., x_r] for any r distinct
    points, r up to 2p+1. Where the whole set is independent (n <= d) its smallest singular value bounds that of every
    subset, so one number answers. Otherwise subsets of the given size are listed, or drawn at random if there are
    more than `max_subsets`: then the value is only an upper bound on c_r.

    Parameters
    ----------
    x
        Points, shape (n, d).
    size
        r, the number of points in a subset; by default min(n, d).
    key
        Draws the random subsets; needed only if there are more than `max_subsets`.
    max_subsets
        How many subsets to look at.

    Returns
    -------
    SingularValueReport
        value, size, the number of subsets looked at, and whether the value holds for all of them. Prints as a sentence.

    Raises
    ------
    ValueError
        If size is not between 1 and n, or random subsets are needed and no key is given.

    Examples
    --------
    >>> import jax.numpy as jnp, ntkbook
    >>> print(ntkbook.data.smallest_singular_value(jnp.eye(4)))
    smallest singular value 1 over all subsets, bounded by the whole set of 4 points
    """
    x = _checks.points(x)
    n, d = x.shape
    size = min(n, d) if size is None else _checks.integer(size, "size", at_least=1)
    if size > n:
        raise ValueError(f"size must be at most the number of points {n}, got {size}.")

    def smallest(rows: Array) -> float:
        return float(jnp.linalg.svd(rows, compute_uv=False).min()) if rows.shape[-2] <= d else 0.0

    if n <= d:
        return SingularValueReport(smallest(x), size, subsets=1, exhaustive=True)
    subsets = list(itertools.islice(itertools.combinations(range(n), size), max_subsets + 1))
    exhaustive = len(subsets) <= max_subsets
    if not exhaustive:
        if key is None:
            raise ValueError(
                f"there are more than {max_subsets} subsets of {size} of {n} points. Pass key= to draw some at random, "
                "or raise max_subsets."
            )
        draws = jax.vmap(lambda k: jax.random.choice(k, n, (size,), replace=False))(
            jax.random.split(_checks.prng_key(key), max_subsets)
        )
        subsets = [tuple(row) for row in np.asarray(draws)]
    value = smallest(x[jnp.asarray(subsets)])
    return SingularValueReport(value, size, len(subsets), exhaustive)

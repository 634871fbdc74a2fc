"""Kernels in blocks of their slots, so that what is computed at once fits into the memory."""

from __future__ import annotations

import bisect
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array

from ntkbook import _checks, _progress
from ntkbook.kernels.recursion import Gradients

__all__: list[str] = []

Slots = tuple[Array | None, ...]  # the points of each slot; None: those of x, so that what they share is computed once
Map = Callable[[Callable[[Array], Array], Array], Array]  # of a function over the leading axis

MEMORY = 1.5 * 2**30  # bytes for the work where no limit is given: larger blocks are not faster


def in_blocks(
    compute: Callable[[Slots], Array], x: Array, slots: Slots, sizes: tuple[int, ...], each: Map, axes_a_slot: int
) -> Array:
    """K^(k), with at most sizes[j] points of slot j + 1 at once; `sizes` may be shorter, for the slots done already."""
    if not sizes:
        return compute(slots)
    *earlier, size = sizes
    k = len(earlier)

    def inside(points: Array | None) -> Array:
        return in_blocks(compute, x, (*slots[:k], points, *slots[k + 1 :]), tuple(earlier), each, axes_a_slot)

    given = slots[k]
    points = x if given is None else given
    n = len(points)
    if size >= n:
        return inside(given)
    axis = k * axes_a_slot
    blocks = jnp.concatenate([points, points[: -n % size]]).reshape(-1, size, points.shape[1])
    K = jnp.moveaxis(each(inside, blocks), 0, axis)
    K = K.reshape(*K.shape[:axis], -1, *K.shape[axis + 2 :])
    return jax.lax.slice_in_dim(K, 0, n, axis=axis)


def one_by_one(what: str, progress: bool) -> Map:
    """`jax.lax.map` outside of compiled code, where it is twice as fast on CPU and can show how far it is."""

    def each(f: Callable[[Array], Array], blocks: Array) -> Array:
        bar = _progress.steps(range(len(blocks)), what, wanted=progress)
        return jnp.stack([jax.block_until_ready(f(blocks[k])) for k in bar])  # one at a time in memory

    return each


def block_sizes(
    gradients: Gradients, x: Array, k: int, order: int, *, memory_limit: float | None, devices: int
) -> tuple[int, ...]:
    """How many points of each slot to take at once: as many as fit into the memory. Slot 1 runs over k points.

    Slots 3, ..., k are divided first, the last one before all others; then slots 1 and 2, in blocks of equal size.
    """
    n, later = len(x), order - 2
    if memory_limit is None:
        limit, smallest = MEMORY, 8  # smaller blocks of slots 1 and 2 repeat too much work
    else:
        limit, smallest = float(_checks.positive(memory_limit, "memory_limit")), 1
    fewest = n if devices > 1 and later else 1  # the slot that is divided among devices is taken whole
    whole = max(k, n)
    if devices > 1:
        smallest = whole
    result = 0.0 if memory_limit is None else k * n ** (order - 1) * gradients.outputs**order / devices

    def needed(size: int, combinations: int) -> float:
        """Bytes for blocks of this size in slots 1 and 2, and so many combinations of the points of slots 3, ..., k."""
        directions = combinations * gradients.outputs**later / devices
        return x.dtype.itemsize * (result + gradients.held(min(size, k), min(size, n), order, directions))

    if needed(smallest, fewest) > limit and memory_limit is not None:
        raise ValueError(
            f"memory_limit must be at least {needed(smallest, fewest):.3g} bytes for K^({order}) at {n} points, got "
            f"{limit:.3g}. Raise it, or pass fewer points{' or fewer test points at a time' if k != n else ''}."
        )
    size = max(min(smallest, whole), _most(whole, lambda size: needed(size, fewest) <= limit))
    combinations = max(fewest, _most(n**later, lambda combinations: needed(size, combinations) <= limit))
    return size, size, *(max(1, combinations // n**earlier) for earlier in range(later))


def _most(highest: int, fits: Callable[[int], bool]) -> int:
    """The largest number up to the highest that fits, 0 if none does."""
    if fits(highest):  # as nearly always
        return highest
    return bisect.bisect_left(range(1, highest + 1), True, key=lambda number: not fits(number))

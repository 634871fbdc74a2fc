"""Checks of arguments, made before any computation.

Every message says the subject, the requirement, what was received and the remedy. Shapes and types are checked
always; values only outside of ``jit`` and ``vmap``, where they are known.
"""

from __future__ import annotations

import math
import operator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array


def is_traced(*values: Any) -> bool:
    """Whether any leaf is a tracer, so that its value is not known yet."""
    return any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(values))


def refuse_silent_downcast(value: Any, name: str) -> None:
    """Refuse a NumPy float64 array where JAX would turn it into float32 unnoticed."""
    wide = isinstance(value, np.ndarray | np.floating) and value.dtype == np.float64
    if wide and jnp.result_type(float) != jnp.float64:
        raise TypeError(
            f"{name} is a NumPy float64 array, which JAX would turn into float32 because its 64-bit mode is off. "
            f"Call ntkbook.enable_float64() first, or pass {name}.astype(numpy.float32)."
        )


def floating_array(value: Any, name: str, *, ndim: int | tuple[int, ...]) -> Array:
    """`value` as a finite floating array with one of the allowed numbers of axes."""
    refuse_silent_downcast(value, name)
    try:
        array = value if isinstance(value, Array) else jnp.asarray(value)
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"{name} must be an array of real numbers, got {type(value).__name__}. Pass a NumPy or JAX array."
        ) from error
    if jnp.issubdtype(array.dtype, jnp.integer) or array.dtype == jnp.bool_:
        array = array.astype(jnp.result_type(float))
    if not jnp.issubdtype(array.dtype, jnp.floating):
        raise TypeError(f"{name} must hold real numbers, got dtype {array.dtype}. Pass a floating array.")
    allowed = (ndim,) if isinstance(ndim, int) else ndim
    if array.ndim not in allowed:
        wanted = " or ".join(str(k) for k in allowed)
        raise ValueError(
            f"{name} must have {wanted} axes, got shape {array.shape}. Reshape it, for example with reshape or [None]."
        )
    if not is_traced(array) and not np.isfinite(np.asarray(array)).all():
        raise ValueError(f"{name} must be finite, got NaN or infinity. Remove or replace these entries.")
    return array


def points(value: Any, name: str = "x") -> Array:
    """`value` as an array of points, one a row: shape (n, d) with n, d >= 1."""
    array = floating_array(value, name, ndim=2)
    if 0 in array.shape:
        raise ValueError(
            f"{name} must hold at least one point and one coordinate, got shape {array.shape}. Leave out what is empty."
        )
    return array


def labels(value: Any, x: Array, name: str = "y") -> Array:
    """`value` as one label for each row of x, in the dtype of x where it came as numbers without a floating dtype."""
    has_own_dtype = hasattr(value, "dtype") and jnp.issubdtype(value.dtype, jnp.floating)
    array = floating_array(value, name, ndim=1)
    if array.shape != x.shape[:1]:
        raise ValueError(
            f"{name} must hold one label for each of the {x.shape[0]} points, got shape {array.shape}. "
            f"Pass an array of shape ({x.shape[0]},)."
        )
    return array if has_own_dtype else array.astype(x.dtype)


def same_dtype(**arrays: Any) -> None:
    """Refuse a mix of dtypes among the leaves of `arrays`, and leaves that are no arrays."""
    if len({getattr(leaf, "dtype", type(leaf)) for leaf in jax.tree.leaves(arrays)}) == 1:
        return
    found = {
        name: sorted({str(getattr(leaf, "dtype", type(leaf).__name__)) for leaf in jax.tree.leaves(value)})
        for name, value in arrays.items()
        if value is not None
    }
    if len({dtype for dtypes in found.values() for dtype in dtypes}) > 1:
        listing = ", ".join(f"{name}: {'/'.join(dtypes)}" for name, dtypes in found.items())
        raise TypeError(
            f"{', '.join(found)} must share one floating dtype, got {listing}. Convert with astype, or build them all "
            "after ntkbook.enable_float64()."
        )


_LARGEST_RESULT = 2**36  # bytes


def result_size(shape: tuple[int, ...], dtype: Any) -> None:
    """Refuse a kernel that no memory holds, before it takes the process with it."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if size > _LARGEST_RESULT:
        raise ValueError(
            f"order must be lower for so many points: got {len(shape)} slots, {math.prod(shape):.2g} entries, "
            f"{size:.2g} bytes, and at most {_LARGEST_RESULT:.2g} are tried. Lower the order, or pass fewer points."
        )


def integer(value: Any, name: str, *, at_least: int) -> int:
    """`value` as a Python integer, at least `at_least`."""
    try:
        number = operator.index(value)
    except TypeError as error:
        raise TypeError(f"{name} must be an integer, got {value!r}. Pass a Python int.") from error
    if number < at_least:
        raise ValueError(f"{name} must be at least {at_least}, got {number}. Pass {at_least} or more.")
    return number


def positive(value: Any, name: str) -> Any:
    """`value` as a positive, finite Python float; a tracer as it is."""
    if is_traced(value):
        return value
    number = _float(value, name)
    if not (np.isfinite(number) and number > 0):
        raise ValueError(f"{name} must be positive and finite, got {number}. Pass a number above 0.")
    return number


def not_negative(value: Any, name: str) -> Any:
    """`value` as a finite Python float that is at least 0; a tracer as it is."""
    if is_traced(value):
        return value
    number = _float(value, name)
    if not (np.isfinite(number) and number >= 0):
        raise ValueError(f"{name} must be finite and not negative, got {number}. Pass 0 or more.")
    return number


def one_of(value: Any, name: str, choices: tuple[str, ...]) -> Any:
    """`value`, which must be one of these words."""
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}, got {value!r}. Pass one of these words.")
    return value


def _float(value: Any, name: str) -> float:
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name} must be a number, got {value!r}. Pass a Python float.") from error


def increasing_times(value: Any) -> Array:
    """`value` as times (T,): not negative, strictly increasing, at least one."""
    times = floating_array(value, "times", ndim=1)
    if times.size == 0:
        raise ValueError("times must hold at least one time, got none. Pass for example jnp.linspace(0, 1, 11).")
    if not is_traced(times):
        known = np.asarray(times)  # NumPy, since inside of jit JAX would stage the comparison
        if known[0] < 0:
            raise ValueError(f"times must not be negative, got {known[0]}. Training starts at time 0.")
        if (np.diff(known) <= 0).any():
            k = int(np.argmax(np.diff(known) <= 0))
            raise ValueError(
                f"times must be strictly increasing, got {known[k]} before {known[k + 1]}. Sort them and drop repeated "
                "ones."
            )
    return times


def prng_key(value: Any, name: str = "key") -> Array:
    """`value` as one typed or raw JAX random key."""
    is_key = isinstance(value, jax.Array) and (
        (jnp.issubdtype(value.dtype, jax.dtypes.prng_key) and value.shape == ())
        or (value.dtype == jnp.uint32 and value.shape == (2,))
    )
    if not is_key:
        raise TypeError(f"{name} must be one JAX random key, got {value!r}. Make one with jax.random.key(seed).")
    return value

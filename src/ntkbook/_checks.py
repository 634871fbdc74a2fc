"""Checks of arguments, made before any computation.

Every message says the subject, the requirement, what was received and the remedy. Shapes and types are checked
always; values only outside of ``jit`` and ``vmap``, where they are known.
"""

from __future__ import annotations

import math
import operator
import os
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array


def is_traced(*values: Any) -> bool:
    """Whether any leaf is a tracer, so that its value is not known yet."""
    return any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(values))


def refuse_silent_downcast(value: Any, name: str) -> None:
    """Refuse what declares itself float64, anywhere inside, where JAX would turn it into float32 unnoticed.

    NumPy arrays and scalars, and whatever converts to a NumPy array, do; numbers of Python declare no precision.
    """
    if isinstance(value, Array) or jnp.result_type(float) == jnp.float64:
        return
    if isinstance(value, list | tuple):
        for item in value:
            refuse_silent_downcast(item, name)
    elif getattr(_as_numpy(value), "dtype", None) == np.float64:
        kind = (
            "NumPy float64 array" if isinstance(value, np.ndarray | np.floating) else f"float64 {type(value).__name__}"
        )
        raise TypeError(
            f"{name} is a {kind}, which JAX would turn into float32 because its 64-bit mode is off. "
            f"Call ntkbook.enable_float64() first, or pass {name}.astype(numpy.float32)."
        )


def _as_numpy(value: Any) -> Any:
    """Whatever says how to become a NumPy array (a data frame, a tensor of another library) as one; else the value."""
    foreign = hasattr(value, "__array__") and not isinstance(value, Array | np.ndarray | np.generic | type)
    return np.asarray(value) if foreign else value


def _refuse_unfit(value: Any, name: str) -> None:
    """Refuse arrays of NumPy, also inside of lists, that JAX would misread: masked entries, and dtypes it has not."""
    if isinstance(value, list | tuple):
        for item in value:
            _refuse_unfit(item, name)
    if isinstance(value, np.ma.MaskedArray) and np.ma.getmaskarray(value).any():
        raise ValueError(
            f"{name} has {np.ma.count_masked(value)} masked entries, whose values mean nothing. Fill them with "
            "filled(...) or drop these points."
        )
    remedy = {
        "O": "holds objects. Convert with astype(float), after looking for missing entries and text",
        "U": "holds text. Convert with astype(float)",
        "S": "holds text. Convert with astype(float)",
        "c": "holds complex numbers. Pass real numbers: its .real, or real and imaginary parts as coordinates",
        "M": "holds dates. Convert them to numbers",
        "m": "holds durations. Convert them to numbers",
    }
    dtype = getattr(value, "dtype", None)
    if isinstance(dtype, np.dtype):
        if dtype.kind in remedy:
            raise TypeError(f"{name} must hold real numbers, got dtype {dtype}: it {remedy[dtype.kind]}.")
        if dtype == np.longdouble and dtype != np.float64:
            raise TypeError(
                f"{name} must be float32 or float64, got {dtype}, which JAX does not have. Convert to float64."
            )


def floating_array(value: Any, name: str, *, ndim: int | tuple[int, ...]) -> Array:
    """`value` as a finite floating array with one of the allowed numbers of axes."""
    array = _real_array(value, name, ndim)
    if not is_traced(array) and not np.isfinite(np.asarray(array)).all():
        raise ValueError(f"{name} must be finite, got NaN or infinity. Remove or replace these entries.")
    return array


def _real_array(value: Any, name: str, ndim: int | tuple[int, ...]) -> Array:
    """`value` as a float32 or float64 array with one of the allowed numbers of axes."""
    value = _as_numpy(value)
    refuse_silent_downcast(value, name)
    _refuse_unfit(value, name)
    value = value.data if isinstance(value, np.ma.MaskedArray) else value  # nothing is masked
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
    if array.dtype not in (jnp.float32, jnp.float64):
        raise TypeError(
            f"{name} must be float32 or float64, got {array.dtype}, too coarse for kernels and flows. "
            "Convert with astype(numpy.float32)."
        )
    allowed = (ndim,) if isinstance(ndim, int) else ndim
    if array.ndim not in allowed:
        wanted = " or ".join(str(k) for k in allowed)
        raise ValueError(
            f"{name} must have {wanted} axes, got shape {array.shape}. Reshape it, for example with reshape or [None]."
        )
    return array


def points(value: Any, name: str = "x") -> Array:
    """`value` as an array of points, one a row: shape (n, d) with n, d >= 1."""
    array = floating_array(value, name, ndim=2)
    if 0 in array.shape:
        raise ValueError(
            f"{name} must hold at least one point and one coordinate, got shape {array.shape}. Leave out what is empty."
        )
    return array


def labels(value: Any, x: Array, name: str = "y", *, outputs: tuple[int, ...] = ()) -> Array:
    """`value` as one label for each row of x, or one for each of its outputs, (n,) or (n, C).

    In the dtype of x where it came as numbers without a floating dtype.
    """
    has_own_dtype = hasattr(value, "dtype") and jnp.issubdtype(value.dtype, jnp.floating)
    wanted = (x.shape[0], *outputs)
    array = floating_array(value, name, ndim=len(wanted))
    if array.shape != wanted:
        of_each = f" and each of the {outputs[0]} outputs" if outputs else ""
        raise ValueError(
            f"{name} must hold one label for each of the {x.shape[0]} points{of_each}, got shape {array.shape}. "
            f"Pass an array of shape {wanted}."
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


def memory() -> float:
    """Bytes of memory of this machine; where it does not say, 64 GiB."""
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, OSError, ValueError):
        return 2.0**36


def fits_memory(what: str, parts: dict[str, float], remedy: str) -> None:
    """Refuse what this machine's memory does not hold, before it takes the process with it. `parts` are in bytes."""
    size = sum(parts.values())
    if size > memory():
        listing = ", ".join(f"{name} {part:.2g}" for name, part in parts.items() if part)
        raise ValueError(
            f"{what} must fit into memory, got {size:.2g} bytes ({listing}), and this machine has "
            f"{memory():.2g}. {remedy}"
        )


def result_size(shape: tuple[int, ...], dtype: Any) -> None:
    """Refuse a kernel that no memory holds."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    entries = f"{len(shape)} slots, {math.prod(shape):.2g} entries"
    fits_memory("a kernel", {entries: size}, "Lower the order, or pass fewer points.")


def integer(value: Any, name: str, *, at_least: int) -> int:
    """`value` as a Python integer, at least `at_least`."""
    try:
        if isinstance(value, bool | np.bool_):
            raise TypeError("a truth value is no number")
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
        if isinstance(value, bool | np.bool_):
            raise TypeError("a truth value is no number")
        return float(value)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name} must be a number, got {value!r}. Pass a Python float.") from error


def increasing_times(value: Any, *, infinite: bool = False) -> Array:
    """`value` as times (T,): not negative, strictly increasing, at least one; the last is finite unless `infinite`."""
    times = _real_array(value, "times", ndim=1)
    if times.size == 0:
        raise ValueError("times must hold at least one time, got none. Pass for example jnp.linspace(0, 1, 11).")
    if not is_traced(times):
        known = np.asarray(times)  # NumPy, since inside of jit JAX would stage the comparison
        if np.isnan(known).any() or (np.isinf(known).any() and not infinite):
            raise ValueError(
                "times must be finite, got NaN or infinity. Remove or replace these entries; "
                "frozen_kernel_flow alone takes jnp.inf."
            )
        if known[0] < 0:
            raise ValueError(f"times must not be negative, got {known[0]}. Training starts at time 0.")
        later = known[1:] > known[:-1]
        if not later.all():
            k = int(np.argmin(later))
            raise ValueError(
                f"times must be strictly increasing, got {known[k]} before {known[k + 1]}. Sort them and drop repeated "
                "ones."
            )
    return times


def prng_key(value: Any, name: str = "key") -> Array:
    """`value` as one JAX random key: typed, of any implementation, or raw, of the default one or of rbg."""
    if not isinstance(value, jax.Array):
        raise TypeError(f"{name} must be one JAX random key, got {value!r}. Make one with jax.random.key(seed).")
    typed = jnp.issubdtype(value.dtype, jax.dtypes.prng_key)
    if typed and value.shape == ():
        return value
    own = jax.random.key_data(jax.random.key(0)).shape
    if value.dtype == jnp.uint32 and value.shape == own:
        return value
    if value.dtype == jnp.uint32 and value.shape in ((2,), (4,)):
        return jax.random.wrap_key_data(value, impl="threefry2x32" if value.shape == (2,) else "rbg")
    several = typed or (value.dtype == jnp.uint32 and value.ndim > 1)
    raise TypeError(
        f"{name} must be one JAX random key, got {'keys' if several else 'an array'} of shape {value.shape} and dtype "
        f"{value.dtype}. {'Pass one of them, or use jax.vmap' if several else 'Make one with jax.random.key(seed)'}."
    )

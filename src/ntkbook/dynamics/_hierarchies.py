"""The hierarchy that a flow starts from, checked, and seen with one index for each slot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from jax import Array

from ntkbook import _checks
from ntkbook.kernels import KernelHierarchy

__all__ = ["Slots", "check_hierarchy", "flatten"]


class Slots(NamedTuple):
    """The shape of a training slot, (n,) or (n, C), and of a test slot, (n',) or (n', C), or None."""

    train: tuple[int, ...]
    test: tuple[int, ...] | None


def check_hierarchy(h: KernelHierarchy, y: Array, level: int) -> tuple[KernelHierarchy, Array, Slots]:
    """The part of the hierarchy up to `level` and the labels, checked against each other; the shape of slots."""
    if not isinstance(h, KernelHierarchy):
        raise TypeError(
            f"the first argument must be an ntkbook.KernelHierarchy, got {type(h).__name__}. Make one with "
            "ntkbook.kernel_hierarchy, or by hand: KernelHierarchy(outputs=f, kernels={2: K})."
        )
    f = _checks.floating_array(h.outputs, "hierarchy.outputs", ndim=(1, 2))
    y = _checks.labels(y, f, outputs=f.shape[1:])
    has_test = h.test_outputs is not None
    f_test = _checks.floating_array(h.test_outputs, "hierarchy.test_outputs", ndim=f.ndim) if has_test else None
    if f.size == 0 or (f_test is not None and f_test.size == 0):
        raise ValueError("a hierarchy must hold at least one point, got none. Leave test_outputs at None without any.")
    if f_test is not None and f_test.shape[1:] != f.shape[1:]:
        raise ValueError(
            f"hierarchy.test_outputs must have the {f.shape[1]} outputs a point of hierarchy.outputs, got shape "
            f"{f_test.shape}. Compute both with one network."
        )

    def kernels(family: dict[int, Array] | None, name: str, first: tuple[int, ...]) -> dict[int, Array]:
        family = {} if family is None else family
        if not isinstance(family, Mapping):
            raise TypeError(f"{name} must be a dict from order to kernel, got {type(family).__name__}. Pass {{2: K}}.")
        missing = [k for k in range(2, level + 1) if k not in family]
        if missing:
            raise ValueError(
                f"level {level} needs {name} of orders 2 to {level}, got {sorted(family)}. "
                f"Compute the hierarchy with max_order={level}, or lower the level"
                f"{', or leave out test_outputs' if 'test' in name else ''}."
            )
        checked = {}
        for k in range(2, level + 1):
            K = _checks.floating_array(family[k], f"{name}[{k}]", ndim=k * f.ndim)
            if K.shape != first + f.shape * (k - 1):
                raise ValueError(
                    f"{name}[{k}] must have shape {first + f.shape * (k - 1)}, got {K.shape}. "
                    "The first slot runs over evaluation points, all others over the training points of outputs."
                )
            checked[k] = K
        return checked

    checked = KernelHierarchy(
        outputs=f,
        kernels=kernels(h.kernels, "hierarchy.kernels", f.shape),
        test_outputs=f_test,
        test_kernels=kernels(h.test_kernels, "hierarchy.test_kernels", f_test.shape) if f_test is not None else None,
    )
    _checks.same_dtype(hierarchy=checked, y=y)
    return checked, y, Slots(f.shape, None if f_test is None else f_test.shape)


def flatten(h: KernelHierarchy) -> KernelHierarchy:
    """The same with one index for each slot: a pair (point, output) is an index of n C."""
    slots = h.outputs.size

    def flat(family: dict[int, Array] | None) -> dict[int, Array] | None:
        return family and {k: K.reshape(-1, *(slots,) * (k - 1)) for k, K in family.items()}

    test = h.test_outputs
    return KernelHierarchy(
        outputs=h.outputs.ravel(),
        kernels=flat(h.kernels) or {},
        test_outputs=None if test is None else test.ravel(),
        test_kernels=flat(h.test_kernels),
    )

"""Points divided among several devices give kernels divided among them."""

from __future__ import annotations

from typing import Any

import jax
from jax import Array
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from ntkbook import _checks
from ntkbook.kernels.blocks import Slots

__all__: list[str] = []


def division(x: Array) -> NamedSharding | None:
    """How the points are divided among devices, if they are and it can be known."""
    sharding = None if _checks.is_traced(x) else x.sharding
    return sharding if isinstance(sharding, NamedSharding) and sharding.spec and sharding.spec[0] else None


def on_devices(divided: NamedSharding, params: Any, x: Array, slots: Slots) -> tuple[Any, Array, Slots]:
    """Parameters, x and slots where the compiler can divide the work: slot 3 alone is divided, or x for K^(2)."""
    axis_types = (AxisType.Auto,) * divided.mesh.devices.ndim
    mesh = Mesh(divided.mesh.devices, divided.mesh.axis_names, axis_types=axis_types)

    def put(leaf: Array, spec: PartitionSpec) -> Array:
        return jax.device_put(leaf, NamedSharding(mesh, spec))

    def keep(leaf: Array) -> Array:
        known = isinstance(leaf.sharding, NamedSharding)
        return put(leaf, leaf.sharding.spec if known else PartitionSpec())  # type: ignore[attr-defined]

    params, first = jax.tree.map(keep, (params, slots[0]))
    if len(slots) == 2:
        return params, keep(x), (first, None)
    return params, put(x, PartitionSpec()), (first, None, keep(x), *slots[3:])


def divide(K: Array, divided: NamedSharding, order: int) -> Array:
    """K^(k) divided along slot 3, or slot 2 of K^(2)."""
    axes_a_slot = K.ndim // order
    spec = PartitionSpec(*[None] * (axes_a_slot * (min(order, 3) - 1)), divided.spec[0])
    return jax.device_put(K, NamedSharding(divided.mesh, spec))

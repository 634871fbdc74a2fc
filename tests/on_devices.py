"""Run by test_devices in a process of its own, with several simulated devices: kernels divided among them."""

import sys

import jax
import numpy as np
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

import ntkbook
from ntkbook.kernels.devices import on_devices
from ntkbook.kernels.routes import compute_kernel

DEVICES = 4


def main() -> None:
    ntkbook.enable_float64()
    mesh = jax.make_mesh((DEVICES,), ("points",), axis_types=(AxisType[sys.argv[1]],))
    net = ntkbook.mlp(width=64, depth=2)
    params = net.init(jax.random.key(0), 5)
    x, x_test = (ntkbook.data.sphere_points(jax.random.key(k), n, 5) for k, n in ((1, 8), (2, 3)))
    divided = jax.device_put(x, NamedSharding(mesh, P("points")))
    for implementation in ("structured", "autodiff"):
        highest = {"structured": 4, "autodiff": 3}[implementation]
        options = {"max_order": highest, "implementation": implementation}
        whole = ntkbook.kernel_hierarchy(net, params, x, x_test=x_test, **options)
        for limit in (None, {"structured": 1e6, "autodiff": 1e7}[implementation]):
            h = ntkbook.kernel_hierarchy(net, params, divided, x_test=x_test, memory_limit=limit, **options)
            for r in range(2, highest + 1):
                for K, expected in ((h.kernels[r], whole.kernels[r]), (h.test_kernels[r], whole.test_kernels[r])):
                    assert K.sharding.spec == P(*[None] * (min(r, 3) - 1), "points"), K.sharding
                    assert K.sharding.mesh == mesh
                    assert np.abs(np.asarray(K) - expected).max() < 1e-13
    print("equal")


def flops_on_each_device(order: int) -> float:
    """The flops of one device of several over those of a single one, as compiled."""
    net = ntkbook.mlp(width=256, depth=2)
    params = net.init(jax.random.key(0), 16)
    x = ntkbook.data.sphere_points(jax.random.key(1), 16, 16)
    divided = NamedSharding(jax.make_mesh((DEVICES,), ("points",)), P("points"))

    def flops(params, x, slots):
        lowered = compute_kernel.lower(net, params, x, slots, "structured")
        return lowered.compile().cost_analysis()["flops"]

    slots = (None,) * order
    return flops(*on_devices(divided, params, jax.device_put(x, divided), slots)) / flops(params, x, slots)


if __name__ == "__main__":
    main()
    for order in (3, 4):
        share = flops_on_each_device(order)
        assert 1 / DEVICES <= share < 0.35, share
    print("divided")

"""The kernels of networks of finite width, of every order: two representations of a gradient, one recursion."""

from ntkbook.kernels.arguments import check_network as check_network
from ntkbook.kernels.empirical import (
    KernelHierarchy,
    empirical_kernel,
    empirical_ntk,
    kernel_hierarchy,
    layer_kernels,
)
from ntkbook.networks.protocol import Network as Network

__all__ = ["KernelHierarchy", "empirical_kernel", "empirical_ntk", "kernel_hierarchy", "layer_kernels"]

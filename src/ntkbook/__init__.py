"""ntkbook: the neural tangent hierarchy of wide networks, in JAX.

Networks in the parametrisation of Huang and Yau (2019), the kernels K^(2), K^(3), ... of their hierarchy, and the exact
and truncated dynamics that these kernels drive. float64 is the caller's choice: see `enable_float64`.
"""

from __future__ import annotations

from importlib.metadata import version

import jax

from ntkbook import activations, data, diagnostics, terms
from ntkbook.activations import *  # noqa: F403 - all that have a name
from ntkbook.dynamics import (
    FlowError,
    Result,
    Trajectory,
    frozen_kernel_flow,
    gradient_descent,
    gradient_flow,
    truncated_flow,
)
from ntkbook.kernels import KernelHierarchy, empirical_kernel, empirical_ntk, kernel_hierarchy, layer_kernels
from ntkbook.limits import limit_kernel
from ntkbook.networks import MLP, Conv, ConvParams, MLPParams, ResNet, conv, mlp, resnet

__all__ = [
    *activations.__all__,
    "MLP",
    "Conv",
    "ConvParams",
    "FlowError",
    "KernelHierarchy",
    "MLPParams",
    "ResNet",
    "Result",
    "Trajectory",
    "conv",
    "data",
    "diagnostics",
    "empirical_kernel",
    "empirical_ntk",
    "enable_float64",
    "frozen_kernel_flow",
    "gradient_descent",
    "gradient_flow",
    "kernel_hierarchy",
    "layer_kernels",
    "limit_kernel",
    "mlp",
    "resnet",
    "terms",
    "truncated_flow",
]

__version__ = version("ntkbook")


def enable_float64() -> None:
    """Switch JAX to 64-bit floating numbers, for the whole process: the way this package is meant to be used.

    Call it before arrays are made. Importing ntkbook never does it for you. Without it JAX makes float32 arrays, and
    NumPy arrays of float64 are refused. In float32 kernels of orders 2 to 5 are right to about 1e-6 of their largest
    entry, and the outputs of all flows to about 1e-6 for labels of size one. Truncation errors and small kernels are
    often smaller than that.

    Examples
    --------
    >>> import jax.numpy as jnp, ntkbook
    >>> ntkbook.enable_float64()
    >>> jnp.zeros(1).dtype
    dtype('float64')
    """
    jax.config.update("jax_enable_x64", True)

"""The live widgets of the book: each is one Python class and one module for the page."""

from __future__ import annotations

from ntkbook.widgets.convergence import LinearConvergence, linear_convergence, residual_at_start
from ntkbook.widgets.derivation import ClickToDifferentiate
from ntkbook.widgets.hierarchy import HierarchyAtWork, along_training
from ntkbook.widgets.motion import KernelInMotion, kernel_motion, limiting_motion
from ntkbook.widgets.orders import OrdersOfMagnitude, sizes_at_start
from ntkbook.widgets.predict import PredictNewPoint, learned, regression
from ntkbook.widgets.train import TrainLive
from ntkbook.widgets.truncation import TruncationExplorer, truncation_run

__all__ = [
    "ClickToDifferentiate",
    "HierarchyAtWork",
    "KernelInMotion",
    "LinearConvergence",
    "OrdersOfMagnitude",
    "PredictNewPoint",
    "TrainLive",
    "TruncationExplorer",
    "along_training",
    "kernel_motion",
    "learned",
    "limiting_motion",
    "linear_convergence",
    "regression",
    "residual_at_start",
    "sizes_at_start",
    "truncation_run",
]

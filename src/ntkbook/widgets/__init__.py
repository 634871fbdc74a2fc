"""The live widgets of the book: each is one Python class and one module for the page."""

from __future__ import annotations

from ntkbook.widgets.derivation import ClickToDifferentiate
from ntkbook.widgets.hierarchy import HierarchyAtWork, along_training
from ntkbook.widgets.motion import KernelInMotion, kernel_motion, limiting_motion
from ntkbook.widgets.orders import OrdersOfMagnitude, sizes_at_start
from ntkbook.widgets.predict import PredictNewPoint, learned, regression
from ntkbook.widgets.train import TrainLive

__all__ = [
    "ClickToDifferentiate",
    "HierarchyAtWork",
    "KernelInMotion",
    "OrdersOfMagnitude",
    "PredictNewPoint",
    "TrainLive",
    "along_training",
    "kernel_motion",
    "learned",
    "limiting_motion",
    "regression",
    "sizes_at_start",
]

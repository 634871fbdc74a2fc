"""The live widgets of the book: each is one Python class and one module for the page."""

from __future__ import annotations

from ntkbook.widgets.convergence import LinearConvergence
from ntkbook.widgets.derivation import ClickToDifferentiate
from ntkbook.widgets.hierarchy import HierarchyAtWork
from ntkbook.widgets.motion import KernelInMotion
from ntkbook.widgets.orders import OrdersOfMagnitude
from ntkbook.widgets.predict import PredictNewPoint
from ntkbook.widgets.train import TrainLive
from ntkbook.widgets.truncation import TruncationExplorer

__all__ = [
    "ClickToDifferentiate",
    "HierarchyAtWork",
    "KernelInMotion",
    "LinearConvergence",
    "OrdersOfMagnitude",
    "PredictNewPoint",
    "TrainLive",
    "TruncationExplorer",
]

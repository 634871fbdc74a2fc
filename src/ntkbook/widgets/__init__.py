"""The live widgets of the book: each is one Python class and one module for the page."""

from __future__ import annotations

from ntkbook.widgets.train import TrainLive

__all__ = ["TrainLive"]

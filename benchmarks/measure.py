"""What is measured with: rows of the table, and what the experiment on costs has: times, flops, a network.

Times are medians. Ratios hold on a busy machine where times do not.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ntkbook
from ntkbook.experiments.costs import flops, product_rate, seconds, setting

__all__ = ["BUILD", "Row", "flops", "kernel_seconds", "megabytes", "product_rate", "seconds", "setting"]

BUILD = Path(__file__).resolve().parent.parent / "_build"


@dataclass(frozen=True)
class Row:
    """One figure of the table: what was measured, in which unit, and the budget it is held against, if any."""

    name: str
    value: float
    unit: str
    budget: str = ""


def kernel_seconds(order: int, *, n: int, width: int, depth: int, runs: int = 3) -> float:
    net, params, x = setting(n=n, width=width, depth=depth)
    return seconds(lambda: ntkbook.empirical_kernel(net, params, x, order=order), runs=runs)


def megabytes(compute: Any, *args: Any) -> float:
    return compute.lower(*args).compile().memory_analysis().temp_size_in_bytes / 1e6

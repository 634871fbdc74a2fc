"""Comparison of arrays with a tolerance that follows the dtype of the first one."""

import numpy as np


def assert_close(actual, expected, *, float64=1e-11, float32=2e-5):
    """max |actual - expected| is at most the tolerance, relative to the largest expected entry or to 1e-3."""
    actual = np.asarray(actual)
    tolerance = {np.dtype("float64"): float64, np.dtype("float32"): float32}[actual.dtype]
    expected = np.asarray(expected, np.float64)
    assert actual.shape == expected.shape
    error = np.abs(actual - expected).max() / max(np.abs(expected).max(), 1e-3)
    assert error <= tolerance, f"relative error {error:.2e} above {tolerance:.0e}"

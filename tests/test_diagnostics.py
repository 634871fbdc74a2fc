"""Exponents, and the right sides of (2.1) and (2.2)."""

import jax.numpy as jnp
import numpy as np
import pytest
from closeness import assert_close

import ntkbook
from ntkbook import diagnostics

pytestmark = pytest.mark.usefixtures("strict")


def test_an_exact_power_law_is_recovered():
    widths = np.array([8, 16, 64, 256])
    fit = diagnostics.fit_exponent(widths, 3.0 * widths**-1.5)
    assert fit.slope == pytest.approx(-1.5)
    assert np.exp(fit.intercept) == pytest.approx(3.0)
    assert np.isnan(fit.standard_error)
    np.testing.assert_allclose(fit([100.0, 400.0]), [3e-3, 3e-3 / 8])


def test_seeds_are_averaged_in_logarithms_and_give_an_error():
    rng = np.random.default_rng(0)
    widths = np.array([16.0, 32.0, 64.0, 128.0])
    values = widths**-1 * np.exp(rng.normal(size=(50, 4)) / 10)
    fit = diagnostics.fit_exponent(widths, values)
    assert fit.slope == pytest.approx(np.polyfit(np.log(widths), np.log(values).mean(axis=0), 1)[0])
    assert fit.intercept == pytest.approx(np.polyfit(np.log(widths), np.log(values).mean(axis=0), 1)[1])
    slopes = [np.polyfit(np.log(widths), np.log(v), 1)[0] for v in values]
    assert fit.standard_error == pytest.approx(np.std(slopes, ddof=1) / np.sqrt(50))
    assert abs(fit.slope + 1) < 4 * fit.standard_error < 0.1


@pytest.mark.parametrize(
    ("match", "widths", "values"),
    [
        ("values must be positive and finite.*Drop other entries", [1, 2], [1.0, 0.0]),
        ("values must be positive and finite", [1, 2], [1.0, np.nan]),
        ("widths must be positive and finite", [0, 2], [1.0, 1.0]),
        (r"wants at least two different widths .*got shapes \(1,\) and \(1,\)", [4], [1.0]),
        ("wants at least two different widths", [4, 4], [1.0, 2.0]),
        (r"got shapes \(2,\) and \(3,\)", [4, 8], [1.0, 2.0, 3.0]),
        ("wants at least two different widths", [4, 8], np.ones((2, 2, 2))),
    ],
)
def test_bad_fits(match, widths, values):
    with pytest.raises(ValueError, match=match):
        diagnostics.fit_exponent(widths, values)


def test_max_abs():
    assert float(diagnostics.max_abs(jnp.array([[1.0, -3.0], [2.0, 0.0]]))) == 3.0


def test_hierarchy_slope_is_the_derivative_along_the_flow(small):
    # Both sides of (2.1) and (2.2) at time 0: a central difference along -grad L against the kernel of the next order.
    if small.x.dtype != jnp.float64:
        pytest.skip("a difference quotient, for float64")
    step = 1e-4
    flow = ntkbook.gradient_flow(small.net, small.params, small.x, small.y, small.times * step, rtol=1e-13, atol=1e-14)
    quotient = lambda values: (-3 * values[0] + 4 * values[1] - values[2]) / step  # noqa: E731 - steps of 1/2
    f_slope = diagnostics.hierarchy_slope(small.net, small.params, small.x, small.y, order=1)
    K_slope = diagnostics.hierarchy_slope(small.net, small.params, small.x, small.y, order=2)
    assert f_slope.shape == (3,) and K_slope.shape == (3, 3)
    assert_close(f_slope, quotient(flow.outputs), float64=1e-6)
    assert_close(K_slope, quotient(flow.kernel), float64=1e-6)


def test_bad_slopes(small):
    with pytest.raises(ValueError, match="order must be at least 1, got 0"):
        diagnostics.hierarchy_slope(small.net, small.params, small.x, small.y, order=0)
    with pytest.raises(ValueError, match="y must hold one label for each of the 3 points"):
        diagnostics.hierarchy_slope(small.net, small.params, small.x, small.y[:2], order=1)

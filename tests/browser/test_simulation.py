"""What the page computes against ntkbook's own numbers, from the very same weights."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from playwright.sync_api import Browser, Page
from widget_pages import open_script

import ntkbook
from ntkbook.experiments import learned, regression
from ntkbook.widgets import PredictNewPoint

pytestmark = pytest.mark.browser

TIMES = [0.0, 0.5, 3.0]

SIMULATE = """
({ width, depth, activation, weights, readout, x, y, curve, times, step }) => {
  const { GradientFlow, makeTangents, evaluate, predict, tangentKernel, frozenFlow } = window.module;
  const array = (list) => Float64Array.from(list);
  const net = { width, depth, inputDim: 2, activation, weights: weights.map(array), readout: array(readout) };
  const flow = new GradientFlow(net, x, y);
  const test = evaluate(net, makeTangents(net, curve));
  const frozen = frozenFlow({
    kernel: flow.kernel, testKernel: tangentKernel(net, test, flow.stages[0]),
    outputs: flow.outputs, testOutputs: test.outputs.slice(), y,
  });
  return times.map((time) => {
    while (flow.time < time - step / 2) flow.step(step);
    const level2 = frozen.at(time);
    return {
      outputs: [...flow.outputs], kernel: [...flow.kernel], loss: flow.loss, test_outputs: [...predict(net, test)],
      frozen_outputs: [...level2.outputs], frozen_test_outputs: [...level2.testOutputs], frozen_loss: level2.loss,
    };
  });
}
"""


@pytest.fixture(scope="module")
def page(chromium: Browser) -> Page:
    return open_script(chromium, "simulation")


@pytest.fixture(autouse=True)
def float64() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


def on_circle(angles: Any) -> jax.Array:
    return jnp.stack([jnp.cos(angles), jnp.sin(angles)], axis=1)


@lru_cache
def in_python(*, width: int, depth: int, activation: str, n: int) -> tuple[dict, dict[str, np.ndarray]]:
    """A draw of the weights with the data, as the page takes them; and what ntkbook makes of them."""
    net = ntkbook.mlp(width=width, depth=depth, activation=activation)
    params = net.init(jax.random.key(width + depth), 2)
    angles, times = jnp.linspace(0.3, 2.9, n), jnp.array(TIMES)
    x, y, x_test = on_circle(angles), jnp.sin(2 * angles) + 0.3, on_circle(jnp.linspace(0.2, 3.0, 5))
    setting = {
        "width": width,
        "depth": depth,
        "activation": activation,
        "weights": [np.asarray(W).ravel().tolist() for W in params.weights],
        "readout": np.asarray(params.readout).tolist(),
        "x": np.asarray(x).ravel().tolist(),
        "y": np.asarray(y).tolist(),
        "curve": np.asarray(x_test).ravel().tolist(),
        "times": TIMES,
    }
    tolerance = 1e-5 if activation == "relu" else None
    exact = ntkbook.gradient_flow(net, params, x, y, times, x_test=x_test, rtol=tolerance, atol=tolerance)
    start = ntkbook.kernel_hierarchy(net, params, x, max_order=2, x_test=x_test)
    frozen = ntkbook.frozen_kernel_flow(start, y, times)
    results = {
        "outputs": exact.outputs,
        "kernel": exact.kernel.reshape(len(TIMES), -1),
        "loss": exact.loss,
        "test_outputs": exact.test_outputs,
        "frozen_outputs": frozen.outputs,
        "frozen_test_outputs": frozen.test_outputs,
        "frozen_loss": frozen.loss,
    }
    return setting, {key: np.asarray(value) for key, value in results.items()}


def largest_errors(
    page: Page, *, width: int, depth: int, activation: str = "tanh", n: int = 6, step: float
) -> dict[str, np.ndarray]:
    """The largest difference between page and ntkbook at each time, for each quantity."""
    setting, results = in_python(width=width, depth=depth, activation=activation, n=n)
    records = page.evaluate(SIMULATE, setting | {"step": step})
    differences = {key: np.array([record[key] for record in records]) - results[key] for key in results}
    return {key: np.abs(d).reshape(len(TIMES), -1).max(axis=1) for key, d in differences.items()}


@pytest.mark.widget("train-live")
@pytest.mark.parametrize(
    ("depth", "width", "activation", "n"),
    [(1, 33, "softplus", 6), (1, 256, "erf", 6), (2, 48, "tanh", 6), (2, 7, "erf", 5), (2, 48, "softplus", 2)],
)
def test_agrees_with_ntkbook(page: Page, depth: int, width: int, activation: str, n: int) -> None:
    errors = largest_errors(page, depth=depth, width=width, activation=activation, n=n, step=0.02)
    assert {key: error.max() for key, error in errors.items() if error.max() > 1e-8} == {}


def test_the_step_of_the_widget_is_fine_enough(page: Page) -> None:
    errors = largest_errors(page, depth=2, width=48, step=0.1)
    assert {key: error.max() for key, error in errors.items() if error.max() > 1e-6} == {}


def test_runge_kutta_is_of_order_four(page: Page) -> None:
    coarse, fine = (largest_errors(page, depth=2, width=48, step=step)["outputs"].max() for step in (0.5, 0.25))
    assert 3.5 < np.log2(coarse / fine) < 4.8


def test_relu_agrees_to_the_accuracy_of_its_kinks(page: Page) -> None:
    errors = largest_errors(page, depth=2, width=32, activation="relu", step=0.02)
    assert max(error[0] for error in errors.values()) < 1e-12
    assert max(error.max() for error in errors.values()) < 1e-2


def test_the_drawn_weights_are_standard_normal(chromium: Browser) -> None:
    page = open_script(chromium, "random")
    draw = """(seed) => {
      const next = window.module.gaussianSource(seed);
      return Array.from({ length: 40000 }, next);
    }"""
    z, again, other = (np.array(page.evaluate(draw, seed)) for seed in (7, 7, 8))
    assert np.array_equal(z, again) and abs(np.corrcoef(z, other)[0, 1]) < 0.02
    assert abs(z.mean()) < 0.02 and abs(z.var() - 1) < 0.03
    assert abs((z**3).mean()) < 0.06 and abs((z**4).mean() - 3) < 0.15
    assert abs(np.corrcoef(z[:-1], z[1:])[0, 1]) < 0.02


def test_a_drawn_network_has_the_shapes_of_the_book(chromium: Browser) -> None:
    page = open_script(chromium, "random")
    lengths = page.evaluate("""() => {
      const setting = { width: 8, depth: 2, inputDim: 2, activation: "tanh", seed: 1 };
      const net = window.module.drawNetwork(setting);
      return [...net.weights, net.readout].map((array) => array.length);
    }""")
    assert lengths == [16, 64, 8]


def test_erf_is_exact_to_rounding(chromium: Browser) -> None:
    page = open_script(chromium, "erf")
    z = np.linspace(-7, 7, 1401)
    in_page = page.evaluate("(z) => z.map(window.module.erf)", z.tolist())
    np.testing.assert_allclose(in_page, np.asarray(jax.scipy.special.erf(z)), atol=1e-14)


@pytest.mark.widget("predict-new-point")
@pytest.mark.parametrize("width", [64, 512])
def test_the_page_predicts_what_python_predicts(chromium: Browser, width: int) -> None:
    """From the weights that the page has drawn: kernels of orders 2 to 4, the exact flow, levels 2 to 4."""
    page = open_script(chromium, "prediction")
    in_page = """([{ angles, grid, horizon, w_std }, width, z]) => {
      const circle = (list) => Float64Array.from(list.flatMap((t) => [Math.cos(t), Math.sin(t)]));
      const { drawPredictor, kernelTable, hierarchyFlow, exactFlow } = window.module;
      const net = drawPredictor({ width, seed: 7, wStd: w_std });
      const table = kernelTable(net, circle(grid), circle(angles));
      const rows = angles.map((a) => grid.findIndex((g) => Math.abs(g - a) < 1e-9));
      const flows = [exactFlow(net, circle(grid), circle(angles), z, horizon)];
      for (const level of [2, 3, 4]) flows.push(hierarchyFlow(table, rows, z, level, horizon));
      const list = (array) => Array.from(array);
      return {
        weights: list(net.weights[0]), readout: list(net.readout), kernels: [2, 3, 4].map((r) => list(table[r])),
        flows: flows.map((learned) => Array.from({ length: horizon + 1 }, (_, t) => grid.map((_, x) => learned(t, x)))),
      };
    }"""
    targets = [2.0, 2.7, 1.3, -1.3, -2.7, -1.0]
    seen = page.evaluate(in_page, [PredictNewPoint().meta, width, targets])
    _, x, _, _, x_new = regression()
    net = ntkbook.mlp(width=width, w_std=2.0)
    params = ntkbook.MLPParams((np.reshape(seen["weights"], (width, 2)),), np.array(seen["readout"]))
    for order, kernel in zip((2, 3, 4), seen["kernels"], strict=True):
        expected = np.asarray(ntkbook.empirical_kernel(net, params, x, order=order, x_test=x_new))
        np.testing.assert_allclose(np.reshape(kernel, expected.shape), expected, atol=1e-11 * np.abs(expected).max())
    expected = learned(net, params, x, np.array(targets), np.arange(33.0), x_new)
    np.testing.assert_allclose(seen["flows"], expected, atol=2e-6)
    page.close()

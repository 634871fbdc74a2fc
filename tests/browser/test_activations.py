"""The activations of the page, made from the registry, against the package's own."""

from __future__ import annotations

from importlib.resources import files

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from playwright.sync_api import Browser, Page

from ntkbook.activations import REGISTRY, javascript

pytestmark = pytest.mark.browser

LOAD = """
async ([erf, activations]) => {
  const link = (text) => URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
  window.module = await import(link(activations.replace("./erf.js", link(erf))));
  return Object.keys(window.module.ACTIVATIONS);
}
"""
APPLY = """
([name, z, scale]) => {
  const [h, slope] = [Float64Array.from(z), new Float64Array(z.length)];
  window.module.ACTIVATIONS[name](h, slope, scale);
  return [[...h], [...slope]];
}
"""


@pytest.fixture(scope="module")
def page(chromium: Browser) -> Page:
    page = chromium.new_page()
    page.goto("about:blank")
    erf = (files("ntkbook.widgets") / "js" / "erf.js").read_text(encoding="utf-8")
    shown = page.evaluate(LOAD, [erf, javascript()])
    assert shown == [name for name, activation in REGISTRY.items() if activation.javascript]
    return page


@pytest.mark.parametrize("name", [name for name, activation in REGISTRY.items() if activation.javascript])
def test_values_and_slopes_agree(page: Page, name: str) -> None:
    z = np.append(np.linspace(-7, 7, 701), [-40.0, 40.0])
    with jax.enable_x64(True):
        value, slope = REGISTRY[name].with_derivative(jnp.asarray(z))
    in_page = np.array(page.evaluate(APPLY, [name, z.tolist(), 0.25]))
    smooth = slice(None) if REGISTRY[name].smooth else z != 0
    np.testing.assert_allclose(in_page[0], 0.25 * np.asarray(value), atol=1e-14)
    np.testing.assert_allclose(in_page[1][smooth], 0.25 * np.asarray(slope)[smooth], atol=1e-14)

"""The built site: its pages in a browser, and the execution of its chapters."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from typing import Any

from benchmarks.measure import BUILD, Row


def browser_rows() -> list[Row]:
    """The site in a browser: weight of each page, answer of each control, frames of the animation."""
    import browser as local_browser  # of tools/, as the tests use it
    from playwright.sync_api import sync_playwright

    pages = sorted((BUILD / "html" / "book").glob("*.html"))
    program = local_browser.find()
    if not pages or not program:
        print("left out: no built site (make book), or no browser (make browser)", file=sys.stderr)
        return []
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        rows = [row for page in pages for row in page_rows(launched, page)]
        launched.close()
    return rows


def page_rows(launched: Any, path: Path) -> list[Row]:
    page = launched.new_page(reduced_motion="reduce")
    loaded: dict[str, int] = {}
    page.on("response", lambda response: loaded.setdefault(response.url, len(gzip.compress(response.body()))))
    page.goto(path.as_uri(), wait_until="load")
    page.evaluate("window.MathJax?.startup?.promise")
    page.wait_for_timeout(2000)  # fonts of the mathematics, runs of the widgets in the background
    name = path.stem
    rows = [Row(f"page {name}: all it loads, compressed", sum(loaded.values()) / 1e6, "MB", "at most 1.5")]
    for root in page.locator("[data-ntk-widget]").all():
        widget = root.get_attribute("data-ntk-widget")
        answers = [
            answer
            for control in root.locator("input:visible, select:visible").all()
            for answer in control.evaluate(ANSWER)
        ]
        first, whole = (max(times) for times in zip(*answers, strict=True))
        rows.append(Row(f"page {name}, {widget}: slowest answer of a control", first, "ms", "at most 50"))
        rows.append(Row(f"page {name}, {widget}: until all curves are there", whole, "ms"))
        if widget == "train-live":
            for depth, width in ((1, 1024), (2, 256)):
                rate = root.evaluate(FRAMES, [depth, width])
                rows.append(Row(f"page {name}, {widget}, H={depth}, m={width}: frames", rate, "/s", "60"))
    page.close()
    return rows


# Milliseconds from moving a control to the first frame after, and to the frame with all that is computed meanwhile, for
# every setting of the control.
ANSWER = """
async (node) => {
  const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0)));
  const root = node.closest("[data-ntk-widget]");
  const answers = [];
  const time = async (change) => {
    await new Promise((done) => setTimeout(done, 300));
    await frame();
    const start = performance.now();
    change();
    await frame();
    const first = performance.now() - start;
    while (root.getAttribute("aria-busy") === "true") await frame();
    answers.push([first, performance.now() - start]);
  };
  if (node.type === "checkbox") {
    for (let k = 0; k < 2; k++) await time(() => node.click());
    return answers;
  }
  const event = node.tagName === "SELECT" ? "change" : "input";
  const values = node.tagName === "SELECT"
    ? [...node.options].map((option) => option.value)
    : Array.from({ length: Math.min(12, Number(node.max) + 1) }, (_, k) => String(k));
  for (const value of values) {
    await time(() => {
      node.value = value;
      node.dispatchEvent(new Event(event, { bubbles: true }));
    });
  }
  return answers;
}
"""

# Frames a second over two seconds of a running training.
FRAMES = """
async (root, [depth, width]) => {
  const controls = [...root.querySelectorAll("input, select")];
  const control = (label) => controls.find((node) => node.labels[0]?.textContent.startsWith(label));
  const set = (node, value, event) => {
    node.value = value;
    node.dispatchEvent(new Event(event, { bubbles: true }));
  };
  const layers = control("Hidden layers");
  set(layers, [...layers.options].find((option) => option.text === String(depth)).value, "change");
  const slider = control("Width");
  for (let k = 0; k <= Number(slider.max); k++) {
    set(slider, String(k), "input");
    if (slider.getAttribute("aria-valuetext").includes(String(width))) break;
  }
  const button = (name) => [...root.querySelectorAll("button")].find((node) => node.textContent.trim() === name);
  button("Restart").click();
  await new Promise((done) => setTimeout(done, 500));
  return new Promise((done) => {
    const start = performance.now();
    let frames = 0;
    const count = (now) => {
      frames += 1;
      if (now - start < 2000) requestAnimationFrame(count);
      else done((1000 * frames) / (now - start));
    };
    requestAnimationFrame(count);
  });
}
"""


def chapter_rows() -> list[Row]:
    """How long each chapter took to execute in the last build that executed it, and its kernel's memory."""
    table = BUILD / "times.json"
    if not table.exists():
        return []
    executed = json.loads(table.read_text())
    rows = [Row(f"{name}: execution", t, "s", "at most 40") for name, t in executed["seconds"].items()]
    return [*rows, Row("largest kernel of the last build", executed["gigabytes"], "GB", "at most 1.2")]

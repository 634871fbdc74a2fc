"""The widgets of the built site: how soon each control answers, and whether what moves does so at 60 frames a second.

Chromium's throttle makes the page's own thread as slow as on a machine of half the speed; workers are not slowed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.measure import Row
from benchmarks.pages import each_page

SLOWER = 2
SWEEPS = 4  # of each control at most: other work on the machine delays one, hardly all
CLEAR = 25  # milliseconds; below, one sweep says enough
BUDGET = "at most 50"

# Beside the opening state: the setting of each widget that takes most work.
HEAVIEST = {
    "click-to-differentiate": "depth=2&path=1.0.2",
    "hierarchy-at-work": "order=3&width=1024",
    "kernel-in-motion": "count=32&twins=yes",
    "linear-convergence": "points=16&width=128",
    "orders-of-magnitude": "orders=2,3,4,5&fit_from=32",
    "predict-new-point": "width=256",
    "train-live": "depth=2&width=256&activation=erf&speed=20",
    "truncation-explorer": "data=digits&level=5",
}
CONTROLS = ":is(.ntk-controls, .ntk-buttons, .ntk-term) :is(input, select, button)"

# From an event to the end of the first frame drawn after it, as the browser dates both: waiting for the thread,
# handlers, layout and paint. Of several events in a frame the first counts.
PROBE = """
() => {
  let since = null;
  const times = [];
  const painted = new MessageChannel();
  painted.port1.onmessage = () => {
    if (since !== null) times.push(performance.now() - since);
    since = null;
  };
  const note = ({ timeStamp }) => {
    if (since !== null) return;
    since = timeStamp;
    requestAnimationFrame(() => painted.port2.postMessage(null));
  };
  for (const type of ["keydown", "pointermove", "input", "change", "click"]) addEventListener(type, note, true);
  const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  window.probe = {
    frame,
    async rest() {
      while (since !== null || document.querySelector("[data-ntk-widget][aria-busy=true]")) await frame();
    },
    take: () => times.splice(0),
  };
}
"""

# Frames a second, and time units of training a second, over two seconds of a running training.
FRAMES = """
async (root, [depth, width, speed]) => {
  const controls = [...root.querySelectorAll("input, select")];
  const control = (label) => controls.find((node) => node.labels[0]?.textContent.startsWith(label));
  const set = (node, value, event) => {
    node.value = value;
    node.dispatchEvent(new Event(event, { bubbles: true }));
  };
  const slide = (slider, wanted) => {
    for (let k = 0; k <= Number(slider.max); k++) {
      set(slider, String(k), "input");
      if (parseFloat(slider.getAttribute("aria-valuetext")) === wanted) break;
    }
  };
  const layers = control("Hidden layers");
  set(layers, [...layers.options].find((option) => option.text === String(depth)).value, "change");
  slide(control("Width"), width);
  slide(control("Speed"), speed);
  [...root.querySelectorAll("button")].find((node) => node.textContent.trim() === "Restart").click();
  await new Promise((done) => setTimeout(done, 300));
  const time = () => Number(root.querySelector(".ntk-summary").textContent.match(/t = ([0-9.]+)/)[1]);
  return new Promise((done) => {
    const [start, from] = [performance.now(), time()];
    const stamps = [];
    const count = (now) => {
      stamps.push(now);
      if (now - start < 2000) return requestAnimationFrame(count);
      const seconds = (performance.now() - start) / 1000;
      done([(stamps.length - 1) / ((stamps.at(-1) - stamps[0]) / 1000), (time() - from) / seconds]);
    };
    requestAnimationFrame(count);
  });
}
"""


def widget_rows() -> list[Row]:
    """The widgets in a browser of half the speed: answer of each control by keyboard and pointer, and frames."""
    return each_page(page_rows, holding="widget-view+json")


def page_rows(launched: Any, path: Path) -> list[Row]:
    page = launched.new_page(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    page.goto(path.as_uri(), wait_until="load")
    page.evaluate("window.MathJax?.startup?.promise")
    page.wait_for_timeout(1000)  # fonts of the mathematics
    page.evaluate(PROBE)
    page.context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
    rows = []
    for root in page.locator("[data-ntk-widget]").all():
        widget = root.get_attribute("data-ntk-widget")
        root.scroll_into_view_if_needed()
        slowest: dict[str, float] = {}
        for setting, running in settings(widget):
            restore(page, root, setting)
            for k in range(root.locator(CONTROLS).count()):
                restore(page, root, setting)
                control = root.locator(CONTROLS).nth(k)
                name = control.evaluate("(node) => (node.labels?.[0] ?? node).textContent.trim()")
                for way, sweep in ways(control):
                    if running:
                        root.get_by_role("button", name="Restart").click()
                    entry = f"{path.stem}, {widget}, {name}, by {way}"
                    slowest[entry] = max(slowest.get(entry, 0), answer(page, sweep))
        rows += [Row(entry, time, "ms", BUDGET) for entry, time in slowest.items()]
        if widget == "train-live":
            for run in ((1, 16, 5), (1, 1024, 5), (1, 1024, 20), (2, 256, 5), (2, 256, 20)):
                frames, speed = root.evaluate(FRAMES, list(run))
                name = "{}, {}, H={}, m={}, speed {}".format(path.stem, widget, *run)
                rows.append(Row(f"{name}: frames", frames, "/s", "60"))
                rows.append(Row(f"{name}: time units", speed, "/s"))
            root.get_by_role("button", name="Pause").click()
    page.close()
    return rows


def ways(control: Any) -> list[tuple[str, Any]]:
    """How a reader moves the control; a way is a function that takes its steps, one a turn."""
    kind = control.evaluate("(node) => node.tagName === 'INPUT' ? node.type : node.tagName.toLowerCase()")
    ahead, back = ("ArrowDown", "ArrowUp") if kind == "select" else ("ArrowRight", "ArrowLeft")

    def by_keyboard() -> Iterator[None]:
        control.focus()
        steps = control.evaluate("(node) => node.options ? node.options.length - 1 : Number(node.max)")
        for key in (back, ahead):
            for _ in range(steps):
                control.press(key)
                yield

    def by_pointer() -> Iterator[None]:
        box, mouse = control.bounding_box(), control.page.mouse
        y = box["y"] + box["height"] / 2
        mouse.move(box["x"] + 8, y)
        mouse.down()
        for k in range(61):
            mouse.move(box["x"] + 8 + (box["width"] - 16) * k / 60, y)
        mouse.up()
        yield

    def by_press() -> Iterator[None]:
        for _ in range(2):
            if control.is_enabled():
                control.click()
            yield

    if kind == "range":
        return [("keyboard", by_keyboard), ("pointer", by_pointer)]
    return [("keyboard", by_keyboard)] if kind == "select" else [("press", by_press)]


def answer(page: Any, sweep: Any) -> float:
    """The longest answer of one sweep, in milliseconds; each step waits for all that the one before has asked for."""
    best = float("inf")
    for _ in range(SWEEPS):
        page.evaluate("probe.rest()")
        page.evaluate("probe.take()")
        for _ in sweep():
            page.evaluate("probe.rest()")
        best = min(best, max(page.evaluate("probe.take()"), default=0))
        if best < CLEAR:
            break
    return best


def settings(widget: str) -> list[tuple[str, bool]]:
    """In which each control is moved: what the address says, and whether the animation is running."""
    found = [("opening", False), (HEAVIEST[widget], False)]
    return [*found, (HEAVIEST[widget], True)] if widget == "train-live" else found


def restore(page: Any, root: Any, setting: str) -> None:
    """Go to a setting by the address; a word that names none of the controls stands for the opening state."""
    pause = root.get_by_role("button", name="Pause")
    if pause.count():
        pause.click()
    for query in ("again", setting):
        page.evaluate("(hash) => (location.hash = hash)", f"{root.get_attribute('id')}?{query}")
        page.wait_for_timeout(50)
    page.evaluate("probe.rest()")

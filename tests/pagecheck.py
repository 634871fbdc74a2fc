"""What every page must satisfy in a browser. Each check returns a list of problems, empty when all is well."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from playwright.sync_api import Browser, Locator, Page, Request

DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 360, "height": 740}
ENLARGED = {"width": 320, "height": 225}  # a desktop at 400 %

# Controls that leave the picture as it is: the frame's size, and the speed of an animation that stands still.
NEUTRAL = re.compile(r"full ?screen|speed", re.I)

MATHEMATICS = r"""
async () => {
  const items = [...document.querySelectorAll(".math")].filter((node) => !node.closest("script, style"));
  if (!items.length) return [];
  if (!window.MathJax?.startup?.promise) return ["MathJax is not there"];
  await window.MathJax.startup.promise;
  const problems = [];
  for (const item of items) {
    if (!item.querySelector("mjx-container")) problems.push(`not typeset: ${item.textContent.slice(0, 60)}`);
  }
  for (const error of document.querySelectorAll("mjx-merror, [data-mjx-error]")) {
    const message = error.getAttribute("data-mjx-error") ?? error.textContent;
    problems.push(`wrong TeX: ${message}, ${error.closest(".math")?.textContent.slice(0, 60)}`);
  }
  const text = document.querySelector("main").cloneNode(true);
  text.querySelectorAll("pre, code, dt.sig, script, style, mjx-container").forEach((node) => node.remove());
  for (const raw of text.textContent.match(/\\[([].{0,30}|\$[^$\n]{1,60}\$/g) ?? []) problems.push(`raw TeX: ${raw}`);
  return problems;
}
"""

# Everything drawn in a widget: the geometry and paint of its marks, without any text.
MARKS = """
(root) => {
  const marks = [];
  for (const node of root.querySelectorAll("svg path, svg line, svg rect, svg circle, svg polyline, svg polygon")) {
    if (node.closest("[aria-hidden=true]")) continue;
    const names = "d x y x1 x2 y1 y2 cx cy r width height points transform fill fill-opacity stroke opacity".split(" ");
    marks.push(names.map((name) => node.getAttribute(name)).join("|"));
  }
  for (const canvas of root.querySelectorAll("canvas")) marks.push(canvas.toDataURL());
  return marks.join("\\n");
}
"""

NAME = """
(node) => (node.getAttribute("aria-label")
  || [...(node.labels ?? [])].map((label) => label.textContent).join(" ")
  || (node.tagName === "BUTTON" ? node.textContent : "")).trim()
"""

OVERFLOW = """
() => {
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= width) return [];
  const scrolls = (node) => {
    for (let up = node.parentElement; up && up !== document.body; up = up.parentElement) {
      if (getComputedStyle(up).overflowX !== "visible") return true;
    }
    return false;
  };
  const wide = [...document.querySelectorAll("main *")].filter(
    (node) => node.getBoundingClientRect().right > width + 1 && !scrolls(node));
  const names = wide.slice(0, 3).map((node) => node.outerHTML.slice(0, 90));
  return [`the page is ${document.documentElement.scrollWidth} wide on a screen of ${width}: ${names.join(" / ")}`];
}
"""

# Text that is cut at its right: by the screen, or by a box that does not scroll.
CUT = """
() => {
  const article = document.querySelector("article") ?? document.body;
  const texts = document.createTreeWalker(article, NodeFilter.SHOW_TEXT);
  const range = document.createRange();
  const problems = [];
  for (let text = texts.nextNode(); text; text = texts.nextNode()) {
    const parent = text.parentElement;
    if (!text.data.trim() || !parent.checkVisibility() || parent.closest("mjx-container, svg, .ntk-hidden")) continue;
    let limit = document.documentElement.clientWidth;
    for (let box = parent; box; box = box.parentElement) {
      const overflow = getComputedStyle(box).overflowX;
      if (overflow === "auto" || overflow === "scroll") limit = Infinity; // and what is around it does not matter
      if (limit === Infinity) break;
      if (overflow === "hidden") limit = Math.min(limit, box.getBoundingClientRect().right);
    }
    range.selectNodeContents(text);
    const right = Math.max(...[...range.getClientRects()].map((line) => line.right));
    if (right > limit + 1) problems.push(`cut at the right: ${text.data.trim().slice(0, 60)}`);
  }
  return problems;
}
"""

IMAGES = """
() => [...document.querySelectorAll("img")]
  .flatMap((img) => [
    ...(img.getAttribute("alt")?.trim() ? [] : [`an image without alt text: ${img.src}`]),
    ...(img.complete && img.naturalWidth === 0 ? [`an image that does not load: ${img.src}`] : []),
  ])
"""


MOUNTED = 30.0  # seconds until all widgets of a page are there
CHANGED = 90.0  # seconds until a picture has changed: new data from a kernel take their time


@dataclass
class Visit:
    """An open page and what went wrong on it so far."""

    page: Page
    problems: list[str] = field(default_factory=list)


@contextmanager
def visit(browser: Browser, base: str, path: str, viewport: dict[str, int] = DESKTOP) -> Iterator[Visit]:
    """Open a page, wait until it is at rest, and note requests to other hosts, failed ones, and errors."""
    context = browser.new_context(viewport=viewport, reduced_motion="reduce")
    page = context.new_page()
    found = Visit(page)

    def check_address(request: Request) -> None:
        if not request.url.startswith((base, "data:", "blob:")):
            found.problems.append(f"asks another host: {request.url}")

    page.on("request", check_address)
    page.on("requestfailed", lambda request: found.problems.append(f"fails to load: {request.url}"))
    page.on("pageerror", lambda error: found.problems.append(f"page error: {error}"))
    page.on(
        "console",
        lambda message: found.problems.append(f"console: {message.text}") if message.type == "error" else None,
    )
    page.goto(f"{base}/{path}", wait_until="load")
    found.problems += page.evaluate(MATHEMATICS)
    found.problems += widgets_ready(page)
    yield found
    context.close()


def widgets_ready(page: Page) -> list[str]:
    views = page.locator('script[type="application/vnd.jupyter.widget-view+json"]').count()
    roots = page.locator("[data-ntk-widget]")
    try:
        page.wait_for_function(
            """(views) => {
                const states = [...document.querySelectorAll("[data-ntk-widget]")].map((root) => root.dataset.ntkState);
                return states.length >= views && states.every((state) => state === "ready" || state === "error");
            }""",
            arg=views,
            timeout=1000 * MOUNTED,
        )
    except Exception:
        return [f"{views} widgets belong on the page, {roots.count()} were mounted in time"]
    names = [(root.get_attribute("data-ntk-widget"), root.get_attribute("data-ntk-state")) for root in roots.all()]
    return [f"the widget {name} is in state {state}" for name, state in names if state != "ready"]


def layout(page: Page) -> list[str]:
    return page.evaluate(OVERFLOW) + page.evaluate(CUT) + page.evaluate(IMAGES)


def controls_change_picture(root: Locator) -> list[str]:
    """Move every control of a widget, by keyboard, and see that the drawn marks change each time."""
    problems = []
    controls = root.locator("input:visible, select:visible, button:visible")
    names = [accessible_name(control) for control in controls.all()]
    if not any(name and not NEUTRAL.search(name) for name in names):
        problems.append("the widget has no control")
    index = -1
    while (
        index := index + 1
    ) < controls.count():  # counted each time: a choice may bring further controls or take some
        control = controls.nth(index)
        name = accessible_name(control)
        if not name:
            problems.append(f"a control has no name: {control.evaluate('node => node.outerHTML')[:90]}")
            continue
        if NEUTRAL.search(name) or control.is_disabled():
            continue
        before = at_rest(root)
        if before is None:
            problems.append(f"the picture does not come to rest before {name!r} is moved")
            continue
        move(control)
        if not changes(root, before):
            problems.append(f"moving {name!r} leaves the picture as it was")
    return problems


def accessible_name(control: Locator) -> str:
    return control.evaluate(NAME)


def move(control: Locator) -> None:
    """Change a control as a reader without a mouse does."""
    kind = control.evaluate("node => node.tagName === 'INPUT' ? node.type : node.tagName.toLowerCase()")
    control.focus()
    if kind == "select":
        last = control.evaluate("node => node.selectedIndex === node.options.length - 1")
        control.press("ArrowUp" if last else "ArrowDown")
    elif kind == "range":
        last = control.evaluate("node => Number(node.value) >= Number(node.max)")
        control.press("ArrowLeft" if last else "ArrowRight")
    elif kind in ("checkbox", "radio", "button"):
        control.press("Space")
    else:
        raise AssertionError(f"a control of unknown kind {kind}")


def at_rest(root: Locator) -> str | None:
    """The marks once they stand still: a running animation is paused, work in the background awaited."""
    last = None
    for _ in range(60):
        pause = root.get_by_role("button", name=re.compile("^pause$", re.I))
        if pause.count():
            pause.first.click()
        marks = root.evaluate(MARKS)
        if marks == last:
            return marks
        last = marks
        root.page.wait_for_timeout(400)
    return None


def changes(root: Locator, before: str) -> bool:
    for _ in range(round(5 * CHANGED)):
        if root.evaluate(MARKS) != before:
            return True
        root.page.wait_for_timeout(200)
    return False

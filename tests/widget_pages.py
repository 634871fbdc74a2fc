"""A minimal page that shows widgets without a kernel, for the browser tests of the widgets."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page

from ntkbook.widgets._base import BookWidget
from ntkbook.widgets._modules import module_text

# The colours of the site's theme in both modes, by the names that the widgets look for.
PAGE = """<!doctype html>
<html lang="en" data-theme="{theme}">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Widgets</title>
<style>
  html[data-theme="light"] {{ --pst-color-background: #fff; --pst-color-text-base: #222832; }}
  html[data-theme="dark"] {{ --pst-color-background: #14181e; --pst-color-text-base: #ced6dd; }}
  body {{ margin: 0 auto; padding: 0 1rem; max-width: 48rem; font-family: serif;
         background: var(--pst-color-background); color: var(--pst-color-text-base); }}
</style>
<style>{css}</style>
<body>
<script>
  const load = async (widgets) => {{
    for (const {{ esm, meta, data }} of widgets) {{
      const url = URL.createObjectURL(new Blob([esm], {{ type: "text/javascript" }}));
      window.module = await import(url);
      const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
      const state = {{ _esm: esm, meta, data: new DataView(bytes.buffer) }};
      const listeners = new Set();
      const model = {{
        ntkStatic: window.askPython === undefined,
        get: (key) => state[key],
        set() {{}},
        save_changes() {{}},
        on: (event, callback) => listeners.add(callback),
        off: (event, callback) => listeners.delete(callback),
        send: async (request) => {{
          const {{ content, buffer }} = await window.askPython(request);
          const bytes = Uint8Array.from(atob(buffer), (c) => c.charCodeAt(0));
          for (const listener of [...listeners]) listener(content, [new DataView(bytes.buffer)]);
        }},
      }};
      await window.module.default.render({{ model, el: document.body.appendChild(document.createElement("div")) }});
    }}
  }};
  load({widgets}).then(() => (window.loaded = true));
</script>
"""


def write_page(folder: Path, widgets: Sequence[BookWidget], *, theme: str = "light") -> Path:
    """A page with these widgets, one below the other."""
    states = [{"esm": str(w._esm), "meta": w.meta, "data": base64.b64encode(w.data).decode()} for w in widgets]
    text = PAGE.format(theme=theme, css=widgets[0]._css, widgets=json.dumps(states).replace("</", "<\\/"))
    path = folder / "widgets.html"
    path.write_text(text, encoding="utf-8")
    return path


def open_page(
    browser: Browser,
    path: Path,
    *,
    fragment: str = "",
    width: int = 1000,
    motion: str = "reduce",
    kernel: BookWidget | None = None,
) -> tuple[Page, list[str]]:
    """The page, loaded, and the list that its errors go into. With `kernel` that widget answers the page's requests."""
    page = browser.new_page(viewport={"width": width, "height": 900}, reduced_motion=motion)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    if kernel:
        page.expose_function("askPython", lambda request: answer(kernel, request))
    page.goto(path.as_uri() + fragment)
    page.wait_for_function("window.loaded === true")
    return page, errors


# Texts of a widget that are cut off, leave their place, or lie upon each other; and choices wider than their list.
CUT_TEXTS = """
(root) => {
  const problems = [];
  const within = (inner, outer) =>
    inner.left >= outer.left - 1 && inner.right <= outer.right + 1 &&
    inner.top >= outer.top - 1 && inner.bottom <= outer.bottom + 1;
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode;
    const parent = node.parentElement;
    if (!node.textContent.trim() || parent.closest("svg, option, .ntk-hidden, details:not([open]) > ul")) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const place = parent.closest(".ntk-control, button, td, th, figcaption, li, p, summary, .ntk-widget");
    if (!within(range.getBoundingClientRect(), place.getBoundingClientRect())) {
      problems.push(`${node.textContent} leaves its place`);
    }
  }
  for (const select of root.querySelectorAll("select")) {
    const free = select.cloneNode(true);
    free.style.cssText = "position: absolute; width: max-content; min-width: 0";
    select.after(free);
    const widest = free.offsetWidth;
    free.remove();
    if (widest > select.offsetWidth + 1) problems.push(`the choices of ${select.labels[0].textContent} are cut off`);
  }
  for (const svg of root.querySelectorAll("figure > svg")) {
    const box = svg.getBoundingClientRect();
    const texts = [...svg.querySelectorAll("text")].filter((text) => text.textContent.trim());
    const rects = texts.map((text) => text.getBoundingClientRect());
    rects.forEach((rect, k) => {
      if (!within(rect, box)) problems.push(`${texts[k].textContent} leaves the picture`);
      rects.slice(0, k).forEach((other, j) => {
        const across = Math.min(rect.right, other.right) - Math.max(rect.left, other.left);
        const along = Math.min(rect.bottom, other.bottom) - Math.max(rect.top, other.top);
        if (across > 1 && along > 4) problems.push(`${texts[k].textContent} lies upon ${texts[j].textContent}`);
      });
    });
  }
  return problems;
}
"""


def open_script(browser: Browser, name: str) -> Page:
    """A page with one of the scripts as `window.module`."""
    page = browser.new_page()
    page.evaluate(
        """async (text) => {
          window.module = await import(URL.createObjectURL(new Blob([text], { type: "text/javascript" })));
        }""",
        module_text(name),
    )
    return page


def simulates(name: str) -> bool:
    """Whether the widget of this name draws networks and trains them in the page."""
    return "const $random = " in str(BookWidget.registry[name]._esm)


def answer(widget: BookWidget, request: dict[str, Any]) -> dict[str, Any]:
    """What the widget sends back for a message from the page."""
    sent: list[tuple[dict[str, Any], list[bytes]]] = []
    widget.send = lambda content, buffers=None: sent.append((content, buffers or [b""]))
    widget._receive(widget, request, [])
    [(content, buffers)] = sent
    return {"content": content, "buffer": base64.b64encode(buffers[0]).decode()}

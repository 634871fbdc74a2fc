"""Every page and every control in Firefox and WebKit, where they are installed; Chromium has tests of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pagecheck
import pytest
import serving
from engines import ENGINES, Tab
from ntksite.records import documents

pytestmark = [pytest.mark.site, pytest.mark.browser]

PAGES = [f"{document}.html" for document in documents()]

# Runs ahead of all other scripts of a page: notes what goes wrong, and has what the checks below share.
AHEAD = f"""<head><script>
  window.problems = [];
  addEventListener("error", ({{ message, target }}) => {{
    if (message?.startsWith("ResizeObserver loop")) return;  // a notice: the rest is observed in the next frame
    problems.push(message ? `page error: ${{message}}` : `fails to load: ${{target.src ?? target.href}}`);
  }}, true);
  addEventListener("unhandledrejection", ({{ reason }}) => problems.push(`page error: ${{reason}}`));
  console.error = (...words) => problems.push(`console: ${{words.join(" ")}}`);

  window.rest = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));
  const widget = (k) => document.querySelectorAll("[data-ntk-widget]")[k];
  window.marks = (k) => ({pagecheck.MARKS})(widget(k));
  const usable = (node) => node.offsetParent && !node.disabled;
  window.controls = (k) => [...widget(k).querySelectorAll("input, select, button")].filter(usable);
</script>"""

# What went wrong on the page until all its widgets were mounted.
PROBLEMS = f"""
async () => {{
  const views = document.querySelectorAll('script[type="application/vnd.jupyter.widget-view+json"]').length;
  const states = () => [...document.querySelectorAll("[data-ntk-widget]")].map((root) => root.dataset.ntkState);
  const mounted = () => states().length >= views && states().every((state) => state === "ready" || state === "error");
  for (let k = 0; k < 300 && !mounted(); k++) await rest(100);
  const found = [...(await ({pagecheck.MATHEMATICS})()), ...({pagecheck.OVERFLOW})()];
  if (states().filter((state) => state === "ready").length < views) found.push(`${{views}} widgets: ${{states()}}`);
  for (const {{ name }} of performance.getEntriesByType("resource")) {{
    if (!name.startsWith(location.origin) && !/^(data|blob):/.test(name)) found.push(`asks another host: ${{name}}`);
  }}
  return found;
}}
"""

# Brings the picture to rest, goes to the control and tells which key changes it.
FOCUS = """
async (k, index) => {
  controls(k).find((node) => /^pause$/i.test(node.textContent.trim()))?.click();
  window.before = "";
  for (let tries = 0; tries < 60 && before !== (window.before = marks(k)); tries++) await rest(400);
  const control = controls(k)[index];
  control.focus();
  if (control.tagName === "SELECT") return control.selectedIndex === control.length - 1 ? "ArrowUp" : "ArrowDown";
  if (control.type === "range") return Number(control.value) >= Number(control.max) ? "ArrowLeft" : "ArrowRight";
  return "Space";
}
"""

CHANGES = """
async (k) => {
  for (let tries = 0; tries < 200 && marks(k) === before; tries++) await rest(100);
  return marks(k) !== before;
}
"""


@pytest.fixture(scope="module")
def watched(site: Path) -> Iterator[str]:
    """The site, served with a script ahead of all others in every page that notes what goes wrong."""

    class Watched(serving.Quiet):
        def do_GET(self) -> None:  # noqa: N802 - the name that the server calls
            path = Path(self.translate_path(self.path))
            if path.suffix != ".html":
                return super().do_GET()
            text = path.read_bytes().replace(b"<head>", AHEAD.encode(), 1)
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

    with serving.serve(site, Watched) as address:
        yield address


@pytest.fixture(scope="module", params=[pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in ENGINES])
def tab(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    find, start = ENGINES[request.param]
    if not find():
        pytest.skip(f"{request.param} is not installed")
    with start(tmp_path_factory.mktemp(request.param)) as tab:
        yield tab


@pytest.mark.parametrize("path", PAGES)
def test_page_and_controls(tab: Tab, watched: str, path: str) -> None:
    tab.go(f"{watched}/{path}")
    problems = tab.run(PROBLEMS)
    for widget in range(tab.run("() => document.querySelectorAll('[data-ntk-widget]').length")):
        problems += controls_change_picture(tab, widget)
    assert problems + tab.run("() => problems") == []


def test_what_was_read_is_remembered(tab: Tab, watched: str) -> None:
    """A chapter is marked by keyboard; other pages show it, until it is forgotten."""
    text = "(selector) => [...document.querySelectorAll(selector)].map((node) => node.textContent).join()"
    tab.go(f"{watched}/book/networks.html")
    tab.run("() => document.querySelector('.ntk-reading-end button').focus()")
    tab.press("Space")
    tab.go(f"{watched}/book/index.html")
    assert tab.run(text, ".ntk-reading-mark") == "✓" and tab.run(text, ".ntk-reading-progress:not(:empty)") == "read"
    assert tab.run(text, ".ntk-reading-continue:not([hidden])").startswith("Continue: 1. Networks")
    tab.run("() => document.querySelector('.ntk-reading-forget').focus()")
    tab.press("Space")
    assert tab.run(text, ".ntk-reading-mark, .ntk-reading-progress") == "," * 6
    assert tab.run("() => problems") == []


def controls_change_picture(tab: Tab, widget: int) -> list[str]:
    """Move every control of a widget by keyboard; which there are is asked anew, as a choice may bring others."""
    problems, index = [], 0
    while index < len(names := tab.run(f"(k) => controls(k).map({pagecheck.NAME})", widget)):
        if not pagecheck.NEUTRAL.search(names[index]):
            tab.press(tab.run(FOCUS, widget, index))
            if not tab.run(CHANGES, widget):
                problems.append(f"moving {names[index]!r} leaves the picture as it was")
        index += 1
    return problems

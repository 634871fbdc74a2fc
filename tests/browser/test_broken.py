"""What is broken on purpose makes the browser checks fail."""

from __future__ import annotations

from pathlib import Path

import pagecheck
import pytest
import samplebook
from playwright.sync_api import Browser
from samplebook import cell, chapter

pytestmark = [pytest.mark.slow, pytest.mark.browser]

WIDGETS = """
import anywidget


def widget(name, draw, start="draw()"):
    class Sample(anywidget.AnyWidget):
        _esm = f'''
        export default {{ render({{ model, el }}) {{
          el.innerHTML = `<section data-ntk-widget="{name}"><label>Height <input type="range" max="9" value="4"></label>
            <svg width="100" height="50" role="img" aria-label="a bar"><rect width="10" height="4"/></svg></section>`;
          const draw = () => {{ {draw} }};
          el.querySelector("input").addEventListener("input", draw);
          {start};
          el.firstChild.dataset.ntkState = "ready";
        }} }};
        '''

    return Sample()


DRAW = 'el.querySelector("rect").setAttribute("height", el.querySelector("input").value)'
"""


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is broken here never comes."""
    monkeypatch.setattr(pagecheck, "MOUNTED", 5.0)
    monkeypatch.setattr(pagecheck, "CHANGED", 5.0)


def test_broken_widget_fails_the_browser_checks(tmp_path: Path, chromium: Browser) -> None:
    good = cell(WIDGETS) + cell("widget('good', DRAW)")
    bad = cell(WIDGETS) + cell("widget('dead', '')") + cell("widget('broken', DRAW, 'absent.draw()')")
    folder = samplebook.make(tmp_path / "book", first=chapter(good), second=chapter(bad))
    run = samplebook.build(folder)
    assert run.returncode == 0, run.stderr

    site = (folder / "_build" / "html").as_uri()
    with pagecheck.visit(chromium, site, "book/first.html") as visit:
        assert visit.problems == []
        assert pagecheck.controls_change_picture(visit.page.locator("[data-ntk-widget=good]")) == []
    with pagecheck.visit(chromium, site, "book/second.html") as visit:
        problems = "\n".join(visit.problems)
        assert "the widget broken is in state error" in problems and "absent is not defined" in problems
        dead = pagecheck.controls_change_picture(visit.page.locator("[data-ntk-widget=dead]"))
        assert dead == ["moving 'Height' leaves the picture as it was"]
        assert "could not be shown" in visit.page.locator("[role=alert]").text_content()


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ('<img src="https://example.org/a.png" alt="a">', "asks another host"),
        ("<script>absent()</script>", "page error"),
        ('<script src="absent.js"></script>', "fails to load"),
        ("<script>console.error('careful')</script>", "careful"),
        (r'<p class="math">\(x\)</p>', "MathJax is not there"),
        ('<script type="application/vnd.jupyter.widget-view+json">{"model_id": "a"}</script>', "were mounted"),
    ],
)
def test_browser_checks_see(tmp_path: Path, chromium: Browser, body: str, problem: str) -> None:
    (tmp_path / "page.html").write_text(f"<!doctype html><html><body><main>{body}</main></body></html>")
    with pagecheck.visit(chromium, tmp_path.as_uri(), "page.html") as visit:
        assert any(problem in found for found in visit.problems), visit.problems


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ('<div style="width: 500px">wide</div>', "is 5"),
        ('<img src="data:image/gif;base64,R0lGODlhAQABAAAAACw=" alt="">', "without alt text"),
    ],
)
def test_layout_checks_see(tmp_path: Path, chromium: Browser, body: str, problem: str) -> None:
    (tmp_path / "page.html").write_text(f"<!doctype html><html><body><main>{body}</main></body></html>")
    with pagecheck.visit(chromium, tmp_path.as_uri(), "page.html", pagecheck.PHONE) as visit:
        assert any(problem in found for found in pagecheck.layout(visit.page)), pagecheck.layout(visit.page)

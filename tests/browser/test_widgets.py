"""The widgets in a page without a kernel, and with one: every control, every look, no error."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qsl, urlencode

import numpy as np
import pagecheck
import pytest
from playwright.sync_api import Browser, Page
from widget_pages import CUT_TEXTS, open_page, simulates, write_page
from widget_samples import CONVERGENCE_AXES, SAMPLES, WIDTHS, convergences, make, motions, runs, sizes, truncations

from ntkbook import terms
from ntkbook.diagnostics import fit_exponent
from ntkbook.widgets import (
    HierarchyAtWork,
    PredictNewPoint,
    TrainLive,
    TruncationExplorer,
)
from ntkbook.widgets._base import BookWidget
from ntkbook.widgets.convergence import TIMES as CONVERGENCE_TIMES
from ntkbook.widgets.hierarchy import TIMES
from ntkbook.widgets.motion import TIMES as MOTION_TIMES
from ntkbook.widgets.truncation import LEVELS
from ntkbook.widgets.truncation import TIMES as TRUNCATION_TIMES

pytestmark = pytest.mark.browser

NAMES = sorted(BookWidget.registry)
MARKS = f"({pagecheck.MARKS.strip()})(document.body)"  # what is drawn, without any text


def settle(page: Page) -> str:
    """The marks once they move no more: runs of other widths appear in idle moments."""
    page.wait_for_function("!document.querySelector('[aria-busy=true]')")
    marks = page.evaluate(MARKS)
    while True:
        page.wait_for_timeout(400)
        now = page.evaluate(MARKS)
        if now == marks:
            return marks
        marks = now


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("width", [1000, 360])
def test_every_control_changes_the_picture(chromium: Browser, tmp_path: Path, name: str, width: int) -> None:
    page, errors = open_page(chromium, write_page(tmp_path, [make(name)]), width=width)
    root = page.locator(f"[data-ntk-widget={name}]")
    assert root.get_attribute("data-ntk-state") == "ready"
    controls = root.locator(".ntk-controls").locator("input, select")
    assert 0 < controls.count() <= 8
    for k in range(controls.count()):
        control = controls.nth(k)
        label = control.evaluate("(node) => node.labels[0].textContent")
        assert label.strip()
        if label == "Speed":
            continue
        marks = settle(page)
        change = """(node) => {
          if (node.type === "checkbox") return node.click();
          if (node.tagName === "SELECT") node.selectedIndex = (node.selectedIndex + 1) % node.options.length;
          else node.value = Number(node.value) < Number(node.max) ? Number(node.value) + 1 : Number(node.value) - 1;
          node.dispatchEvent(new Event(node.tagName === "SELECT" ? "change" : "input", { bubbles: true }));
        }"""
        control.evaluate(change)
        page.wait_for_function(f"(before) => {MARKS} !== before", arg=marks)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert errors == []
    page.close()


def set_last(page: Page) -> None:
    """Every control at its last value."""
    for control in page.locator(".ntk-controls").locator("input, select").all():
        control.evaluate("""(node) => {
          if (node.type === "checkbox") return node.checked || node.click();
          if (node.tagName === "SELECT") node.selectedIndex = node.options.length - 1;
          else node.value = node.max;
          node.dispatchEvent(new Event(node.tagName === "SELECT" ? "change" : "input", { bubbles: true }));
        }""")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("width", [360, 768, 1280])
@pytest.mark.parametrize("family", ["serif", "system-ui, sans-serif"])
def test_no_text_is_cut_off(chromium: Browser, tmp_path: Path, name: str, width: int, family: str) -> None:
    page, errors = open_page(chromium, write_page(tmp_path, [make(name)]), width=width)
    page.evaluate("(family) => (document.body.style.fontFamily = family)", family)
    root = page.locator("[data-ntk-widget]")
    settle(page)
    assert root.evaluate(CUT_TEXTS) == []
    set_last(page)
    settle(page)
    assert root.evaluate(CUT_TEXTS) == [] and errors == []
    page.close()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("width", [360, 1280])
def test_charts_grow_with_the_text_of_the_reader(chromium: Browser, tmp_path: Path, name: str, width: int) -> None:
    """At twice the size labels are twice as high where there is room, nowhere smaller, and not cut."""
    page, errors = open_page(chromium, write_page(tmp_path, [make(name)]), width=width)
    height = "(texts) => Math.max(...texts.map((text) => text.getBoundingClientRect().height))"
    before = page.eval_on_selector_all("figure svg text", height) if page.locator("figure svg text").count() else None
    page.evaluate("document.documentElement.style.fontSize = '200%'")
    settle(page)
    if before:
        grown = page.eval_on_selector_all("figure svg text", height) / before
        assert grown >= 0.99 if width == 360 else 1.5 < grown < 2.05
    assert page.locator("[data-ntk-widget]").evaluate(CUT_TEXTS) == [] and errors == []
    page.close()


def test_the_check_of_texts_sees_what_is_cut_off(chromium: Browser, tmp_path: Path) -> None:
    page, _ = open_page(chromium, write_page(tmp_path, [make("truncation-explorer")]))
    page.add_style_tag(
        content=".ntk-control { width: 30px; min-width: 0 !important; flex: none !important } "
        ".ntk-control select:first-of-type { min-width: 0; width: 30px }"
    )
    problems = page.locator("[data-ntk-widget]").evaluate(CUT_TEXTS)
    assert "the choices of Data are cut off" in problems and any("leaves its place" in problem for problem in problems)
    page.evaluate("document.querySelector('figure text').setAttribute('x', '-30')")
    assert any("leaves the picture" in found for found in page.locator("[data-ntk-widget]").evaluate(CUT_TEXTS))
    page.close()


SEEN = """
(node) => {
  const box = node.getBoundingClientRect();
  const [x, y] = [box.left + box.width / 2, box.top + box.height / 2];
  const hit = document.elementFromPoint(x, y);
  return box.top >= 0 && box.bottom <= innerHeight && (hit === node || node.contains(hit) || hit.contains(node));
}
"""
# The marks and formulas that lie, at least in part, below the controls and on the screen.
MARKS_IN_VIEW = """
() => {
  const top = document.querySelector(".ntk-dock").getBoundingClientRect().bottom;
  const inView = (node) => {
    const box = node.getBoundingClientRect();
    return box.bottom > top + 8 && box.top < innerHeight - 8;
  };
  const shown = [...document.querySelectorAll("figure > svg :is(path, rect), .ntk-term")].filter(inView);
  const look = (node) => ["d", "fill", "fill-opacity"].map((name) => node.getAttribute(name)).join() + node.textContent;
  return shown.map(look);
}
"""


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("width, height", [(360, 640), (390, 844)])
def test_on_a_phone_a_control_and_what_it_changes_are_in_view_together(
    chromium: Browser, tmp_path: Path, name: str, width: int, height: int
) -> None:
    page, errors = open_page(chromium, write_page(tmp_path, [make(name)]), width=width)
    page.set_viewport_size({"width": width, "height": height})
    controls = page.locator(".ntk-controls").locator("input, select").all()
    figures = page.locator("figure").all()
    for control in controls:
        page.evaluate("document.querySelector('[data-ntk-widget]').scrollIntoView()")
        settle(page)
        before = page.evaluate(MARKS_IN_VIEW)
        label = control.evaluate("(node) => node.labels[0].textContent")
        pagecheck.move(control)
        settle(page)
        assert label == "Speed" or page.evaluate(MARKS_IN_VIEW) != before, f"what {label} changes is out of view"
    for figure in figures:  # whichever picture is looked at
        figure.evaluate("(node) => node.scrollIntoView({ block: 'center' })")
        assert all(control.evaluate(SEEN) for control in controls)
    dock, root = (
        page.locator(place).evaluate("(node) => node.offsetHeight") for place in (".ntk-dock", "figure >> nth=0")
    )
    assert dock + root < height - 56  # both fit below the header of the book's pages
    assert errors == []
    page.close()


@pytest.mark.parametrize("name", [name for name in NAMES if name != "click-to-differentiate"])
def test_a_slider_moves_by_keyboard_and_says_its_value(chromium: Browser, tmp_path: Path, name: str) -> None:
    page, errors = open_page(chromium, write_page(tmp_path, [make(name)]))
    slider = page.locator("input[type=range]").first
    assert slider.get_attribute("data-lm-suppress-shortcuts")  # else JupyterLab takes the arrow keys
    before = slider.get_attribute("aria-valuetext"), page.locator("output").first.text_content()
    pagecheck.move(slider)
    after = slider.get_attribute("aria-valuetext"), page.locator("output").first.text_content()
    assert before[0] == before[1] and after[0] == after[1] and before != after
    assert errors == []
    page.close()


@pytest.mark.parametrize("name", NAMES)
def test_the_picture_is_told_in_words_that_follow_the_state(chromium: Browser, tmp_path: Path, name: str) -> None:
    page, _ = open_page(chromium, write_page(tmp_path, [make(name)]))
    told = "[...document.querySelectorAll('figure > svg')].map((svg) => [svg.getAttribute('role'), svg.ariaLabel])"
    before = page.evaluate(told)
    assert all(role == "img" and len(label) > 40 for role, label in before)
    pagecheck.move(page.locator(".ntk-controls").locator("input, select").first)
    settle(page)
    assert all(old != new for old, new in zip(before, page.evaluate(told), strict=True))
    page.wait_for_function("document.querySelector('[aria-live=polite]').textContent.length > 40")
    page.close()


@pytest.mark.parametrize("name", NAMES)
def test_a_setting_can_be_linked(chromium: Browser, tmp_path: Path, name: str) -> None:
    sample = SAMPLES[name]
    path = write_page(tmp_path, [sample.make()])
    page, errors = open_page(chromium, path, fragment=f"#{name}?{sample.setting}")
    shown = page.locator(f"[id$='-{sample.control}']").evaluate(
        "(node) => node.tagName === 'SELECT' ? node.selectedOptions[0].textContent : node.ariaValueText"
    )
    assert shown == sample.shows
    link = page.get_by_role("link", name="Link to this setting").get_attribute("href")
    other, _ = open_page(chromium, path)
    assert settle(other) != settle(page)
    other.evaluate("(link) => (location.hash = link)", link)  # the same setting, reached on an open page
    assert any(settle(other) == settle(page) for _ in range(20))  # runs of other widths come in idle moments
    assert errors == []
    page.close()
    other.close()


def test_a_link_opens_at_its_figure(chromium: Browser, tmp_path: Path) -> None:
    path = write_page(tmp_path, [make("orders-of-magnitude"), make("kernel-in-motion")])
    page, errors = open_page(chromium, path, fragment="#kernel-in-motion?seed=4")
    top = page.locator("[data-ntk-widget=kernel-in-motion]").evaluate("(node) => node.getBoundingClientRect().top")
    assert page.evaluate("scrollY") > 0 and 0 <= top < 450 and errors == []
    page.close()


def setting_of(page: Page) -> dict[str, str]:
    """What the first widget's own link says of its controls."""
    link = page.get_by_role("link", name="Link to this setting").first.get_attribute("href")
    return dict(parse_qsl(link.partition("?")[2], keep_blank_values=True))


def go(page: Page, fragment: str) -> None:
    """Another fragment in the address of the open page, and the time to follow it."""
    page.evaluate(
        """(fragment) => new Promise((done) => {
          window.addEventListener("hashchange", () => done(), { once: true });
          location.hash = fragment;
        })""",
        fragment,
    )


@pytest.mark.parametrize(
    "fragment",
    [
        "#100%",
        "#%E0%A4%A",
        "#train-live?%",
        "#train-live?__proto__=1&constructor=1",
        "#train-live?width=17&activation=cubic&nonsense=1",
        "#train-live?seed=&speed=&width",
        "#train-live?seed=-1",
        "#train-live?seed=1e3",
        "#train-live?width=512&depth=3",
        "#train-live",
        "#train-live%?width=64",
        "#?",
    ],
)
def test_a_setting_that_does_not_exist_is_passed_over(chromium: Browser, tmp_path: Path, fragment: str) -> None:
    path = write_page(tmp_path, [TrainLive(), make("orders-of-magnitude")])
    page, errors = open_page(chromium, path, fragment=fragment)
    expected = {"depth": "1", "width": "512" if "=512" in fragment else "16", "activation": "tanh", "speed": "5"}
    assert setting_of(page) == expected | {"seed": "3"} and errors == []
    assert page.locator("[data-ntk-state=ready]").count() == 2
    page.close()


def test_an_empty_choice_can_be_linked(chromium: Browser, tmp_path: Path) -> None:
    page, errors = open_page(chromium, write_page(tmp_path, [make("orders-of-magnitude")]))
    for box in page.get_by_role("checkbox").all():
        box.set_checked(False)
    setting = setting_of(page)
    assert page.get_by_text("No kernel is chosen").is_visible() and setting["orders"] == "none"
    go(page, "#orders-of-magnitude?orders=")
    assert setting_of(page)["orders"] == "2,3,4"
    go(page, "#orders-of-magnitude?" + urlencode(setting))
    assert setting_of(page) == setting and errors == []
    page.close()


@pytest.mark.parametrize("name", NAMES)
def test_the_address_leads_to_a_setting_and_back(chromium: Browser, tmp_path: Path, name: str) -> None:
    page, errors = open_page(chromium, write_page(tmp_path, [make(name)]))
    initial = setting_of(page)
    linked = f"#{name}?{SAMPLES[name].setting}"
    go(page, linked)
    setting = setting_of(page)
    assert setting != initial
    go(page, "#100%")  # an anchor of the page, if a strange one, is no setting
    assert setting_of(page) == setting
    for nothing in [f"#{name}?" + "&".join(f"{key}=%FF" for key in initial), "#another?width=3", ""]:
        go(page, nothing)
        assert setting_of(page) == initial, nothing
        go(page, linked)
        assert setting_of(page) == setting
    with page.expect_event("framenavigated"):
        page.evaluate("history.back()")
    page.wait_for_function("location.hash === ''")
    page.wait_for_function(
        "(query) => document.querySelector('.ntk-tools a').href.includes(query)", arg=f"?{next(iter(initial))}="
    )
    assert setting_of(page) == initial and errors == []
    page.close()


@pytest.mark.parametrize("name", NAMES)
def test_a_link_that_was_cut_off_is_followed_as_far_as_it_goes(chromium: Browser, tmp_path: Path, name: str) -> None:
    page, errors = open_page(chromium, write_page(tmp_path, [make(name)]))
    initial = setting_of(page)
    link = page.get_by_role("link", name="Link to this setting").get_attribute("href")
    shown = "(nodes) => nodes.map((node) => [Number(node.value), node.ariaValueText])"
    for end in range(len(link) - 1, max(1, len(link) - 60), -1):
        go(page, link[:end])
        assert setting_of(page).keys() == initial.keys() and not {"", "undefined", "NaN"} & set(
            setting_of(page).values()
        )
        sliders = page.locator("input[type=range]").evaluate_all(shown)
        assert all(value >= 0 and text != "undefined" for value, text in sliders), link[:end]
    assert page.locator("[data-ntk-state=ready]").count() == 1 and errors == []
    page.close()


# What a reader sees or a screen reader says of a widget, apart from its controls.
TOLD = """
(root) => {
  const seen = (node) => getComputedStyle(node).visibility === "visible" && node.getClientRects().length > 0;
  const pictures = [...root.querySelectorAll("figure > svg")].filter(seen).map((svg) => svg.ariaLabel);
  const texts = [...root.querySelectorAll(".ntk-answer, [aria-live]")].filter(seen).map((node) => node.innerText);
  return [...pictures, ...texts].filter(Boolean);
}
"""
# Words of what spoils a vote, beside the summary.
SPOILS = {
    "click-to-differentiate": "it ends at",
    "orders-of-magnitude": "fitted slope",
    "predict-new-point": "What is learned minus twice",
    "truncation-explorer": "predicted",
}


@pytest.mark.parametrize("name", NAMES)
def test_a_vote_hides_the_readout_until_it_is_shown(chromium: Browser, tmp_path: Path, name: str) -> None:
    page, errors = open_page(
        chromium, write_page(tmp_path, [make(name)]), fragment=f"#{name}?vote=1&{SAMPLES[name].setting}"
    )
    root, summary = page.locator("[data-ntk-widget]"), page.locator(".ntk-summary")
    answers = root.locator(".ntk-answer")
    hidden = summary.text_content()
    button = page.get_by_role("button", name="Show the readout")

    def nothing_is_told() -> None:
        assert not any(answer.is_visible() for answer in answers.all())
        told = " ".join(root.evaluate(TOLD))
        assert hidden not in told and SPOILS.get(name, hidden) not in told
        assert button.is_visible() and summary.text_content() not in told

    settle(page)
    nothing_is_told()
    assert all(svg.is_visible() for svg in root.locator("figure:not(.ntk-answer) > svg").all())
    marks = settle(page)
    pagecheck.move(root.locator(".ntk-controls").locator("input, select").first)
    assert settle(page) != marks and setting_of(page)["vote"] == "1"
    page.wait_for_timeout(700)  # after which a summary would be read out
    nothing_is_told()

    button.focus()
    page.keyboard.press("Enter")
    told = " ".join(root.evaluate(TOLD))
    assert summary.is_visible() and SPOILS.get(name, summary.inner_text()) in told
    assert page.locator("[aria-live]").text_content() == summary.text_content() and setting_of(page)["vote"] == "1"
    again = page.get_by_role("button", name="Hide the readout")
    assert again.evaluate("(node) => node === document.activeElement")
    page.keyboard.press("Enter")
    nothing_is_told()
    assert errors == []
    page.close()


@pytest.mark.parametrize("name", NAMES)
def test_a_link_for_a_vote_comes_and_goes(chromium: Browser, tmp_path: Path, name: str) -> None:
    page, errors = open_page(chromium, write_page(tmp_path, [make(name)]))
    button, summary = page.get_by_role("button", name="the readout"), page.locator(".ntk-summary")
    initial = setting_of(page)
    assert "vote" not in initial and button.count() == 0 and summary.is_visible()
    link = page.get_by_role("link", name="Link for a vote")
    link.click()
    page.wait_for_function("location.hash.includes('?vote=1&')")
    assert not summary.is_visible() and setting_of(page) == {"vote": "1"} | initial
    for harmless in ("vote=", "vote", "vote=0", "vote=11", "vot"):
        go(page, f"#{name}?{harmless}")
        assert button.count() == 0 and summary.is_visible() and setting_of(page) == initial
    link = link.get_attribute("href")
    go(page, link[: link.index("vote=1") + len("vote=1&w")])  # the vote stands in front: cut off, it is still one
    assert not summary.is_visible() and button.count() == 1
    go(page, "#100%")  # an anchor of the page
    assert not summary.is_visible()
    go(page, "#another?width=3")
    assert summary.is_visible() and errors == []
    page.close()


def test_with_a_kernel_no_link_for_a_vote_is_offered(chromium: Browser, tmp_path: Path) -> None:
    widget = make("orders-of-magnitude")
    page, _ = open_page(chromium, write_page(tmp_path, [widget]), kernel=widget)
    assert page.get_by_role("link").count() == 0
    page.close()


# The size on the screen of each text that is seen, in pixels.
SIZES = """
(root) => {
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  const sizes = [];
  while (walker.nextNode()) {
    const parent = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || parent.closest(".ntk-hidden, details")) continue;
    const svg = parent.closest("figure > svg");
    sizes.push((svg ? svg.getScreenCTM().a : 1) * parseFloat(getComputedStyle(parent).fontSize));
  }
  return sizes;
}
"""


@pytest.mark.parametrize("name", NAMES)
def test_a_lecture_hall_can_read_the_full_screen(chromium: Browser, tmp_path: Path, name: str) -> None:
    """Exponents and indices too; nothing is cut off, and there is nothing to scroll to."""
    page, errors = open_page(chromium, write_page(tmp_path, [make(name)]), fragment=f"#{name}?vote=1")
    root = page.locator("[data-ntk-widget]")
    page.set_viewport_size({"width": 1920, "height": 1080})
    page.get_by_role("button", name="Full screen").click()
    page.wait_for_function("document.fullscreenElement && innerHeight === 1080")
    for press in (None, "Show the readout"):
        if press:
            page.get_by_role("button", name=press).click()
        settle(page)
        assert min(root.evaluate(SIZES)) >= 20
        assert root.evaluate(CUT_TEXTS) == []
        assert root.evaluate("(node) => node.scrollHeight - node.clientHeight") <= 2
    set_last(page)
    settle(page)
    assert root.evaluate(CUT_TEXTS) == [] and errors == []
    page.close()


@pytest.mark.parametrize("name", NAMES)
def test_two_of_a_kind_do_not_meddle(chromium: Browser, tmp_path: Path, name: str) -> None:
    page, errors = open_page(chromium, write_page(tmp_path, [make(name), make(name)]))
    roots = page.locator("[data-ntk-widget]")
    ids = [roots.nth(k).get_attribute("id") for k in range(2)]
    assert ids == [name, f"{name}-2"]
    assert page.evaluate("new Set([...document.querySelectorAll('[id]')].map((n) => n.id)).size") == page.evaluate(
        "document.querySelectorAll('[id]').length"
    )
    settle(page)
    second = "document.querySelectorAll('[data-ntk-widget]')[1].querySelector('figure svg').innerHTML"
    before = page.evaluate(second)
    pagecheck.move(roots.nth(0).locator(".ntk-controls").locator("input, select").last)
    assert page.evaluate(second) == before and errors == []
    page.close()


def test_training_plays_pauses_and_starts_again(chromium: Browser, tmp_path: Path) -> None:
    page, errors = open_page(chromium, write_page(tmp_path, [TrainLive()]), motion="no-preference")
    still = settle(page)  # it waits for the reader, and shows the start alone
    assert "At t = 1.0" in page.locator(".ntk-summary").inner_text()
    page.get_by_role("button", name="Play").click()
    page.wait_for_function(f"(first) => {MARKS} !== first", arg=still)
    page.get_by_role("button", name="Pause").click()
    still = settle(page)
    page.get_by_role("button", name="New weights").click()
    assert settle(page) != still
    page.get_by_role("button", name="Restart").click()
    page.get_by_role("button", name="Pause").wait_for()
    assert errors == []
    page.close()


def test_training_stands_still_where_less_motion_is_wanted(chromium: Browser, tmp_path: Path) -> None:
    page, _ = open_page(chromium, write_page(tmp_path, [TrainLive()]), motion="reduce")
    settle(page)
    assert page.get_by_role("button", name="Play").is_visible()
    assert "At t = 1.0" in page.locator(".ntk-summary").inner_text()
    page.close()


def test_training_goes_at_its_speed_and_shows_other_widths_at_its_end(chromium: Browser, tmp_path: Path) -> None:
    page, errors = open_page(chromium, write_page(tmp_path, [TrainLive()]), fragment="#train-live?width=128&speed=20")
    time = "Number(document.querySelector('.ntk-summary').textContent.match(/t = ([\\d.]+)/)[1])"
    others = page.locator("[data-mark^='other name']")
    page.get_by_role("button", name="Restart").click()
    start = page.evaluate(f"[performance.now() / 1000, {time}]")
    page.wait_for_function(f"{time} > 20")
    end = page.evaluate(f"[performance.now() / 1000, {time}]")
    assert end[1] - start[1] < 20 * (end[0] - start[0]) * 1.05 + 6  # not faster; told four times a second
    assert others.count() == 0
    page.wait_for_function(f"{time} > 59.9")
    page.wait_for_function("document.querySelectorAll(\"[data-mark^='other name']\").length === 3")
    assert errors == []
    page.close()


def test_two_layers_offer_the_widths_they_can_train(chromium: Browser, tmp_path: Path) -> None:
    page, _ = open_page(chromium, write_page(tmp_path, [TrainLive(initial={"width": 1024})]))
    page.locator("[id$='-depth']").select_option("2")
    assert page.locator("[id$='-width']").get_attribute("aria-valuetext") == "256"
    page.close()


def test_fitted_slopes_are_those_of_fit_exponent(chromium: Browser, tmp_path: Path) -> None:
    page, _ = open_page(chromium, write_page(tmp_path, [make("orders-of-magnitude")]))
    values = sizes()[0, 1, 2].astype(np.float32).astype(float)
    law = page.evaluate("([m, v]) => window.module.fitPowerLaw(m, v)", [WIDTHS, values.tolist()])
    expected = fit_exponent(WIDTHS, values)
    assert np.isclose(law["slope"], expected.slope, atol=1e-12)
    assert np.isclose(law["error"], expected.standard_error, atol=1e-12)
    assert np.isclose(law["level"], expected([law["centre"]])[0], rtol=1e-12)
    assert page.evaluate("[2, 3, 4, 5].map(window.module.predictedSlope)") == [0, -1, -1, -2]
    page.close()


def test_the_page_reads_a_run_as_python_wrote_it(chromium: Browser, tmp_path: Path) -> None:
    page, _ = open_page(chromium, write_page(tmp_path, [make("hierarchy-at-work")]))
    run = runs()[16]
    k, K3, r = 7, run[:, 12:39].reshape(-1, 3, 3, 3), run[:, :3]
    read = """([flat, times, k]) => {
      const run = new window.module.TrainingRun(flat, times, 3);
      return [run.rate(k, 2, "1,3"), run.rate(k, 2, "1,3", 0), run.difference(k, 2, "1,3"), run.size(k, 3)];
    }"""
    in_page = page.evaluate(read, [run.ravel().tolist(), list(TIMES), k])
    differences = run[:, 123:132].reshape(-1, 3, 3)
    expected = [-K3[k, 0, 2] @ r[k] / 3, -K3[0, 0, 2] @ r[k] / 3, differences[k, 0, 2], np.abs(K3[k]).max()]
    np.testing.assert_allclose(in_page, expected, rtol=1e-12)
    page.close()


def test_the_page_averages_the_motion_as_numpy_does(chromium: Browser, tmp_path: Path) -> None:
    page, _ = open_page(chromium, write_page(tmp_path, [make("kernel-in-motion")]))
    runs = np.stack(list(motions().values()))
    read = """([flat, meta, chosen]) => {
      const motion = new window.module.Motion(flat, meta);
      return motion.mean(1, chosen).map((row) => motion.matrix(row));
    }"""
    meta = {"seeds": 5, "times": list(MOTION_TIMES), "points": 3}
    for twins in (False, True):
        in_page = page.evaluate(read, [runs.ravel().tolist(), meta, {"seed": 4, "count": 4, "twins": twins}])
        chosen = runs[1, [3, 4, 0, 1]]  # in a ring
        expected = np.zeros((len(MOTION_TIMES), 3, 3))
        upper = np.triu_indices(3)
        expected[:, *upper] = chosen.mean(axis=(0, 1)) if twins else chosen[:, 0].mean(axis=0)
        expected[:, upper[1], upper[0]] = expected[:, *upper]
        np.testing.assert_allclose(np.reshape(in_page, (-1, 3, 3)), expected, atol=1e-5)
    page.close()


def test_with_a_kernel_motion_asks_for_other_networks(
    chromium: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def made_up(*, width: int, seeds: range) -> np.ndarray:
        return np.repeat(motions(seeds[0])[width][:, :, None], 2, axis=2)

    monkeypatch.setattr("ntkbook.widgets.motion.kernel_motion", made_up)
    widget = make("kernel-in-motion")
    page, errors = open_page(chromium, write_page(tmp_path, [widget]), kernel=widget)
    before = page.evaluate(MARKS)
    page.get_by_role("button", name="New networks from Python").click()
    page.get_by_text("Computed just now by Python").wait_for()
    assert page.evaluate(MARKS) != before and errors == []


def test_the_page_reads_convergence_as_python_wrote_it(chromium: Browser, tmp_path: Path) -> None:
    page, _ = open_page(chromium, write_page(tmp_path, [make("linear-convergence")]))
    runs = convergences().astype(np.float32)
    read = """([flat, meta, setting]) => {
      const place = window.module.placeOf(meta, setting);
      const block = 3 * 2 * meta.times.length;
      const runs = new window.module.ConvergenceRuns(flat.slice(place * block, (place + 1) * block), meta.times);
      return [runs.slowest(), runs.lowest()];
    }"""
    meta = CONVERGENCE_AXES | {"times": list(CONVERGENCE_TIMES)}
    setting = {"activation": "erf", "depth": 1, "labels": "signs", "points": 16, "width": 8}
    slowest, lowest = page.evaluate(read, [runs.astype(float).ravel().tolist(), meta, setting])
    error, eigenvalue = runs[1, 0, 1, 2, 0].astype(float).swapaxes(0, 1)
    np.testing.assert_allclose(slowest, (-np.log(error[:, 1:]) / CONVERGENCE_TIMES[1:]).min(axis=1), rtol=1e-9)
    np.testing.assert_allclose(lowest, eigenvalue.min(axis=1), rtol=1e-9)
    page.close()


def test_convergence_draws_the_three_rates_and_counts_the_networks_below(chromium: Browser, tmp_path: Path) -> None:
    page, errors = open_page(chromium, write_page(tmp_path, [make("linear-convergence")]))
    told = page.locator(".ntk-summary").inner_text()
    error, eigenvalue = convergences()[0, 0, 0, 1, 1].swapaxes(0, 1)
    slowest = (-np.log(error[:, 1:]) / CONVERGENCE_TIMES[1:]).min(axis=1)
    assert f"{(eigenvalue.min(axis=1) >= 0.5).sum()} keep" in told
    for rate in (0.5, 1, 2):
        assert f"{(slowest >= rate).sum()} for" in told
        line = page.locator(f"[data-mark='rate {rate:g}']").get_attribute("d")
        (x0, y0), (x1, y1) = (map(float, pair.split(",")) for pair in line[1:].split("L"))
        base = page.locator("[data-mark='rate 1']").get_attribute("d")
        (_, z0), (_, z1) = (map(float, pair.split(",")) for pair in base[1:].split("L"))
        assert x1 > x0 and np.isclose((y1 - y0) / (z1 - z0), rate, atol=0.01)
    assert page.locator("[data-mark^=network]").count() == 6 and errors == []
    page.close()


def test_with_a_kernel_convergence_asks_for_the_setting_shown(
    chromium: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def made_up(**setting: object) -> np.ndarray:
        asked.append(setting)
        return np.ones((3, 2, len(CONVERGENCE_TIMES)))

    monkeypatch.setattr("ntkbook.widgets.convergence.linear_convergence", made_up)
    widget = make("linear-convergence")
    page, errors = open_page(chromium, write_page(tmp_path, [widget]), kernel=widget)
    before = page.evaluate(MARKS)
    page.get_by_role("button", name="New networks from Python").click()
    page.get_by_text("Computed just now by Python").wait_for()
    network = {"width": 32, "depth": 1, "activation": "tanh", "labels": "hardest"}
    assert asked == [{"n": 8, "seeds": range(3, 6), **network}]
    assert page.evaluate(MARKS) != before and errors == []
    page.close()


def test_the_page_reads_errors_as_numpy_does(chromium: Browser, tmp_path: Path) -> None:
    page, _ = open_page(chromium, write_page(tmp_path, [make("truncation-explorer")]))
    runs, errors = truncations()
    table = np.stack(list(runs["digits"].values()))
    about = {
        "points": 8,
        "levels": list(LEVELS),
        "times": list(TRUNCATION_TIMES),
        "widths": WIDTHS,
        "seeds": 3,
    }
    read = """([runs, errors, about]) => {
      const { TruncationRuns, ErrorTable, errorPower } = window.module;
      const [run, table] = [new TruncationRuns(runs, about), new ErrorTable(errors, about)];
      return [
        run.series(1, 3, run.place(3, 7)), run.largest(2, 1, 0), run.largest(2, 1, 1),
        about.times.slice(1).map((_, t) => table.mean(2, 1, t + 1, 1)), about.levels.map(errorPower),
      ];
    }"""
    entry, outputs, kernel, mean, powers = page.evaluate(
        read, [table.ravel().tolist(), errors["digits"].ravel().tolist(), about]
    )
    place = 8 + list(zip(*np.triu_indices(8), strict=True)).index((2, 6))
    np.testing.assert_allclose(entry, table[1, 3, :, place], rtol=1e-12)
    np.testing.assert_allclose(outputs, np.abs(table[2, 2, :, :8]).max(axis=-1), rtol=1e-12)
    np.testing.assert_allclose(kernel, np.abs(table[2, 2, :, 8:]).max(axis=-1), rtol=1e-12)
    np.testing.assert_allclose(mean, np.exp(np.log(errors["digits"][:, 2, 1, 1:, 1]).mean(axis=0)), rtol=1e-12)
    assert powers == [-1, -1, -2, -2]
    page.close()


def test_a_level_that_has_blown_up_is_named(chromium: Browser, tmp_path: Path) -> None:
    runs, errors = truncations()
    runs["sphere"][WIDTHS[0]][1:, 5:] = np.nan
    errors["sphere"][0, 0, :, 5:] = np.nan
    page, problems = open_page(chromium, write_page(tmp_path, [TruncationExplorer(runs, errors)]))
    assert "level 2 has blown up" in page.locator(".ntk-summary").inner_text() and problems == []
    page.locator("[id$='-time']").fill("1")
    assert "misses the outputs by" in page.locator(".ntk-summary").inner_text()
    page.close()


def test_with_a_kernel_truncation_asks_for_another_network(
    chromium: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def made_up(*, data: str, width: int, seed: int) -> np.ndarray:
        return truncations(seed)[0][data][width]

    monkeypatch.setattr("ntkbook.widgets.truncation.truncation_run", made_up)
    widget = make("truncation-explorer")
    page, errors = open_page(chromium, write_page(tmp_path, [widget]), kernel=widget)
    before = page.evaluate(MARKS)
    page.get_by_role("button", name="Another network from Python").click()
    page.get_by_text("network 3, computed just now by Python").wait_for()
    assert page.evaluate(MARKS) != before and errors == []


def test_targets_and_the_test_point_are_dragged(chromium: Browser, tmp_path: Path) -> None:
    page, errors = open_page(chromium, write_page(tmp_path, [PredictNewPoint()]))
    svg = page.locator("figure > svg").first
    box = svg.bounding_box()
    seen = [2.7]
    for _ in range(3):  # a drag leaves nothing selected, which the browser would drag the next time
        dot = svg.locator("[data-mark=chosen]").bounding_box()
        at = dot["x"] + dot["width"] / 2, dot["y"] + dot["height"] / 2
        page.mouse.move(*at)
        page.mouse.down()
        page.mouse.move(at[0] + 60, at[1] + 20, steps=4)
        page.mouse.move(at[0], at[1] + 20, steps=4)
        page.wait_for_function(f"Number(document.querySelector('[id$=-value]').ariaValueText) < {seen[-1] - 0.2}")
        page.mouse.up()
        seen.append(float(page.locator("[id$='-value']").get_attribute("aria-valuetext")))
    assert page.evaluate("getSelection().isCollapsed")
    page.mouse.click(box["x"] + 0.9 * box["width"], box["y"] + 0.3 * box["height"])
    assert int(page.locator("[id$='-angle']").get_attribute("aria-valuetext")[:-1]) > 140
    assert errors == []
    page.close()


def test_a_fixed_kernel_doubles_and_the_network_does_not(chromium: Browser, tmp_path: Path) -> None:
    page, errors = open_page(chromium, write_page(tmp_path, [PredictNewPoint()]))
    told = "document.querySelectorAll('figure > svg')[2].ariaLabel"
    before = page.evaluate(told)
    assert "limiting kernel 0, frozen kernel 0," in before
    page.get_by_role("button", name="Double all targets").click()
    settle(page)
    assert "limiting kernel 0, frozen kernel 0," in page.evaluate(told) != before
    page.get_by_role("button", name="Double all targets").click(force=True)  # twice as much is beyond the slider
    assert page.get_by_role("button", name="Double all targets").is_disabled()
    page.get_by_role("button", name="Reset targets").click()
    settle(page)
    assert page.evaluate(told) == before and errors == []
    page.close()


@pytest.mark.parametrize("allowed", [True, False])
def test_predictors_come_from_a_worker_or_without_one(chromium: Browser, tmp_path: Path, allowed: bool) -> None:
    """From disk too: the curves of an address are those of a page that opens there, whoever has computed them."""
    path = write_page(tmp_path, [PredictNewPoint()])
    expected, _ = open_page(chromium, path, fragment="#predict-new-point?width=256")  # a first picture needs no worker
    page = chromium.new_page(viewport={"width": 1000, "height": 900}, reduced_motion="reduce")
    if not allowed:
        page.add_init_script("delete window.Worker")
    page.goto(path.as_uri())
    page.wait_for_function("window.loaded === true")
    go(page, "#predict-new-point?width=256")
    assert settle(page) == settle(expected)
    assert len(page.workers) == allowed  # now that it has answered, it is told of
    page.close()
    expected.close()


def test_factors_are_differentiated_by_keyboard_and_taken_back(chromium: Browser, tmp_path: Path) -> None:
    page, errors = open_page(chromium, write_page(tmp_path, [make("click-to-differentiate")]))
    root = page.locator("[data-ntk-widget]")
    lines, factors = root.locator(".ntk-term"), root.locator(".ntk-term button")
    page.locator("[id$='-depth']").select_option("2")
    page.locator("[id$='-term']").select_option(index=1)  # G^(2): sigma_2'(x_1) a, sigma_2'(x_2) a
    root.get_by_role("button", name="Undo").click()
    assert lines.count() == 1 and root.get_by_role("button", name="Undo").is_disabled()
    factors.first.focus()
    page.keyboard.press("Enter")
    assert factors.first.get_attribute("aria-pressed") == "true" and lines.count() == 3  # k = 1, 2 in (3.1)
    assert factors.first.evaluate("(node) => node === document.activeElement")
    assert lines.nth(2).inner_text().startswith("m\u22121/2")
    before = page.evaluate(MARKS)
    lines.nth(2).locator("button").first.click()
    assert lines.nth(3).inner_text().startswith("m\u22121 ") and lines.nth(3).locator("button").count() == 0
    assert page.evaluate(MARKS) != before and "All 282 terms" in root.locator(".ntk-summary").inner_text()
    lines.nth(2).locator("button").first.click()  # once more: taken back
    assert lines.count() == 3 and errors == []
    page.close()


def test_every_derivation_that_the_page_offers_is_that_of_python(chromium: Browser, tmp_path: Path) -> None:
    """Every factor of every term of K^(2) of two hidden layers: the numbers told are those of `terms.replace`."""
    page, errors = open_page(chromium, write_page(tmp_path, [make("click-to-differentiate")]))
    for term in terms.kernel_terms(2, depth=2):
        for j, place in enumerate(term.factors):
            k = terms.kernel_terms(2, depth=2).index(term) + 1
            page.evaluate(f"location.hash = '#click-to-differentiate?depth=2&term={k}&width=8&path={j}'")
            new = terms.replace(term, place)
            page.wait_for_function(
                f"document.querySelectorAll('[aria-pressed=true]').length === 1 && "
                f"document.querySelectorAll('.ntk-term').length === {1 + len(new)} && "
                f"document.querySelectorAll('.ntk-term')[0].querySelectorAll('button')[{j}]?.ariaPressed === 'true'"
            )
            shown = page.locator(".ntk-term").nth(1).locator("button").count()
            assert shown == len(new[0].factors)
    assert errors == []
    page.close()


@pytest.mark.parametrize("name", NAMES)
def test_without_a_kernel_nothing_asks_for_one(chromium: Browser, tmp_path: Path, name: str) -> None:
    page, _ = open_page(chromium, write_page(tmp_path, [make(name)]))
    assert page.get_by_role("button", name="Python").count() == 0
    if not simulates(name):  # else it is all computed in the page, with a kernel or without
        assert "recomputed" in page.locator(".ntk-summary").inner_text()
    page.close()


def test_with_a_kernel_orders_asks_for_new_draws(
    chromium: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def made_up(*, width: int, seeds: range, orders: list[int], activation: str, depth: int) -> np.ndarray:
        return np.full((len(orders), len(seeds)), 2.0 / width)

    monkeypatch.setattr("ntkbook.widgets.orders.sizes_at_start", made_up)
    widget = make("orders-of-magnitude")
    page, errors = open_page(chromium, write_page(tmp_path, [widget]), kernel=widget)
    before = page.evaluate(MARKS)
    page.get_by_role("button", name="New draws from Python").click()
    page.get_by_text("computed just now").wait_for()
    assert page.evaluate(MARKS) != before and errors == []
    assert page.locator(".ntk-table tbody td").first.inner_text().startswith("\u22121.00")
    page.close()


def test_with_a_kernel_hierarchy_asks_for_other_widths(
    chromium: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def made_up(*, width: int, seed: int, depth: int, activation: str) -> np.ndarray:
        asked.append((width, seed, depth, activation))
        if width == 512:
            raise ValueError("no memory for this")
        return runs((width,))[width] * (1 + seed)

    monkeypatch.setattr("ntkbook.widgets.hierarchy.along_training", made_up)
    widget = HierarchyAtWork(runs())
    page, errors = open_page(chromium, write_page(tmp_path, [widget]), kernel=widget)
    before = page.evaluate(MARKS)
    slider = page.locator("[id$='-width']")
    slider.focus()
    page.keyboard.press("ArrowRight")  # 32, which is off the grid
    page.get_by_text("width 32:").wait_for()
    assert page.evaluate(MARKS) != before and asked == [(32, 0, 2, "tanh")]
    before = page.evaluate(MARKS)
    page.get_by_role("button", name="New weights from Python").click()  # empties the pictures until the answer comes
    page.get_by_text("width 32:").wait_for()
    assert page.evaluate(MARKS) != before and asked[1:] == [(32, 1, 2, "tanh")]
    page.keyboard.press("Shift+Tab")
    slider.focus()
    page.keyboard.press("End")
    page.get_by_text("no memory for this").wait_for()
    assert errors == []
    page.close()


def test_an_error_is_shown_in_a_line(chromium: Browser, tmp_path: Path) -> None:
    widget = make("orders-of-magnitude")
    widget.meta = {"id": "broken"}
    page, errors = open_page(chromium, write_page(tmp_path, [widget]))
    root = page.locator("[data-ntk-widget]")
    assert root.get_attribute("data-ntk-state") == "error" and "could not start" in root.inner_text() and errors
    page.close()


@pytest.mark.parametrize("theme, dark", [("light", False), ("dark", True)])
def test_the_widget_follows_the_theme(chromium: Browser, tmp_path: Path, theme: str, dark: bool) -> None:
    page, _ = open_page(chromium, write_page(tmp_path, [TrainLive()], theme=theme))
    is_dark = "document.querySelector('.ntk-widget').classList.contains('ntk-dark')"
    assert page.evaluate(is_dark) is dark
    page.evaluate("(theme) => (document.documentElement.dataset.theme = theme)", "light" if dark else "dark")
    page.wait_for_function(f"{is_dark} === {str(not dark).lower()}")
    page.close()

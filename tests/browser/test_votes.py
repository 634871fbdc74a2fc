"""The links of votes and decks: each opens the book where it says, a figure at its setting, a vote without answer."""

import re
from pathlib import Path
from urllib.parse import parse_qs

import pytest

pytestmark = [pytest.mark.site, pytest.mark.browser]

COURSE = Path(__file__).resolve().parents[2] / "course"
TEXTS = [path.read_text("utf-8") for name in ("votes", "deck") for path in COURSE.glob(f"modules/*/{name}.md")]
LINKS = {link for text in TEXTS for link in re.findall(r"\]\(([\w-]+\.html#[^)]+)\)", text)}
FIGURES = sorted(link for link in LINKS if "?" in link)
PLACES = sorted(LINKS - set(FIGURES))


def test_there_are_links():
    assert len(FIGURES) >= 15 and PLACES
    assert [link for link in FIGURES if "vote=1" in link]


@pytest.mark.parametrize("link", FIGURES)
def test_a_vote_opens_its_figure_at_the_setting(chromium, served, link):
    page = chromium.new_page()
    page.goto(f"{served}/book/{link}")
    name, _, setting = link.partition("#")[2].partition("?")
    figure = page.locator(f"[data-ntk-widget]#{name}[data-ntk-state=ready]")
    figure.wait_for()
    address = figure.get_by_role("link", name="Link to this setting").get_attribute("href")
    wanted = parse_qs(setting, keep_blank_values=True)
    vote = wanted.pop("vote", None)
    found = parse_qs(address.partition("?")[2], keep_blank_values=True)
    assert {key: found.get(key) for key in wanted} == wanted
    shown = figure.get_by_role("button", name="Show the readout").is_visible()
    assert shown == bool(vote)
    page.close()


@pytest.mark.parametrize("link", PLACES)
def test_a_place_of_the_book_is_there(chromium, served, link):
    page = chromium.new_page()
    page.goto(f"{served}/book/{link}")
    assert page.locator(f"#{link.partition('#')[2]}").count() == 1
    page.close()

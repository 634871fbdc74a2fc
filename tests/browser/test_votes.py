"""The links of the votes: each opens the figure at the setting that it names."""

import re
from pathlib import Path

import pytest

pytestmark = [pytest.mark.site, pytest.mark.browser]

COURSE = Path(__file__).resolve().parents[2] / "course"
VOTES = [path.read_text("utf-8") for path in COURSE.glob("modules/*/votes.md")]
LINKS = {link for text in VOTES for link in re.findall(r"\]\(([^)]+\.html#[^)]+)\)", text)}


def test_there_are_links():
    assert len(LINKS) >= 5


@pytest.mark.parametrize("link", sorted(LINKS))
def test_a_vote_opens_its_figure_at_the_setting(chromium, served, link):
    page = chromium.new_page()
    page.goto(f"{served}/book/{link}")
    name = link.partition("#")[2].partition("?")[0]
    figure = page.locator(f"[data-ntk-widget]#{name}[data-ntk-state=ready]")
    figure.wait_for()
    address = figure.get_by_role("link", name="Link to this setting").get_attribute("href")
    page.close()
    assert address == "#" + link.partition("#")[2]

"""The README's picture: the figure *train live* of the built site, some way into the training.

make book browser
python tools/cover.py     # writes book/cover.png
"""

from pathlib import Path

import browser
from ntksite.records import ROOT
from playwright.sync_api import FloatRect, sync_playwright

FIGURE = "[data-ntk-widget=train-live][data-ntk-state=ready][aria-busy=false]"
MARGIN = 16  # pixels around the figure


def take(site: Path, picture: Path) -> None:
    """With reduced motion the figure opens on a training that stands still: the picture is the same every time."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser.find(), args=["--no-sandbox"])
        page = chromium.new_page(
            viewport={"width": 1280, "height": 1200},
            device_scale_factor=2,
            reduced_motion="reduce",
            color_scheme="light",
        )
        page.goto((site / "book" / "networks.html").as_uri(), wait_until="load")
        figure = page.locator(FIGURE)
        figure.wait_for()
        box = figure.bounding_box()
        assert box is not None, "the figure is not shown"
        clip: FloatRect = {
            "x": box["x"] - MARGIN,
            "y": box["y"] - MARGIN,
            "width": box["width"] + 2 * MARGIN,
            "height": box["height"] + 2 * MARGIN,
        }
        page.screenshot(path=picture, clip=clip, full_page=True)
        chromium.close()


if __name__ == "__main__":
    take(ROOT / "_build" / "html", ROOT / "book" / "cover.png")

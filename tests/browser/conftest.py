"""What the browser tests share: one Chromium, and the built site served and from disk."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import browser as local_browser
import pytest
from playwright.sync_api import Browser, sync_playwright
from serving import serve

SITE = Path(__file__).resolve().parents[2] / "_build" / "html"


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    program = local_browser.find()
    assert program, "no browser; run `make browser`"
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=program, args=arguments)
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def site() -> Path:
    assert (SITE / "index.html").exists(), "the site is not built; run `make book`"
    return SITE


@pytest.fixture(scope="session")
def served(site: Path) -> Iterator[str]:
    with serve(site) as address:
        yield address

"""A reader's JupyterLab: one chapter comes out as the book, and every widget is alive."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pagecheck
import pytest
from playwright.sync_api import Browser
from reader import WITH_WIDGETS, Reader, keep_widgets, wrong_claims

pytestmark = [pytest.mark.slow, pytest.mark.site, pytest.mark.browser, pytest.mark.xdist_group("reader")]

WHOLE = "book/deriving"  # runs from top to bottom; of the others only what their widgets rest on
EACH_COMMIT = (WHOLE, "book/networks", "book/theorem-2-6")

SETTINGS = """
c.ServerApp.token = ""
c.ServerApp.password = ""
c.ServerApp.open_browser = False
c.ServerApp.allow_root = True
c.LabApp.expose_app_in_browser = True
c.LabApp.news_url = None
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, reader: Reader) -> Iterator[str]:
    """The address of a JupyterLab over the plain notebooks."""
    folder = tmp_path_factory.mktemp("lab")
    for document in WITH_WIDGETS:
        path = reader.write_notebook(document, folder)
        if document != WHOLE:
            keep_widgets(path, document)
    settings = folder / "settings" / "@jupyterlab" / "notebook-extension" / "tracker.jupyterlab-settings"
    settings.parent.mkdir(parents=True)
    settings.write_text(json.dumps({"windowingMode": "none"}))  # every output stays on the page
    (folder / "config.py").write_text(SETTINGS)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        reader.bin / "python",
        "-m",
        "jupyterlab",
        "--config=config.py",
        f"--port={port}",
        "--ServerApp.port_retries=0",
    ]
    # Without bars: on a slow machine one may show itself, which is no error.
    environment = reader.environment | {"JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"), "TQDM_DISABLE": "1"}
    with open(folder / "lab.log", "w") as log:
        server = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(120):
            assert server.poll() is None, (folder / "lab.log").read_text()
            try:
                urlopen(f"{address}/api/status")
                break
            except OSError:
                time.sleep(0.5)
        yield address
    finally:
        server.terminate()
        server.wait(30)


@pytest.mark.parametrize(
    "document",
    [name if name in EACH_COMMIT else pytest.param(name, marks=pytest.mark.nightly) for name in WITH_WIDGETS],
)
def test_notebook_is_alive_with_a_kernel(chromium: Browser, lab: str, document: str) -> None:
    name = Path(document).name
    page = chromium.new_page(viewport={"width": 1400, "height": 1600}, reduced_motion="reduce")
    page.set_default_timeout(180_000)  # JupyterLab is busy for long while it lays out a whole chapter
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{lab}/lab/workspaces/{name}/tree/{name}.ipynb")  # one of its own: no tabs of another notebook
    page.wait_for_selector(".jp-NotebookPanel .jp-CodeCell")
    page.wait_for_function("window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel")
    assert page.evaluate("window.jupyterapp.commands.execute('notebook:run-all-cells')")
    wrong = page.locator(
        '.jp-OutputArea-output[data-mime-type*="error"], .jp-OutputArea-output[data-mime-type*="stderr"]'
    )
    assert wrong.all_text_contents() == []
    executed = page.evaluate("window.jupyterapp.shell.currentWidget.context.model.toJSON()")
    assert document != WHOLE or wrong_claims(executed, document) == []

    views = page.locator('.jp-OutputArea-output[data-mime-type="application/vnd.jupyter.widget-view+json"]').count()
    page.wait_for_function(
        """(views) => {
            const states = [...document.querySelectorAll("[data-ntk-widget]")].map((root) => root.dataset.ntkState);
            return states.length >= views && states.every((state) => state === "ready" || state === "error");
        }""",
        arg=views,
    )
    for root in page.locator("[data-ntk-widget]").all():
        assert root.get_attribute("data-ntk-state") == "ready"
        assert pagecheck.controls_change_picture(root) == []
    assert errors == []
    page.close()

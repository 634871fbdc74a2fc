"""The buttons that open a chapter to run it: what each does, what it wants, and how long it takes."""

from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

COLAB = "https://colab.research.google.com/github"
BRANCH = "colab"  # holds what `make colab` writes

LABELS = {
    "Binder": (
        "Binder: no account, 1 to 5 minutes",
        "Opens this chapter in JupyterLab on mybinder.org, which first sets up a machine.",
    ),
    "Colab": (
        "Colab: Google account, 1 minute",
        "Opens this chapter in Google Colab. Its first cell installs the package, which takes about a minute.",
    ),
}


def link(name: str, url: str) -> dict[str, str]:
    text, tooltip = LABELS[name]
    return {"type": "link", "text": text, "tooltip": tooltip, "url": url}


def offer(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None) -> None:
    """Say more of the theme's button for Binder, and put one for Colab beside it."""
    host, _, repository = app.config.html_theme_options.get("repository_url", "").rpartition("github.com/")
    for group in context.get("header_buttons", []):
        if group.get("label") == "launch-buttons":
            buttons = [link(button["text"], button["url"]) for button in group["buttons"]]
            if host:
                buttons.append(link("Colab", f"{COLAB}/{repository}/blob/{BRANCH}/{Path(page).name}.ipynb"))
            group |= {"tooltip": "Run this chapter", "buttons": buttons}


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("html-page-context", offer, priority=600)  # after the theme's, which makes the buttons
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}

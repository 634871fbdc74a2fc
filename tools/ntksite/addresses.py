"""What CITATION.cff says, where the theme looks for it; no button or link leads to an address that is not there yet."""

from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.config import Config

from ntksite.citation import read_citation

BRANCH = "main"


def configure(app: Sphinx, config: Config) -> None:
    citation = read_citation(Path(app.srcdir))
    config.author, config.copyright = ", ".join(citation.authors), ""
    config.html_baseurl = citation.site  # of canonical links; without it there are none
    options = config.html_theme_options
    if citation.repository:
        options |= {"repository_url": citation.repository, "repository_branch": BRANCH}
        options |= {"use_repository_button": True, "use_issues_button": True}
    else:
        options.pop("launch_buttons", None)


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("config-inited", configure)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}

"""What pyproject.toml cannot say itself: authors and addresses, which stand in CITATION.cff alone.

The build of the package (hatchling) calls it. While an address is a placeholder there is none in the metadata.
"""

import re
import runpy
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

HERE = Path(__file__).parent
# The file alone: the rest of its package needs Sphinx.
read_citation = runpy.run_path(str(HERE / "ntksite" / "citation.py"))["read_citation"]


class CitationHook(MetadataHookInterface):
    def update(self, metadata: dict[str, Any]) -> None:
        citation = read_citation(HERE.parent)
        metadata["authors"] = [{"name": name} for name in citation.authors]
        metadata["urls"] = urls(citation.site, citation.repository)
        text = (HERE.parent / "README.md").read_text("utf-8")
        metadata["readme"] = {"content-type": "text/markdown", "text": absolute(text, citation.repository)}


def urls(site: str, repository: str) -> dict[str, str]:
    found = {"Documentation": site} if site else {}
    if repository:
        changelog = f"{repository}/blob/main/CHANGELOG.md"
        found |= {"Repository": repository, "Issues": f"{repository}/issues", "Changelog": changelog}
    return found


def absolute(text: str, repository: str) -> str:
    """The text with links into the repository that hold elsewhere too, where the repository has an address."""
    if not repository:
        return text
    link = r"(!?)(\[[^\]]*\])\((?!https?:|#)([^)\s]+)\)"
    return re.sub(
        link, lambda found: f"{found[1]}{found[2]}({repository}/{'raw' if found[1] else 'blob'}/main/{found[3]})", text
    )

"""What a person has to set before anything is published: `make named` for the site, `make ready` for a release.

In a workflow that a tag has started, the tag has to be the version.
"""

import os
import re
import sys
from pathlib import Path

from ntksite.citation import read_citation
from ntksite.records import ROOT

from release import versions


def placeholders(root: Path) -> list[str]:
    """What CITATION.cff does not say yet."""
    citation = read_citation(root)
    missing = {
        "authors (given-names, family-names)": citation.authors == (f"The {versions.project(root)['name']} authors",),
        "repository-code (the address of the repository)": not citation.repository,
        "url (the address of the site)": not citation.site,
    }
    return [
        f"CITATION.cff: set {entry}; a placeholder stands there" for entry, is_missing in missing.items() if is_missing
    ]


def unreleased(root: Path, tag: str | None) -> list[str]:
    """Where version, changelog and tag do not agree on a release."""
    version = versions.project(root)["version"]
    dated = rf"^## {re.escape(version)} \(\d{{4}}-\d\d-\d\d\)$"
    wrong = versions.package(root)
    if not wrong and not re.search(dated, (root / "CHANGELOG.md").read_text(), flags=re.M):
        wrong.append(f"CHANGELOG.md: give {version} its date, ## {version} (YYYY-MM-DD)")
    if tag not in (None, f"v{version}"):
        wrong.append(f"The tag is {tag}, the version in pyproject.toml {version}: the tag must be v{version}")
    return wrong


def main() -> None:
    wrong = placeholders(ROOT)
    if "--release" in sys.argv:
        tagged = os.environ.get("GITHUB_REF_TYPE") == "tag"
        wrong += unreleased(ROOT, os.environ["GITHUB_REF_NAME"] if tagged else None)
    if wrong:
        sys.exit("\n".join(["Nothing is published yet (RELEASING.md):", *wrong]))


if __name__ == "__main__":
    main()

"""`make recipe`: the recipe for conda-forge, made from pyproject.toml, CITATION.cff and the source in dist/."""

import hashlib
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import yaml
from ntksite.citation import read_citation
from ntksite.records import ROOT
from packaging.requirements import Requirement

from release.ready import placeholders


def conda(requirement: str) -> str:
    """A requirement as conda writes it."""
    parsed = Requirement(requirement)
    if parsed.extras or parsed.marker:
        raise ValueError(f"a recipe has no word for the extras or the marker of {requirement!r}")
    return f"{parsed.name.lower()} {parsed.specifier}".strip()


def recipe(root: Path, source: Path) -> dict[str, Any]:
    settings = tomllib.loads((root / "pyproject.toml").read_text())
    project, citation = settings["project"], read_citation(root)
    lowest, beyond = re.findall(r"3\.\d+", project["requires-python"])
    archive = f"{citation.repository}/releases/download/v${{{{ version }}}}/{project['name']}-${{{{ version }}}}.tar.gz"
    return {
        "schema_version": 1,
        "context": {"version": project["version"], "python_min": lowest},
        "package": {"name": project["name"], "version": "${{ version }}"},
        "source": {
            "url": archive,
            "sha256": hashlib.sha256(source.read_bytes()).hexdigest(),
        },
        "build": {"number": 0, "noarch": "python", "script": "${{ PYTHON }} -m pip install . -vv --no-deps"},
        "requirements": {
            "host": ["python ${{ python_min }}.*", "pip", *map(conda, settings["build-system"]["requires"])],
            "run": [f"python >=${{{{ python_min }}}},<{beyond}", *map(conda, project["dependencies"])],
        },
        "tests": [{"python": {"imports": [project["name"]], "python_version": "${{ python_min }}.*"}}],
        "about": {
            "homepage": citation.site,
            "repository": citation.repository,
            "summary": project["description"],
            "license": project["license"],
            "license_file": "LICENSE",
        },
        "extra": {"recipe-maintainers": [citation.repository.split("/")[-2]]},
    }


def main() -> None:
    if wrong := placeholders(ROOT):
        sys.exit("\n".join(["No recipe without addresses (RELEASING.md):", *wrong]))
    (source,) = (ROOT / "dist").glob("*.tar.gz")
    path = ROOT / "_build" / "recipe" / "recipe.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(recipe(ROOT, source), sort_keys=False, width=120))
    print(f"The recipe: {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()

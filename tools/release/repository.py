"""What the repository may not hold. Each check returns what is wrong, a line each."""

import hashlib
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import yaml

# in parts, so that this file does not name them
REGISTRIES = [
    ".".join(parts) for parts in (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("npmjs", "com"))
]


def tracked(root: Path) -> list[Path]:
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, text=True, check=True).stdout
    return [root / name for name in listing.split("\0") if name and (root / name).is_file()]


def registries(root: Path) -> list[str]:
    """No file names a package registry."""
    contents = ((path, path.read_bytes()) for path in tracked(root))
    return [
        f"{path.relative_to(root)} names {host}"
        for path, text in contents
        for host in REGISTRIES
        if host.encode() in text
    ]


def vendored(root: Path) -> list[str]:
    """The files of others are those whose sums were noted when they came."""
    vendor = root / "_vendor" / "vendor"
    lines = (line.split("  ") for line in (vendor / "SHA256SUMS").read_text().splitlines())
    noted = {name: digest for digest, name in lines}
    files = {f"./{path.relative_to(vendor)}" for path in vendor.rglob("*") if path.is_file()} - {"./SHA256SUMS"}
    wrong = [f"{name} is {'there' if name in files else 'noted'} alone" for name in sorted(files ^ set(noted))]
    for name in sorted(files & set(noted)):
        if hashlib.sha256((vendor / name).read_bytes()).hexdigest() != noted[name]:
            wrong.append(f"{name} has changed")
    return wrong


def repeated_addresses(root: Path) -> list[str]:
    """Authors and addresses stand in CITATION.cff alone; the tests have their own."""
    citation = yaml.safe_load((root / "CITATION.cff").read_text())
    names = [author.get("name") or author["family-names"] for author in citation["authors"]]
    once = [citation["repository-code"], citation["url"], *names]
    return [
        f"{path.relative_to(root)} repeats {item!r}"
        for path in tracked(root)
        if path.name != "CITATION.cff" and not {"tests", "_vendor"} & set(path.relative_to(root).parts)
        for item in once
        if item in path.read_text(errors="ignore")
    ]


def dead_links(root: Path) -> list[str]:
    """Every relative link and every picture of the files that a visitor of the repository reads leads to a file."""
    return [
        f"{page.name}: {target} is not there"
        for page in sorted(root.glob("*.md"))
        for target in relative_targets(page.read_text())
        if not (root / target).exists()
    ]


def relative_targets(text: str) -> Iterator[str]:
    prose = re.sub(r"^(`{3,}).*?^\1`*$|`[^`\n]+`(?!\])", "", text, flags=re.S | re.M)
    for target in re.findall(r"\]\(([^)\s]+)\)|<(?:img|a)\b[^>]*?(?:src|href)=\"([^\"]+)\"", prose):
        parts = urlsplit("".join(target))
        if not parts.scheme and parts.path:
            yield parts.path

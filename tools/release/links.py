"""`make links`: whether the addresses on the site and in the repository's texts still answer.

What says "not found" or has no host is dead. What refuses a program, or is down today, is only named.
"""

import re
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from pathlib import Path

from ntksite.citation import address
from ntksite.records import ROOT

DEAD = (404, 410)
HERE = re.compile(r"https?://(localhost|127\.0\.0\.1)\b")
PATIENCE = 30  # seconds


def texts(root: Path) -> list[Path]:
    return [*root.glob("*.md"), root / "CITATION.cff", *sorted((root / "_build" / "html").rglob("*.html"))]


def linked(path: Path) -> Iterator[str]:
    """The addresses that a page, a Markdown file or CITATION.cff leads to."""
    text = path.read_text("utf-8")
    pattern = r'(?:href|src)="(https?://[^"#]+)' if path.suffix == ".html" else r"(?<![`\w])(https?://[^\s)>#\"'`]+)"
    return (unescape(found) for found in re.findall(pattern, text))


def external(paths: list[Path]) -> dict[str, Path]:
    """Each address with a file that leads to it; placeholders and this machine's own are left out."""
    found = ((link, path) for path in paths for link in linked(path))
    return {link: path for link, path in found if address(link) and not HERE.match(link)}


def fault(link: str) -> tuple[bool, str]:
    """Whether an address is dead, and what it says where it does not simply answer."""
    request = urllib.request.Request(link, headers={"User-Agent": "Mozilla/5.0 (link check of a book)"})
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE):
            return False, ""
    except urllib.error.HTTPError as error:
        return error.code in DEAD, f"{error.code} {error.reason}"
    except urllib.error.URLError as error:
        return True, str(error.reason)
    except OSError as error:
        return False, str(error)


def main() -> None:
    links = external(texts(ROOT))
    with ThreadPoolExecutor(8) as pool:
        faults = dict(zip(links, pool.map(fault, links), strict=True))
    for link, (dead, said) in faults.items():
        if said:
            print(f"{'DEAD' if dead else 'look'}: {link} ({links[link].relative_to(ROOT)}): {said}")
    number = sum(dead for dead, _ in faults.values())
    print(f"{len(links)} external links, {number} of them dead")
    sys.exit(number > 0)


if __name__ == "__main__":
    main()

"""Pack the built site as one file to read without a network: _build/ntkbook-site.zip, which opens at index.html.

The same site gives the same file, byte for byte.
"""

import zipfile
from pathlib import Path

from ntksite.records import ROOT

SITE = ROOT / "_build" / "html"
ARCHIVE = ROOT / "_build" / "ntkbook-site.zip"
FOLDER = "ntkbook-site"
NOT_FOR_READERS = {".buildinfo", ".nojekyll", "404.html", "_sources", "objects.inv", "sitemap.xml"}


def pack(site: Path, archive: Path) -> None:
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in sorted(site.rglob("*")):
            inside = path.relative_to(site)
            if path.is_file() and inside.parts[0] not in NOT_FOR_READERS:
                entry = zipfile.ZipInfo(f"{FOLDER}/{inside.as_posix()}")
                entry.external_attr = 0o644 << 16
                packed.writestr(entry, path.read_bytes(), compress_type=zipfile.ZIP_DEFLATED)


if __name__ == "__main__":
    pack(SITE, ARCHIVE)
    print(f"To read without a network: {ARCHIVE.relative_to(ROOT)} ({ARCHIVE.stat().st_size / 1e6:.1f} MB)")

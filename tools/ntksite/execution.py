"""How chapters are executed: with a kernel profile of the book's own, and outside CI through a cache.

A chapter is kept until its code, the package, the lock or the stored results change.
"""

import hashlib
import os
import shutil
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.environment import BuildEnvironment

from ntksite.records import documents


def execution_key(root: Path) -> str:
    """Hash of what, besides its own text, a chapter's outputs depend on: package, lock, stored results."""
    files = [root / "requirements.lock"]
    for folder in ("src", "book/results"):
        files += (path for path in (root / folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(f"{path.relative_to(root)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def use_cache(app: Sphinx, config: Config) -> None:
    """Outside CI, execute through the cache of the present key; those of other keys are removed."""
    if os.environ.get("CI"):
        return
    caches = Path(app.outdir).parent / "execution"
    cache = caches / execution_key(Path(app.srcdir))
    for other in caches.glob("*"):
        if other != cache:
            shutil.rmtree(other)
    config.nb_execution_mode = "cache"
    config.nb_execution_cache_path = str(cache)


def use_own_profile(app: Sphinx, config: Config) -> None:
    """Kernels run with a profile of the book's own: nothing of the user's, only errors in the log, no bars."""
    profile = Path(app.outdir).parent / "ipython" / "profile_default"
    profile.mkdir(parents=True, exist_ok=True)
    (profile / "ipython_kernel_config.py").write_text("c.IPKernelApp.log_level = 40\n")
    os.environ["IPYTHONDIR"] = str(profile.parent)
    os.environ["TQDM_DISABLE"] = "1"  # a page tells the same at every build


def read_in_order(app: Sphinx, env: BuildEnvironment, docnames: list[str]) -> None:
    """Chapters are read, and so executed, in the order of the table of contents."""
    order = documents(Path(app.srcdir))
    docnames.sort(key=lambda name: order.index(name) if name in order else len(order))


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("config-inited", use_cache)
    app.connect("config-inited", use_own_profile)
    app.connect("env-before-read-docs", read_in_order, priority=400)
    return {"version": "1", "parallel_read_safe": False, "parallel_write_safe": True}

"""`make binder`: ask Binder to build the commit, so that the first reader who opens a chapter there need not wait."""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import yaml
from ntksite.citation import read_citation
from ntksite.records import ROOT

PATIENCE = 600  # seconds without a word


def phases(hub: str, repository: str, commit: str) -> Iterator[tuple[str, str]]:
    """What the hub says of the build, until it is there or has failed: (phase, message)."""
    name = repository.removeprefix("https://github.com/")
    with urllib.request.urlopen(f"{hub}/build/gh/{name}/{commit}", timeout=PATIENCE) as lines:
        for line in lines:
            if line.startswith(b"data:"):
                event = json.loads(line.removeprefix(b"data:"))
                yield event.get("phase", ""), event.get("message", "").rstrip()
                if event.get("phase") in ("built", "launching", "ready", "failed"):
                    return


def hub(root: Path) -> str:
    return str(yaml.safe_load((root / "_config.yml").read_text())["launch_buttons"]["binderhub_url"])


def main() -> None:
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True)
    told = []
    for phase, message in phases(hub(ROOT), read_citation(ROOT).repository, head.stdout.strip()):
        print(message, flush=True)
        told.append(phase)
    if not told or told[-1] == "failed":
        sys.exit("Binder built nothing.")


if __name__ == "__main__":
    main()

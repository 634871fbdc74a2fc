"""`{claims}`, the tables of what the chapters assert; claims.json, the same for machines."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from ntksite.records import Record, executed_records
from ntksite.tables import row, table

logger = logging.getLogger(__name__)


def comparison(fields: dict[str, Any]) -> tuple[str, str]:
    """The last two columns of a claim: what was predicted, and how near the measured value has to be."""
    match fields["kind"]:
        case "bound":
            return f"at most {fields['predicted']:.4g}", ""
        case "at least":
            return f"at least {fields['predicted']:.4g}", ""
        case "identity":
            return "0", f"{fields['tolerance']:.1g}"
        case _:
            return f"{fields['predicted']:.4g}", f"{fields['tolerance']:.2g}"


def read_last(app: Sphinx, env: BuildEnvironment, docnames: list[str]) -> None:
    """Claims come from the chapters' outputs: their pages are read after all others, and whenever one has changed."""
    pages: set[str] = getattr(env, "ntk_claims_pages", set())
    if docnames:
        docnames[:] = [name for name in docnames if name not in pages] + sorted(pages)


class Claims(SphinxDirective):
    """`{claims} (2.1); (2.2)`: a table of what the chapters assert of these statements; without any, of the rest.

    A statement of which nothing is asserted is a warning.
    """

    optional_arguments = 1
    final_argument_whitespace = True
    columns = {"Claim": 46, "Equation": 12, "Measured": 11, "Predicted": 11, "Tolerance": 10, "Where": 10}

    def run(self) -> list[nodes.Node]:
        if not hasattr(self.env, "ntk_claims_pages"):
            self.env.ntk_claims_pages = set()  # type: ignore[attr-defined]
        self.env.ntk_claims_pages.add(self.env.docname)  # type: ignore[attr-defined]

        records = self.chosen()
        left_out = {"Equation"} if len(self.statements) == 1 else set()  # it stands in the heading
        columns = {name: width for name, width in self.columns.items() if name not in left_out}
        cells = [dict(zip(self.columns, self.entries(record), strict=True)) for record in records]
        return [table(columns, [row([of[name] for name in columns]) for of in cells], "ntk-claims")]

    @property
    def statements(self) -> list[str]:
        return [name.strip() for name in self.arguments[0].split(";")] if self.arguments else []

    def chosen(self) -> list[Record]:
        claims = [record for record in executed_records(Path(self.env.srcdir)) if record.type == "claim"]
        shown: set[str] = self.env.temp_data.setdefault("ntk_claims_shown", set())
        if not self.statements:
            return [record for record in claims if record.fields["equation"] not in shown]
        shown |= set(self.statements)
        chosen = [record for record in claims if record.fields["equation"] in self.statements]
        for name in set(self.statements) - {record.fields["equation"] for record in chosen}:
            logger.warning("no chapter makes a claim about %r", name, location=self.get_location())
        return chosen

    def entries(self, record: Record) -> list[list[nodes.Node]]:
        fields = record.fields
        predicted, tolerance = comparison(fields)
        address = self.env.app.builder.get_relative_uri(self.env.docname, record.chapter)
        title = re.split("[:,]", self.env.titles[record.chapter].astext())[0]
        where = nodes.reference("", f"{title}, cell {record.cell}", internal=True)
        where["refuri"] = f"{address}#claim-{record.id}"
        return [
            [nodes.Text(fields["statement"])],
            [nodes.Text(fields["equation"])],
            [nodes.Text(f"{fields['measured']:.4g}")],
            [nodes.Text(predicted)],
            [nodes.Text(tolerance)],
            [where],
        ]


def write_claims(app: Sphinx, exception: Exception | None) -> None:
    """Write claims.json, for machines. It knows four kinds: "at least" becomes a bound of the negative."""
    if exception is not None:
        return
    claims = []
    for record in executed_records(Path(app.srcdir)):
        if record.type == "claim":
            where = {"id": record.id, "chapter": record.chapter, "cell": record.cell}
            names = ("equation", "statement", "kind", "measured", "predicted", "tolerance")
            fields = {name: record.fields[name] for name in names}
            if fields["kind"] == "at least":
                turned = {name: -fields[name] for name in ("measured", "predicted")}
                fields |= turned | {"kind": "bound", "statement": f"minus: {fields['statement']}"}
            claims.append(where | fields)
    (Path(app.outdir) / "claims.json").write_text(json.dumps(claims, indent=1) + "\n")


def check_ids(app: Sphinx, env: BuildEnvironment) -> None:
    counts = Counter(record.id for record in executed_records(Path(app.srcdir)))
    for name, count in counts.items():
        if count > 1:
            logger.warning("the claim or quote %r is made %d times; each needs an id of its own", name, count)


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("claims", Claims)
    app.connect("env-before-read-docs", read_last)
    app.connect("env-check-consistency", check_ids)
    app.connect("build-finished", write_claims)
    return {"version": "1", "env_version": 1, "parallel_read_safe": False, "parallel_write_safe": True}

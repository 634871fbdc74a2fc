"""Plain notebooks from the book's MyST chapters.

In JupyterLab a chapter reads as on its page. What the converter (ntksite.notebooks) does not know, it refuses, so that
no raw directive reaches a reader.

    python tools/notebooks.py                                          # every chapter, into notebooks/
    python tools/notebooks.py --without-solutions book/networks.md     # for a class
    python tools/notebooks.py --in-place                               # as Markdown notebooks: what Binder opens
    python tools/notebooks.py --colab -o _build/colab                  # with the last build's outputs: for Colab
    python tools/notebooks.py --colab --needs otter-grader==7.0.0 -o elsewhere set.ipynb   # a problem set, no chapter

What `--colab` writes runs on Binder as well, and wherever there is Python: its first cell installs what is missing.
"""

import argparse
from pathlib import Path

import jupytext
import nbformat
from ntksite.notebooks import Book, for_colab, install_source, plain_notebook, write_for_colab, write_in_place
from ntksite.records import ROOT, executed_values, expected_values


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "chapters", nargs="*", help="sources such as book/networks.md, or notebooks; without any: all chapters"
    )
    parser.add_argument("-o", "--output", type=Path, default=Path("notebooks"), help="the folder to write to")
    parser.add_argument("--format", choices=["ipynb", "md"], default="ipynb")
    parser.add_argument("--without-solutions", action="store_true", help="leave out every answer: for a class")
    parser.add_argument("--in-place", action="store_true", help="convert every document where it stands (Binder)")
    parser.add_argument("--colab", action="store_true", help="every chapter as last built, or the notebooks, for Colab")
    parser.add_argument(
        "--needs", action="append", default=[], help="what the first cell of a notebook installs besides"
    )
    arguments = parser.parse_args()

    if arguments.colab and arguments.chapters:
        arguments.output.mkdir(parents=True, exist_ok=True)
        for path in map(Path, arguments.chapters):
            notebook = for_colab(nbformat.read(path, as_version=4), install_source(ROOT), *arguments.needs)
            nbformat.write(notebook, arguments.output / path.name)
            print(arguments.output / path.name)
        return
    if arguments.colab:
        write_for_colab(Book(ROOT, executed_values()), arguments.output, install_source(ROOT))
        print(f"The notebooks for Colab: {arguments.output}")
        return

    book = Book(ROOT, expected_values(ROOT))
    if arguments.in_place:
        write_in_place(book)
        return
    chosen = [Path(chapter).resolve().relative_to(ROOT).with_suffix("").as_posix() for chapter in arguments.chapters]
    arguments.output.mkdir(parents=True, exist_ok=True)
    for document in chosen or book.executable():
        notebook = plain_notebook(book, document, solutions=not arguments.without_solutions)
        path = arguments.output / f"{Path(document).name}.{arguments.format}"
        jupytext.write(notebook, path, fmt="md:markdown" if arguments.format == "md" else "ipynb")
        print(path)


if __name__ == "__main__":
    main()

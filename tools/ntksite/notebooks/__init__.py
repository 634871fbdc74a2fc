"""Plain notebooks from the book's MyST chapters: what a reader downloads, opens on Binder, or hands to a class.

`myst` reads the sources, `book` knows what the documents call each other by, `markdown` writes, `outputs` adds what
the build saw, `colab` what Colab needs. No Sphinx is needed.
"""

from ntksite.notebooks.book import Book
from ntksite.notebooks.colab import for_colab, install_source, write_for_colab
from ntksite.notebooks.markdown import plain_notebook, write_in_place, write_notebooks
from ntksite.notebooks.myst import ConversionError

__all__ = [
    "Book",
    "ConversionError",
    "for_colab",
    "install_source",
    "plain_notebook",
    "write_for_colab",
    "write_in_place",
    "write_notebooks",
]

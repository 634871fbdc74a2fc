"""What the widgets share: the module text of a widget, its data, and its answers to the page."""

from __future__ import annotations

import logging
from importlib.resources import files
from typing import Any, ClassVar

import numpy as np

from ntkbook._extras import book_extra

with book_extra("ntkbook.widgets"):
    import anywidget
    import traitlets

__all__ = ["BookWidget", "module_text"]


def module_text(*names: str) -> str:
    """The text of one ES module: the shared script, then the named files of ``js/``.

    anywidget and the static page load a module from its text alone, so that it cannot import its neighbours.
    """
    return "\n".join(_read(f"{name}.js") for name in ("common", *names))


def _read(name: str) -> str:
    return (files("ntkbook.widgets") / "js" / name).read_text(encoding="utf-8")


class BookWidget(anywidget.AnyWidget):
    """A widget that carries its data as one float32 array and can ask Python for more.

    Attributes
    ----------
    meta
        What the page must know to read the data: names, axes, shapes. JSON.
    data
        The array, float32, little-endian, in C order.
    """

    meta = traitlets.Dict().tag(sync=True)
    data = traitlets.Bytes().tag(sync=True)

    _esm: ClassVar[str]
    _css: ClassVar[str] = _read("widget.css")

    def __init__(self, meta: dict[str, Any], data: np.ndarray | None = None) -> None:
        super().__init__(meta=meta, data=b"" if data is None else as_bytes(data))
        self.on_msg(self._receive)

    def answer(self, request: dict[str, Any]) -> tuple[dict[str, Any], np.ndarray]:
        """What the page asks for, as (meta, array); a subclass that computes says how."""
        raise ValueError(f"{type(self).__name__} computes nothing on request, got {request!r}.")

    def _receive(self, _widget: object, content: dict[str, Any], _buffers: list[bytes]) -> None:
        if content.get("type") != "compute":
            return
        try:
            meta, array = self.answer(content)
        except Exception as error:  # the page shows the message; the log keeps the trace
            logging.getLogger(__name__).exception("a widget's request failed")
            self.send({"type": "error", "id": content.get("id"), "message": str(error)})
        else:
            self.send({"type": "result", "id": content.get("id"), "meta": meta}, [as_bytes(array)])


def as_bytes(array: np.ndarray) -> bytes:
    """The array as float32, little-endian, in C order."""
    return np.ascontiguousarray(array, dtype="<f4").tobytes()

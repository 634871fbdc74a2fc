"""What the widgets share: their names, their data, and their answers to the page."""

from __future__ import annotations

import html
import logging
import re
from typing import Any, ClassVar

import numpy as np

from ntkbook._extras import book_extra

with book_extra("ntkbook.widgets"):
    import anywidget
    import traitlets

from ntkbook.widgets._modules import SCRIPTS, module_text

__all__ = ["BookWidget", "module_text"]

QUESTION = re.compile(r'^    question: "(.+)",$', re.MULTILINE)


class BookWidget(anywidget.AnyWidget):
    """A widget that carries its data as one float32 array and can ask Python for more.

    A subclass with a script stands in `BookWidget.registry` from its definition on, under its name: "train-live" for
    ``TrainLive``.

    Attributes
    ----------
    meta
        What the page must know to read the data: names, axes, shapes. JSON.
    data
        The array, float32, little-endian, in C order.
    """

    meta = traitlets.Dict().tag(sync=True)
    data = traitlets.Bytes().tag(sync=True)

    #: All widgets by name.
    registry: ClassVar[dict[str, type[BookWidget]]] = {}
    #: As in the page, where the root element has it as ``data-ntk-widget``.
    name: ClassVar[str]
    #: What it asks, as its script says.
    question: ClassVar[str]

    _esm: ClassVar[str]
    _css: ClassVar[str] = (SCRIPTS / "widget.css").read_text(encoding="utf-8")

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        if isinstance(vars(cls).get("_esm"), str):  # not the class that traitlets derives for every single object
            cls.name = re.sub(r"(?<=.)(?=[A-Z])", "-", cls.__name__).lower()
            question = QUESTION.search(cls._esm)
            cls.question = question[1] if question else ""
            BookWidget.registry[cls.name] = cls

    def __init__(self, meta: dict[str, Any], data: np.ndarray | None = None) -> None:
        super().__init__(meta=meta, data=b"" if data is None else as_bytes(data))
        self.on_msg(self._receive)

    def _repr_mimebundle_(self, **keywords: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """The live figure, and its name and question for what cannot show it."""
        data, metadata = super()._repr_mimebundle_(**keywords) or ({}, {})
        title = self.name.replace("-", " ").capitalize()
        data["text/plain"] = f"{title}: {self.question}"
        data["text/html"] = f"<p><strong>{html.escape(title)}</strong>: {html.escape(self.question)}</p>"
        return data, metadata

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

"""Compared tables as text. Each format is a module here of the same name, with a function `render`."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass

from reproduce.render.content import ComparedTable, Drawing

FORMATS = ("terminal", "md", "html", "tex", "csv", "json")
ILLUSTRATED = ("md", "html", "tex")  # formats that show a table's figure

__all__ = ["FORMATS", "ILLUSTRATED", "ComparedTable", "Drawing", "Screen", "render"]


@dataclass(frozen=True)
class Screen:
    """The terminal or file that a text is written for.

    Args:
        width: Width in characters; below about 100, row labels stand above their cells instead of beside them.
        colour: Whether the terminal shows colour.
        encoding: Encoding of the text. Characters that it lacks are replaced.
        deviations: Whether a terminal lists the deviations; the other formats always do.
    """

    width: int = 110
    colour: bool = False
    encoding: str = "utf-8"
    deviations: bool = False


def render(tables: Sequence[ComparedTable], format: str, screen: Screen = Screen()) -> str:
    """Render tables as one text; a pure function.

    Args:
        tables: Compared tables, at least one.
        format: One of `FORMATS`.
        screen: Terminal or file that the text is written for.

    Returns:
        Text that ends with a line end.

    Raises:
        ValueError: The format is unknown.
    """
    if format not in FORMATS:
        raise ValueError(f"Expected `format` to be one of {', '.join(FORMATS)}, but got '{format}'.")
    text: str = importlib.import_module(f"{__name__}.{format}").render(tables, screen)
    if format == "html":  # HTML can write any character in any encoding
        return text.encode(screen.encoding, "xmlcharrefreplace").decode(screen.encoding)
    if screen.encoding.lower().replace("-", "").startswith("utf"):
        return text
    # Replacements have the same width, so that columns stay aligned.
    return text.replace("± ", "+-").replace("─", "-").encode(screen.encoding, "replace").decode(screen.encoding)

"""Compared tables as text. A format is a module here, of the same name, with a function `render`."""

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
    """Where a text is shown.

    Args:
        width: in characters; where it is short of some 100, row labels stand above their cells instead of beside them.
        colour: whether the terminal shows colour.
        encoding: that the text is written in. Signs that it lacks are replaced.
    """

    width: int = 110
    colour: bool = False
    encoding: str = "utf-8"


def render(tables: Sequence[ComparedTable], format: str, screen: Screen = Screen()) -> str:
    """Turn tables into one text; pure.

    Args:
        tables: at least one, each with everything that is said of it.
        format: one of `FORMATS`.
        screen: where the text is shown.

    Returns:
        The text, with a line end at its end.

    Raises:
        ValueError: the format is unknown.
    """
    if format not in FORMATS:
        raise ValueError(f"Expected `format` to be one of {', '.join(FORMATS)}, but got '{format}'.")
    text: str = importlib.import_module(f"{__name__}.{format}").render(tables, screen)
    if format == "html":  # it can name any sign in any encoding
        return text.encode(screen.encoding, "xmlcharrefreplace").decode(screen.encoding)
    if screen.encoding.lower().replace("-", "").startswith("utf"):
        return text
    # Replacements of equal width, so that the columns stay in line.
    return text.replace("± ", "+-").replace("─", "-").encode(screen.encoding, "replace").decode(screen.encoding)

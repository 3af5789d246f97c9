"""Compared tables as text: for a terminal, for GitHub, for a browser, for a paper, for machines."""

from __future__ import annotations

from collections.abc import Sequence

from reproduce.render.rendered import Deviation, Drawing, Rendered

FORMATS = ("terminal", "md", "html", "tex", "csv", "json")
ILLUSTRATED = ("md", "html", "tex")  # formats that show a table's figure

__all__ = ["FORMATS", "ILLUSTRATED", "Deviation", "Drawing", "Rendered", "render"]


def render(tables: Sequence[Rendered], format: str, *, width: int = 110, colour: bool = False, encoding: str = "utf-8") -> str:
    """Turn tables into one text; pure.

    Args:
        tables: at least one, each with everything that is said of it.
        format: one of `FORMATS`.
        width: of the terminal in characters; where it is short of some 100, row labels stand above their cells instead of beside them.
        colour: whether the terminal shows colour.
        encoding: what the text has to be written in; outside Unicode, the signs beyond ASCII are replaced.

    Returns:
        The text, with a line end at its end.

    Raises:
        ValueError: where the format is unknown.
    """
    if format == "terminal":
        from reproduce.render.terminal import terminal

        text = terminal(tables, width=width, colour=colour)
    elif format == "md":
        from reproduce.render.markdown import markdown

        text = markdown(tables)
    elif format == "html":
        from reproduce.render.page import page

        return page(tables).encode(encoding, "xmlcharrefreplace").decode(encoding)
    elif format == "tex":
        from reproduce.render.latex import latex

        text = latex(tables)
    elif format == "csv":
        from reproduce.render.machine import lines

        text = lines(tables)
    elif format == "json":
        from reproduce.render.machine import machine

        text = machine(tables)
    else:
        raise ValueError(f"Expected `format` to be one of {', '.join(FORMATS)}, but got '{format}'.")
    if encoding.lower().replace("-", "").startswith("utf"):
        return text
    # Replacements of equal width, so that the columns stay in line.
    return text.replace("± ", "+-").replace("─", "-").encode(encoding, "replace").decode(encoding)

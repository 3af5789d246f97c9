"""Cells of tables as csv, one line per cell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from reproduce.render.json import clean
from reproduce.verdicts.compare import CELL_FIELDS

if TYPE_CHECKING:
    from reproduce.render import Screen
    from reproduce.render.content import ComparedTable


def render(tables: Sequence[ComparedTable], screen: Screen) -> str:
    """Render the cells of tables as csv, one line per cell.

    Args:
        tables: Compared tables, at least one.
        screen: Not used.

    Returns:
        One header and the cells. The columns are the table's name, the profile and the json's fields. Semicolons separate the members of a
        list; commas separate those of a list within a list.
    """
    first, *rest = map(_frame, tables)
    return "".join(frame.to_csv(index=False, header=frame is first, lineterminator="\n") for frame in (first, *rest))


def _frame(rendered: ComparedTable) -> pd.DataFrame:
    import pandas as pd  # imported here, because the import takes longer than rendering any other format

    base = {"table": rendered.table.id, "profile": rendered.profile}
    lines = [base | {field: _flat(getattr(cell, field)) for field in CELL_FIELDS} for cell in rendered.cells]
    return pd.DataFrame(lines, columns=[*base, *CELL_FIELDS], dtype=object)


def _flat(value: Any) -> Any:
    value = clean(value)
    if not isinstance(value, list):
        return value
    return "; ".join(", ".join(map(str, member)) if isinstance(member, list) else str(member) for member in value)

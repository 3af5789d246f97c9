"""The machine's forms of tables: json or csv, the same keys in the same order always."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from reproduce.compare import CELL_FIELDS

if TYPE_CHECKING:
    import pandas as pd

    from reproduce.render.rendered import Rendered

SCHEMA = 1


def machine(tables: Sequence[Rendered]) -> str:
    """Write tables as one json document.

    Args:
        tables: one or several.

    Returns:
        Of one table the object described in the README: `schema`, `table`, `paper`, `title`, `profile`, `cells`, `claims`, `deviations`;
        of several the array of theirs. Numbers that are missing or not finite are null.
    """
    documents = [_clean(_document(rendered)) for rendered in tables]
    return json.dumps(documents if len(documents) > 1 else documents[0], indent=2, allow_nan=False) + "\n"


def _document(rendered: Rendered) -> dict[str, Any]:
    table = rendered.table
    return {
        "schema": SCHEMA,
        "table": table.id,
        "paper": table.paper.id,
        "title": table.title,
        "profile": rendered.profile,
        "cells": [{field: record[field] for field in CELL_FIELDS} for record in rendered.cells],
        "claims": [{key: claim[key] for key in ("id", "text", "printed", "holds", "reason")} for claim in rendered.claims],
        "deviations": [{"id": deviation.id, "text": deviation.text} for deviation in rendered.deviations],
    }


def lines(tables: Sequence[Rendered]) -> str:
    """Write tables' cells as csv, one line a cell.

    Args:
        tables: one or several.

    Returns:
        One header and the cells: the json's fields after the table's name and the profile. Members of a list are separated by
        semicolons, those of a list within a list by commas.
    """
    first, *rest = map(_frame, tables)
    return "".join(frame.to_csv(index=False, header=frame is first, lineterminator="\n") for frame in (first, *rest))


def _frame(rendered: Rendered) -> pd.DataFrame:
    import pandas as pd  # here, because it takes longer to import than the other formats to write

    base = {"table": rendered.table.id, "profile": rendered.profile}
    lines = [base | {field: _flat(record[field]) for field in CELL_FIELDS} for record in rendered.cells]
    return pd.DataFrame(lines, columns=[*base, *CELL_FIELDS], dtype=object)


def _flat(value: Any) -> Any:
    value = _clean(value)
    if not isinstance(value, list):
        return value
    return "; ".join(", ".join(map(str, member)) if isinstance(member, list) else str(member) for member in value)


def _clean(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _clean(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(member) for member in value]
    if hasattr(value, "item"):  # a NumPy scalar
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value

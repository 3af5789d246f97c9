"""The machine's forms of a table: one json object or csv, the same keys in the same order always."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from reproduce.compare import CELL_FIELDS

if TYPE_CHECKING:
    from reproduce.render.rendered import Rendered

SCHEMA = 1


def machine(rendered: Rendered) -> str:
    """Write a table as json.

    Args:
        rendered: the table.

    Returns:
        The object described in the README: `schema`, `table`, `paper`, `title`, `profile`, `cells`, `claims`, `deviations`. Numbers that
        are missing or not finite are null.
    """
    table = rendered.table
    document = {
        "schema": SCHEMA,
        "table": table.id,
        "paper": table.paper.id,
        "title": table.title,
        "profile": rendered.profile,
        "cells": [{field: record[field] for field in CELL_FIELDS} for record in rendered.cells.to_dict("records")],
        "claims": [{key: claim[key] for key in ("id", "text", "printed", "holds", "reason")} for claim in rendered.claims],
        "deviations": [{"id": deviation.id, "text": deviation.text} for deviation in rendered.deviations],
    }
    return json.dumps(_clean(document), indent=2, allow_nan=False) + "\n"


def lines(rendered: Rendered) -> str:
    """Write a table's cells as csv, one line a cell.

    Args:
        rendered: the table.

    Returns:
        A header and the cells: the json's fields after the table's name and the profile, so that files may be put together. Members of a
        list are separated by semicolons, those of a list within a list by commas.
    """
    frame = rendered.cells[list(CELL_FIELDS)].map(_flat)
    frame.insert(0, "table", rendered.table.id)
    frame.insert(1, "profile", rendered.profile)
    return frame.to_csv(index=False, lineterminator="\n")


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

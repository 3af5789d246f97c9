"""Tables as json, always with the same keys in the same order."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from reproduce.verdicts.compare import CELL_FIELDS

if TYPE_CHECKING:
    from reproduce.render import Screen
    from reproduce.render.content import ComparedTable

SCHEMA = 1


def render(tables: Sequence[ComparedTable], screen: Screen) -> str:
    """Render tables as one json document.

    Args:
        tables: Compared tables, at least one.
        screen: Not used.

    Returns:
        For one table, the object described in the README: `schema`, `table`, `paper`, `title`, `profile`, `cells`, `claims`, `deviations`.
        For several tables, an array of such objects. Numbers that are missing or not finite are null.
    """
    documents = [clean(_document(rendered)) for rendered in tables]
    return json.dumps(documents if len(documents) > 1 else documents[0], indent=2, allow_nan=False) + "\n"


def _document(rendered: ComparedTable) -> dict[str, Any]:
    table = rendered.table
    return {
        "schema": SCHEMA,
        "table": table.id,
        "paper": table.paper.id,
        "title": table.title,
        "profile": rendered.profile,
        "cells": [{field: getattr(cell, field) for field in CELL_FIELDS} for cell in rendered.cells],
        "claims": list(rendered.claims),
        "deviations": [{"id": deviation.id, "text": deviation.text} for deviation in rendered.deviations],
    }


def clean(value: Any) -> Any:
    """Return a value that json can store: Python numbers instead of NumPy scalars, and None for numbers that are not finite."""
    if isinstance(value, dict):
        return {key: clean(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [clean(member) for member in value]
    if hasattr(value, "item"):  # a NumPy scalar
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value

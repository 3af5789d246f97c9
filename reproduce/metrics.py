"""Numbers that cells take from the metrics of a run's result."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproduce.table import Value


def metric(name: str, metrics: Mapping[str, Any]) -> Value:
    """Return a metric by its name."""
    value: Value = metrics[name]
    return value


def percent(name: str, metrics: Mapping[str, Any]) -> Value:
    """Return a metric from 0 to 1 in percent, or None where it was not to be had."""
    value: float | None = metrics[name]
    return None if value is None else 100 * value

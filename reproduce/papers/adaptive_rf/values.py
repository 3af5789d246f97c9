"""Numbers that cells of several tables take from a job's metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lightning_modules.layers.receptive_field import inflated_receptive_field
from reproduce.table import Value


def metric(name: str, metrics: Mapping[str, Any]) -> Value:
    """Return a metric by its name."""
    value: Value = metrics[name]
    return value


def learned_receptive_field(extent: int, metrics: Mapping[str, Any]) -> Value:
    """Return fc6's receptive field in the paper's network, by section 3.3 on the f learned here; `extent` is its kernel's, in cells."""
    return float(inflated_receptive_field(metrics["f"], extent))


def learned_receptive_fields(extent: int, metrics: Mapping[str, Any]) -> Value:
    """Return the same of every path, each on its own f."""
    return [float(inflated_receptive_field(factor, extent)) for factor in metrics["f"]]


def class_f(index: int, metrics: Mapping[str, Any]) -> Value:
    """Return a class's own F, from the confusion matrix."""
    matrix = metrics["confusion"]
    total = sum(matrix[index]) + sum(row[index] for row in matrix)
    return 2 * matrix[index][index] / total if total else None

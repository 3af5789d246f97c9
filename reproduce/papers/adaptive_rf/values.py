"""Numbers that cells of several tables take from a job's metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lightning_modules.layers.receptive_field import inflated_receptive_field
from reproduce.table import Value

FACTOR = "trajectory/f"  # in metrics.jsonl


def metric(name: str, metrics: Mapping[str, Any]) -> Value:
    """Return a metric by its name."""
    value: Value = metrics[name]
    return value


def percent(name: str, metrics: Mapping[str, Any]) -> Value:
    """Return a metric from 0 to 1 in percent, or None where there is none."""
    value: float | None = metrics[name]
    return None if value is None else 100 * value


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


def late_factors(metrics: Mapping[str, Any]) -> list[float]:
    """Return f over the last tenth of the training, from the curve, and at its end; nothing without a curve."""
    curve = [(line["step"], line[FACTOR]) for line in metrics["curve"] if FACTOR in line]
    last = max((step for step, _ in curve), default=0)
    return [f for step, f in curve if step >= 0.9 * last] + [metrics["f"]] if curve else []


def lowest_factor(metrics: Mapping[str, Any]) -> Value:
    """Return the lowest f over the last tenth of the training."""
    return min(late_factors(metrics), default=None)


def highest_factor(metrics: Mapping[str, Any]) -> Value:
    """Return the highest f over the last tenth of the training."""
    return max(late_factors(metrics), default=None)


def factor_range(metrics: Mapping[str, Any]) -> Value:
    """Return by how much f moves over the last tenth of the training."""
    factors = late_factors(metrics)
    return max(factors) - min(factors) if factors else None

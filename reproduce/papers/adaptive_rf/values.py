"""Numbers that cells of several tables take from a job's metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lightning_modules.layers.windows import inflated_receptive_field
from reproduce.table import Value

FACTOR = "trajectory/f"  # in metrics.jsonl


def by_section_3_3(extent: int, factor: Value | None) -> Value | None:
    """Return fc6's receptive field in the paper's network for an f, or for the f of every path; `extent` is the kernel's, in cells."""
    if isinstance(factor, list):
        return [float(inflated_receptive_field(each, extent)) for each in factor]
    return None if factor is None else float(inflated_receptive_field(factor, extent))


def learned_receptive_field(extent: int, metrics: Mapping[str, Any]) -> Value | None:
    """Return fc6's receptive field, as in `by_section_3_3`, for the f learned here."""
    return by_section_3_3(extent, metrics["f"])


def class_f(index: int, metrics: Mapping[str, Any]) -> Value | None:
    """Return the F of one class, from the confusion matrix."""
    matrix = metrics["confusion"]
    total = sum(matrix[index]) + sum(row[index] for row in matrix)
    return 2 * matrix[index][index] / total if total else None


def settled_factors(until: int, metrics: Mapping[str, Any]) -> list[float]:
    """Return the values of f in the second half of the steps before `until`. The learning rate then falls, and f can hardly move."""
    return [line[FACTOR] for line in metrics["curve"] if FACTOR in line and until / 2 <= line["step"] < until]


def lowest_factor(until: int, metrics: Mapping[str, Any]) -> Value | None:
    """Return the lowest settled factor, or None if the training has not come that far."""
    return min(settled_factors(until, metrics), default=None)


def highest_factor(until: int, metrics: Mapping[str, Any]) -> Value | None:
    """Return the highest settled factor, or None if the training has not come that far."""
    return max(settled_factors(until, metrics), default=None)


def factor_range(until: int, metrics: Mapping[str, Any]) -> Value | None:
    """Return the highest minus the lowest settled factor, or None if the training has not come that far."""
    factors = settled_factors(until, metrics)
    return max(factors) - min(factors) if factors else None

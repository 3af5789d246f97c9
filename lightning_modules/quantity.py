"""Learned quantities of networks, as plain values. This module needs no torch."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Quantity:
    """A scalar that a network learns beside its weights, or computes from what it learns.

    If a network has several of one kind, a number or a layer follows the name: `rate_1`, `rate_conv4`.

    Args:
        name: Name in a network's `trajectory()` and in `metrics.jsonl`.
        label: Name for people.
        unit: Unit of the value; "1" if it has none.
        start: Value before training; None if the value is computed.
        lowest: Lower bound.
        highest: Upper bound.
        metric: Name in a run's result, if the result has it as a number or as a list; else empty.
    """

    name: str
    label: str
    unit: str = "1"
    start: float | None = None
    lowest: float = -math.inf
    highest: float = math.inf
    metric: str = ""

    @property
    def pattern(self) -> str:
        """Regular expression that matches all names of this kind."""
        return rf"{re.escape(self.name)}(_\w+)?"

    @property
    def axis(self) -> str:
        """Axis label: the label and the unit."""
        return self.label if self.unit == "1" else f"{self.label}, {self.unit}"

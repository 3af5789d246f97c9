"""What networks learn beside their weights, as plain values. This module needs no torch."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Quantity:
    """A scalar that a network learns beside its weights, or computes from what it learns.

    Where a network has several of one kind, a number or a layer stands behind the name: `rate_1`, `rate_conv4`.

    Args:
        name: in a network's `trajectory()` and in `metrics.jsonl`.
        label: for people.
        unit: of the value; "1" where it has none.
        start: before the training; None where it is computed.
        lowest: bound.
        highest: bound.
        metric: its name in a run's result, where that has one number of it, or a list.
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
        """A regular expression of all names of this kind."""
        return rf"{re.escape(self.name)}(_\w+)?"

    @property
    def axis(self) -> str:
        """The label with its unit."""
        return self.label if self.unit == "1" else f"{self.label}, {self.unit}"

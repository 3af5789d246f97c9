"""The figure of the cost of a training step against f."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reproduce.figures.panels import BLUE, VERMILION, panels
from reproduce.figures.style import CM, FAINT

HEIGHT = 3.8 * CM  # height of a panel's axes
LEFT, RIGHT = 1.4 * CM, 0.35 * CM  # margins beside the axes
MIB = 2**20

Samples = Mapping[float, Sequence[float]]


def cost(seconds: Samples, memory: Samples, notes: Sequence[str]) -> Figure:
    """Draw time and memory of a training step against f, with the curve a + b f² that the number of fc6's cells suggests.

    Source: Wei et al. 2017, section 5.1: a greater f "means unaffordable memory load and time cost as feature maps become much larger".
    Not in paper: the numbers.

    Args:
        seconds: Seconds of a step, one or more samples per value of f.
        memory: Peak memory in bytes, one or more samples per value of f.
        notes: Sentences under the panels; one of them says what was run.
    """
    figure, column = panels(["Time of a step", "Peak memory"], notes, height=HEIGHT, left=LEFT, right=RIGHT)
    for axes, unit, scale, samples in zip(column, ("s", "MiB"), (1.0, 1 / MIB), (seconds, memory), strict=True):  # the units of the table
        axes.set_xlabel("inflation factor f")
        axes.set_ylabel(unit)
        _draw(axes, {f: [scale * value for value in samples[f]] for f in sorted(samples)}, unit)
    return figure


def fit(samples: Samples) -> tuple[float, float] | None:
    """Fit a + b f² to all samples by least squares; return a and b, or None if there are fewer than two values of f."""
    if len(samples) < 2:
        return None
    pairs = [(f, value) for f, values in samples.items() for value in values]
    slope, start = np.polyfit([f**2 for f, _ in pairs], [value for _, value in pairs], 1)
    return float(start), float(slope)


def _draw(axes: Axes, samples: Samples, unit: str) -> None:
    factors = list(samples)
    middle = [float(np.median(samples[f])) for f in factors]
    several = any(len(values) > 1 for values in samples.values())
    spread = np.transpose([(value - min(samples[f]), max(samples[f]) - value) for f, value in zip(factors, middle, strict=True)])
    look: Any = {"fmt": "o", "color": BLUE, "markersize": 3, "elinewidth": 0.8, "capsize": 2, "zorder": 3}
    label = "median, lowest to highest" if several else "measured"
    axes.errorbar(factors, middle, yerr=spread if several else None, label=label, **look)
    found = fit(samples)
    if found is not None:
        start, slope = found
        along = np.linspace(factors[0], factors[-1], 100)
        formula = f"{start:.3g} {'+' if slope >= 0 else '−'} {abs(slope):.3g} f² {unit}"
        axes.plot(along, start + slope * along**2, color=VERMILION, label=formula)
    axes.set_ylim(bottom=0)
    axes.margins(y=0.15)
    axes.legend(loc="upper left", frameon=False, borderaxespad=0.2, labelcolor=FAINT)

"""Numbers of cells by seed, their differences, and the test of a difference."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reproduce.table import CellKey
from reproduce.verdicts.e_values import CERTAIN, DECISIVE, e_value
from reproduce.verdicts.logic import Comparison, Finding
from reproduce.verdicts.verdict import CONFIDENCE


@dataclass(frozen=True)
class Estimate:
    """One number of a cell.

    Args:
        numbers: The number per seed; a float if it has no spread, because it is printed or computed.
        digits: Digits to show after the decimal point of a single number; None shows as many as it has.
        quantum: Step between two values that the number can have. Rounding adds a variance of quantum^2 / 12, so that seeds with equal
            numbers are no proof of a difference.
    """

    numbers: float | Mapping[int, float]
    digits: int | None = None
    quantum: float = 0.0

    @property
    def by_seed(self) -> Mapping[int, float] | None:
        """The number per seed; None if it has no spread."""
        return self.numbers if isinstance(self.numbers, Mapping) else None

    @property
    def shown(self) -> str:
        """The number as text for a reason; a mean over seeds has one digit more."""
        if not isinstance(self.numbers, Mapping):
            return _text(self.numbers, self.digits)
        numbers = list(self.numbers.values())
        if len(numbers) < 2:
            return _text(numbers[0], self.digits)
        finer = None if self.digits is None else self.digits + 1
        return f"{_text(statistics.fmean(numbers), finer)} ± {_text(statistics.stdev(numbers), finer)}"


@dataclass(frozen=True)
class Matched:
    """A weighted sum of numbers, one per seed.

    Args:
        values: The sum per seed; one value without seeds if no number has a spread.
        seeds: Seeds of `values`.
        pairing: What belongs together, in words.
        rounding: Variance of a value that comes from rounding.
        unpaired: Standard deviation if the numbers were not paired; None if only one number has a spread.
    """

    values: tuple[float, ...]
    seeds: tuple[int, ...] = ()
    pairing: str = ""
    rounding: float = 0.0
    unpaired: float | None = None

    @property
    def estimate(self) -> Estimate:
        """The sum as a number of its own."""
        return Estimate(dict(zip(self.seeds, self.values, strict=True)) if self.seeds else self.values[0])


def matched(parts: Sequence[tuple[int, Estimate]]) -> Matched:
    """Add up numbers seed by seed.

    Runs with the same seed belong together: they share the order of the data and, where shapes agree, the start. If no seed is common to
    all numbers, the order of the seeds pairs them.

    Args:
        parts: Weights and numbers.
    """
    by_seed = [(weight, part.by_seed) for weight, part in parts if part.by_seed is not None]
    fixed = math.fsum(weight * part.numbers for weight, part in parts if not isinstance(part.numbers, Mapping))
    if not by_seed:
        return Matched((_rounded(fixed),))
    common = sorted(set.intersection(*(set(numbers) for _, numbers in by_seed)))
    columns = [[weight * numbers[seed] for seed in common or sorted(numbers)] for weight, numbers in by_seed]
    n = min(map(len, columns))
    values = tuple(_rounded(fixed + math.fsum(column[index] for column in columns)) for index in range(n))
    how = "by seed" if common else "in the order of different seeds"
    pairing = f"{n} seed{'s' if n > 1 else ''}" if len(by_seed) == 1 else f"{n} pair{'s' if n > 1 else ''} {how}"
    several = len(by_seed) > 1 and n > 1
    unpaired = math.sqrt(math.fsum(statistics.variance(column[:n]) for column in columns)) if several else None
    rounding = math.fsum((weight * part.quantum) ** 2 / 12 for weight, part in parts)
    return Matched(values, tuple((common or sorted(by_seed[0][1]))[:n]), pairing, rounding, unpaired)


def tested(sides: Sequence[str], found: Matched, cells: frozenset[CellKey], seeds: int) -> Finding:
    """Return the finding "the left side is greater".

    Args:
        sides: Names and numbers of both sides.
        found: Left side minus right side.
        cells: Compared cells that have a spread.
        seeds: Number of seeds to assume, with the mean and spread of `found`; fewer than there are change nothing.
    """
    mean, n = statistics.fmean(found.values), len(found.values)
    if not found.seeds:
        e_yes, e_no = (CERTAIN, 0.0) if mean > 0 else (0.0, CERTAIN)
        text = f"{sides[0]} {'>' if mean > 0 else '<='} {sides[1]}"
        return Finding(e_yes, e_no, (Comparison(text, "numbers without spread", differences=found.values),))
    std = math.sqrt(max(statistics.variance(found.values), found.rounding)) if n > 1 else 0.0
    counted = max(n, seeds) if n > 1 else n
    e_yes, e_no = e_value(mean, std, counted), e_value(-mean, std, counted)
    half, said = None, found.pairing
    if n > 1:
        half = _half_width(std, n)
        said = f"difference {mean:.3g}, 95 % interval {mean - half:.3g} to {mean + half:.3g}, {found.pairing}"
    sign = ">" if e_yes >= DECISIVE else "<" if e_no >= DECISIVE else "against"
    gain = found.unpaired / std if found.unpaired is not None and std > 0 else None
    text = f"{sides[0]} {sign} {sides[1]} ({said})"
    return Finding(e_yes, e_no, (Comparison(text, f"t over {found.pairing}", found.seeds, found.values, half, gain, cells),))


def _half_width(std: float, n: int) -> float:
    """Return half the width of the confidence interval of a mean."""
    from scipy.special import stdtrit  # here, because most tables have no seeds to compare, and the import takes longer than they do

    return float(stdtrit(n - 1, 0.5 + CONFIDENCE / 2)) * std / math.sqrt(n)


def _rounded(number: float) -> float:
    return round(number, 12)  # so that 0.93 - 0.9 is 0.03


def _text(number: float, digits: int | None) -> str:
    return f"{number:g}" if digits is None else f"{number:.{digits}f}"

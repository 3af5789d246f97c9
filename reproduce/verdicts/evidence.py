"""The numbers that claims are tested on, the printed ones or ours, and how they compare."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import TYPE_CHECKING

from reproduce.table import CellKey
from reproduce.verdicts.logic import Finding, Truth, all_of, any_of, not_

if TYPE_CHECKING:
    from reproduce.verdicts.compare import ComparedCell
    from reproduce.verdicts.printed import PublishedTable

FEWEST_SEEDS = 3  # that say something of a spread


Scalar = CellKey | float


@dataclass(frozen=True)
class Difference:
    """One cell or constant minus another; made by `difference`."""

    minuend: Scalar
    subtrahend: Scalar


Term = Scalar | Difference


@dataclass(frozen=True)
class Maximum:
    """The largest of several terms; made by `maximum`."""

    members: tuple[Term, ...]


@dataclass(frozen=True)
class Estimate:
    """One number of a cell, or the difference of two.

    Args:
        mean: over seeds, or the number itself.
        error: standard deviation of the mean; None from too few seeds.
        digits: behind the point of a single number; None: as many as it has.
        std: over seeds; None where there is none.
    """

    mean: float
    error: float | None
    digits: int | None = None
    std: float | None = None

    @property
    def shown(self) -> str:
        """How a reason shows it: beside a spread, with one digit more."""
        if self.digits is None:
            return f"{self.mean:g}"
        if self.std is None:
            return f"{self.mean:.{self.digits}f}"
        return f"{self.mean:.{self.digits + 1}f} ± {self.std:.{self.digits + 1}f}"


class Evidence:
    """The numbers that a claim is tested on: the printed ones or ours."""

    def __init__(self, estimates: dict[CellKey, Estimate | None]) -> None:
        self._estimates = estimates

    @classmethod
    def printed(cls, published: PublishedTable) -> Evidence:
        """Collect the printed numbers, which have no spread: comparisons are plain."""
        return cls(
            {
                member: None if number is None else Estimate(number, 0.0, cell.digits)
                for key, cell in published.by_key.items()
                for member, number in _members(key, cell.value).items()
            }
        )

    @classmethod
    def ours(cls, published: PublishedTable, cells: Sequence[ComparedCell]) -> Evidence:
        """Collect the measured numbers.

        Args:
            published: the table, for digits and for cells that were not asked for.
            cells: what `compare` returned.

        Returns:
            Evidence with the spread over seeds; computed cells have none. Quoted numbers stand beside ours only where ours are comparable.
        """
        printed = cls.printed(published)._estimates
        estimates: dict[CellKey, Estimate | None] = dict.fromkeys(printed)
        comparable = not any(cell.verdict == "not comparable" for cell in cells)
        for cell in cells:
            if cell.kind == "published":
                estimates[cell.key] = printed[cell.key] if comparable else None
                continue
            digits, errors = published.digits(*cell.key), _members(cell.key, cell.std)
            for member, mean in _members(cell.key, cell.mean).items():
                estimates[member] = _measured(mean, errors.get(member), cell.n, cell.kind == "exact", digits)
        return cls(estimates)

    def greater(self, a: Term | Maximum, b: Term | Maximum) -> Finding:
        """Test whether `a` is greater than `b`.

        On our numbers it is decided only beyond twice the standard error of the difference of means, from three seeds a side.

        Args:
            a: a cell (row_key, column), or the member of one that holds a list: (row_key, "f[0]"); a constant, `difference` or `maximum`.
            b: likewise.

        Returns:
            The finding.

        Raises:
            ValueError: where the table has no such cell.
        """
        # max(A) > max(B) says that some a exceeds every b.
        if isinstance(a, Maximum):
            return any_of(*(self.greater(member, b) for member in a.members))
        if isinstance(b, Maximum):
            return all_of(*(self.greater(a, member) for member in b.members))
        return self._pair(a, b)

    def within(self, a: Scalar, b: Scalar, bound: float) -> Finding:
        """Test whether `a` and `b` are no further apart than `bound`, as numbers that a paper calls comparable.

        Args:
            a: a cell or a constant.
            b: likewise.
            bound: in their unit.

        Returns:
            The finding.

        Raises:
            ValueError: where the table has no such cell.
        """
        return all_of(*(not_(self.greater(each, bound)) for each in (difference(a, b), difference(b, a))))

    def _pair(self, a: Term, b: Term) -> Finding:
        signed = [*_signed(a), *((scalar, -sign) for scalar, sign in _signed(b))]
        read = {scalar: self._read(scalar) for scalar, _ in signed}
        known = {scalar: estimate for scalar, estimate in read.items() if estimate is not None}
        absent = [_name(scalar) for scalar in read if scalar not in known]
        if absent:
            return Finding(Truth.NOT_TESTED, (f"{' and '.join(absent)} {'has' if len(absent) == 1 else 'have'} no number",))
        same_column = len({scalar[1] if isinstance(scalar, tuple) else None for scalar in read}) == 1
        left, right = _estimate(a, known), _estimate(b, known)
        sides = [f"{_name(side, short=same_column)} {number.shown}".lstrip() for side, number in ((a, left), (b, right))]
        error = _error(signed, known)
        if error is None:
            return Finding(Truth.UNDECIDED, (f"{sides[0]} against {sides[1]} from too few seeds",))
        apart = left.mean - right.mean
        if apart > 2.0 * error:
            return Finding(Truth.YES, (f"{sides[0]} > {sides[1]}",))
        if apart < -2.0 * error or error == 0.0:
            return Finding(Truth.NO, (f"{sides[0]} <= {sides[1]}",))
        return Finding(Truth.UNDECIDED, (f"{sides[0]} against {sides[1]} is within the spread",))

    def _read(self, scalar: Scalar) -> Estimate | None:
        if not isinstance(scalar, tuple):
            return Estimate(float(scalar), 0.0)
        if scalar not in self._estimates:
            raise ValueError(f"Expected a claim's cell to be one of the table's, but got {scalar}: correct the claim.")
        return self._estimates[scalar]


def difference(a: Scalar, b: Scalar) -> Difference:
    """Name `a` minus `b`, to stand on either side of `greater` and in a `maximum`.

    Args:
        a: a cell (row_key, column) or a constant.
        b: likewise.

    Returns:
        The operand.
    """
    return Difference(a, b)


def maximum(*members: Term) -> Maximum:
    """Name the largest of several numbers, to stand on either side of `greater`.

    Args:
        members: cells (row_key, column), constants or differences.

    Returns:
        The operand.

    Raises:
        ValueError: where there is no member.
    """
    if not members:
        raise ValueError("Expected `members` to name at least one cell, but got none.")
    return Maximum(members)


def spread(*cells: Scalar) -> Maximum:
    """Name the largest of several numbers minus the smallest, to stand on either side of `greater`.

    Args:
        cells: (row_key, column) each, or constants.

    Returns:
        The operand.

    Raises:
        ValueError: where there are fewer than two.
    """
    if len(cells) < 2:
        raise ValueError(f"Expected `cells` to name at least two, but got {len(cells)}: one has no spread.")
    return maximum(*(difference(a, b) for a, b in permutations(cells, 2)))


def _signed(term: Term) -> list[tuple[Scalar, int]]:
    """Return what a term adds and subtracts."""
    return [(term.minuend, 1), (term.subtrahend, -1)] if isinstance(term, Difference) else [(term, 1)]


def _error(signed: Sequence[tuple[Scalar, int]], known: Mapping[Scalar, Estimate]) -> float | None:
    """Return the standard error of a signed sum, None where a part's is unknown; a cell that occurs twice is no second measurement."""
    weights: Counter[Scalar] = Counter()
    for scalar, sign in signed:
        weights[scalar] += sign
    errors = [(weight, known[scalar].error) for scalar, weight in weights.items()]
    parts = [weight * error for weight, error in errors if error is not None]
    return math.hypot(*parts) if len(parts) == len(errors) else None


def _estimate(term: Term, known: Mapping[Scalar, Estimate]) -> Estimate:
    if not isinstance(term, Difference):
        return known[term]
    left, right = known[term.minuend], known[term.subtrahend]
    mean = round(left.mean - right.mean, 12)  # so that 0.93 - 0.9 is 0.03
    digits = [side.digits for side in (left, right) if side.digits is not None]
    uncertain = [side.std for side in (left, right) if side.error != 0.0]
    stds = [std for std in uncertain if std is not None]
    std = math.hypot(*stds) if stds and len(stds) == len(uncertain) else None
    return Estimate(mean, _error(_signed(term), known), max(digits, default=None), std)


def _members(key: CellKey, value: object) -> dict[CellKey, float | None]:
    """Return what a claim can name of a cell: its number, or those of its list, which as a whole no comparison orders."""
    numbers = value if isinstance(value, list) else []
    whole = {key: value if isinstance(value, float) else None}
    return whole | {(key[0], f"{key[1]}[{index}]"): number for index, number in enumerate(numbers)}


def _measured(mean: object, std: object, n: int, exact: bool, digits: int) -> Estimate | None:
    if not isinstance(mean, float):
        return None  # no seed is done, or the cell is a list
    if exact:
        return Estimate(mean, 0.0, digits)
    if n < 2 or not isinstance(std, float):
        return Estimate(mean, None, digits)
    if n < FEWEST_SEEDS or std == 0.0:  # seeds that agree to the last digit have collapsed, to a score of 0 say
        return Estimate(mean, None, digits, std)
    return Estimate(mean, std / math.sqrt(n), digits, std)


def _name(term: Term, *, short: bool = False) -> str:
    """Return what stands before a term's number; nothing before a constant's."""
    if isinstance(term, Difference):
        names = (_name(scalar, short=short) or f"{scalar:g}" for scalar in (term.minuend, term.subtrahend))
        return " - ".join(names)
    if not isinstance(term, tuple):
        return ""
    return term[0] if short else f"{term[0]} {term[1]}"

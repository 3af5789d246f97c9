"""Evidence: the numbers that claims are tested on, printed or ours, and their comparison."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import TYPE_CHECKING

from reproduce.table import CellKey
from reproduce.verdicts.logic import Finding, Truth, all_of, any_of, not_
from reproduce.verdicts.verdict import Verdict

if TYPE_CHECKING:
    from reproduce.verdicts.compare import ComparedCell
    from reproduce.verdicts.printed import PublishedTable

FEWEST_SEEDS = 3  # with fewer seeds, comparisons are undecided


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
        mean: Mean over seeds, or the number itself.
        error: Standard deviation of the mean; None for too few seeds.
        digits: Digits to show after the decimal point of a single number; None shows as many as it has.
        std: Standard deviation over seeds; None if there is none.
    """

    mean: float
    error: float | None
    digits: int | None = None
    std: float | None = None

    @property
    def shown(self) -> str:
        """The number as text for a reason; with a standard deviation, it has one digit more."""
        if self.digits is None:
            return f"{self.mean:g}"
        if self.std is None:
            return f"{self.mean:.{self.digits}f}"
        return f"{self.mean:.{self.digits + 1}f} ± {self.std:.{self.digits + 1}f}"


class Evidence:
    """Numbers that a claim is tested on: the printed ones or ours."""

    def __init__(self, estimates: dict[CellKey, Estimate | None], failed: Collection[CellKey] = ()) -> None:
        self._estimates, self._failed = estimates, failed

    @classmethod
    def printed(cls, published: PublishedTable) -> Evidence:
        """Collect the printed numbers; they have no spread, so `greater` compares the bare numbers."""
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
            published: Printed table, for the digits and for the cells that were not chosen.
            cells: Cells that `compare` returned.

        Returns:
            Evidence with the spread over seeds; exact cells have no spread. Quoted numbers are included only if ours are comparable.
        """
        printed = cls.printed(published)._estimates
        estimates: dict[CellKey, Estimate | None] = dict.fromkeys(printed)
        failed: set[CellKey] = set()
        comparable = not any(cell.verdict == "not comparable" for cell in cells)
        for cell in cells:
            if cell.verdict == Verdict.FAILED:  # some seeds failed, and the others are not a fair sample
                estimates |= dict.fromkeys(_members(cell.key, cell.mean))
                failed |= set(_members(cell.key, cell.mean))
                continue
            if cell.kind == "published":
                estimates[cell.key] = printed[cell.key] if comparable else None
                continue
            digits, errors = published.digits(*cell.key), _members(cell.key, cell.std)
            for member, mean in _members(cell.key, cell.mean).items():
                estimates[member] = _measured(mean, errors.get(member), cell.n, cell.kind == "exact", digits)
        return cls(estimates, failed)

    def greater(self, a: Term | Maximum, b: Term | Maximum) -> Finding:
        """Test whether `a` is greater than `b`.

        On our numbers, the test decides only if both sides have at least three seeds, and the difference of the means exceeds twice its
        standard error.

        Args:
            a: Cell (row_key, column), member of a list cell (row_key, "f[0]"), constant, `difference` or `maximum`.
            b: Likewise.

        Returns:
            Finding.

        Raises:
            ValueError: The table has no such cell.
        """
        # max(A) > max(B) means that some a exceeds every b.
        if isinstance(a, Maximum):
            return any_of(*(self.greater(member, b) for member in a.members))
        if isinstance(b, Maximum):
            return all_of(*(self.greater(a, member) for member in b.members))
        return self._pair(a, b)

    def at_most_apart(self, a: Scalar, b: Scalar, bound: float) -> Finding:
        """Test whether `a` and `b` differ by at most `bound`, for numbers that a paper calls comparable.

        Args:
            a: Cell or constant.
            b: Likewise.
            bound: Largest difference, in the unit of `a` and `b`.

        Returns:
            Finding.

        Raises:
            ValueError: The table has no such cell.
        """
        return all_of(*(not_(self.greater(each, bound)) for each in (difference(a, b), difference(b, a))))

    def _pair(self, a: Term, b: Term) -> Finding:
        signed = [*_signed(a), *((scalar, -sign) for scalar, sign in _signed(b))]
        read = {scalar: self._read(scalar) for scalar, _ in signed}
        known = {scalar: estimate for scalar, estimate in read.items() if estimate is not None}
        absent = [scalar for scalar in read if scalar not in known]
        if absent:
            lacking = "failed seeds" if all(scalar in self._failed for scalar in absent) else "no number"
            said = f"{' and '.join(map(_name, absent))} {'has' if len(absent) == 1 else 'have'} {lacking}"
            return Finding(Truth.NOT_TESTED, (said,))
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
            raise ValueError(f"Expected a claim's cell to be in the table, but got {scalar}: correct the claim.")
        return self._estimates[scalar]


def difference(a: Scalar, b: Scalar) -> Difference:
    """Return the operand "`a` minus `b`", for either side of `greater` and for `maximum`.

    Args:
        a: Cell (row_key, column) or constant.
        b: Likewise.

    Returns:
        Operand.
    """
    return Difference(a, b)


def maximum(*members: Term) -> Maximum:
    """Return the operand "largest of several numbers", for either side of `greater`.

    Args:
        members: Cells (row_key, column), constants or differences.

    Returns:
        Operand.

    Raises:
        ValueError: `members` is empty.
    """
    if not members:
        raise ValueError("Expected `members` to name at least one cell, but got none.")
    return Maximum(members)


def spread(*cells: Scalar) -> Maximum:
    """Return the operand "largest of several numbers minus the smallest", for either side of `greater`.

    Args:
        cells: Cells (row_key, column) or constants.

    Returns:
        Operand.

    Raises:
        ValueError: `cells` has fewer than two.
    """
    if len(cells) < 2:
        raise ValueError(f"Expected `cells` to name at least two, but got {len(cells)}: one has no spread.")
    return maximum(*(difference(a, b) for a, b in permutations(cells, 2)))


def _signed(term: Term) -> list[tuple[Scalar, int]]:
    """Return the scalars of a term with their signs."""
    return [(term.minuend, 1), (term.subtrahend, -1)] if isinstance(term, Difference) else [(term, 1)]


def _error(signed: Sequence[tuple[Scalar, int]], known: Mapping[Scalar, Estimate]) -> float | None:
    """Return the standard error of a signed sum; None if a part has none. A cell that occurs twice counts as one measurement."""
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
    """Return the numbers of a cell by the names that a claim can use; a list as a whole is None, because lists have no order."""
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
    if n < FEWEST_SEEDS or std == 0.0:  # seeds with exactly equal numbers have collapsed, for example to a score of 0
        return Estimate(mean, None, digits, std)
    return Estimate(mean, std / math.sqrt(n), digits, std)


def _name(term: Term, *, short: bool = False) -> str:
    """Return the name to show before a term's number; empty for a constant."""
    if isinstance(term, Difference):
        names = (_name(scalar, short=short) or f"{scalar:g}" for scalar in (term.minuend, term.subtrahend))
        return " - ".join(names)
    if not isinstance(term, tuple):
        return ""
    return term[0] if short else f"{term[0]} {term[1]}"

"""Evidence: the numbers that claims are tested on, printed or ours, and their comparison."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from typing import TYPE_CHECKING

from reproduce.table import CellKey
from reproduce.verdicts.e_values import CERTAIN, DECISIVE
from reproduce.verdicts.logic import Comparison, Finding, all_of, any_of, not_
from reproduce.verdicts.pairs import Estimate, matched, tested
from reproduce.verdicts.verdict import Verdict

if TYPE_CHECKING:
    from reproduce.verdicts.compare import ComparedCell
    from reproduce.verdicts.printed import PublishedTable

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


class Evidence:
    """Numbers that a claim is tested on: the printed ones or ours."""

    def __init__(self, estimates: Mapping[CellKey, Estimate | None], failed: Collection[CellKey] = (), seeds: int = 0) -> None:
        self._estimates, self._failed, self._seeds = estimates, failed, seeds

    def at(self, seeds: int) -> Evidence:
        """Return the evidence that this number of seeds would be, if differences and spreads stayed as they are."""
        return Evidence(self._estimates, self._failed, seeds)

    @classmethod
    def printed(cls, published: PublishedTable) -> Evidence:
        """Collect the printed numbers; they have no spread, so `greater` compares the bare numbers."""
        return cls(
            {
                member: None if number is None else Estimate(number, cell.digits)
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
            Evidence by seed; exact cells have no spread. Quoted numbers are included only if ours are comparable.
        """
        printed = cls.printed(published)._estimates
        estimates: dict[CellKey, Estimate | None] = dict.fromkeys(printed)
        failed: set[CellKey] = set()
        comparable = not any(cell.verdict == "not comparable" for cell in cells)
        for cell in cells:
            members = _members(cell.key, cell.mean)
            if cell.verdict == Verdict.FAILED:  # some seeds failed, and the others are not a fair sample
                estimates |= dict.fromkeys(members)
                failed |= set(members)
            elif cell.kind == "published":
                estimates[cell.key] = printed[cell.key] if comparable else None
            else:
                digits, quantum = published.digits(*cell.key), published.quantum(*cell.key)
                estimates |= {member: _estimate(cell, member, digits, quantum) for member in members}
        return cls(estimates, failed)

    def greater(self, a: Term | Maximum, b: Term | Maximum) -> Finding:
        """Test whether `a` is greater than `b`.

        Our numbers are compared seed by seed: runs with the same seed are a pair. The e-value is that of Student's t over the differences.

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

    def differ(self, a: Term, b: Term) -> Finding:
        """Test whether `a` and `b` differ, in either direction.

        Args:
            a: Cell, constant or `difference`.
            b: Likewise.

        Returns:
            Finding; seeds never prove that two numbers are equal.

        Raises:
            ValueError: The table has no such cell.
        """
        finding = self.greater(a, b)
        if CERTAIN in (finding.e_yes, finding.e_no):
            return finding if finding.e_yes == CERTAIN else self.greater(b, a)
        decided = self.greater(b, a) if finding.e_no >= DECISIVE else finding
        return Finding((finding.e_yes + finding.e_no) / 2, 0.0, decided.parts, finding.tested)

    def _pair(self, a: Term, b: Term) -> Finding:
        weights = _weights([*_signed(a), *((scalar, -sign) for scalar, sign in _signed(b))])
        read = {scalar: self._read(scalar) for scalar in weights}
        known = {scalar: estimate for scalar, estimate in read.items() if estimate is not None}
        absent = [scalar for scalar in read if scalar not in known]
        if absent:
            lacking = "failed seeds" if all(scalar in self._failed for scalar in absent) else "no number"
            said = f"{' and '.join(map(_name, absent))} {'has' if len(absent) == 1 else 'have'} {lacking}"
            return Finding(0.0, 0.0, (Comparison(said),), tested=False)
        same_column = len({scalar[1] if isinstance(scalar, tuple) else None for scalar in read}) == 1
        sides = [f"{_name(side, short=same_column)} {_combined(side, known).shown}".lstrip() for side in (a, b)]
        spread = frozenset(each for each in weights if isinstance(each, tuple) and known[each].by_seed is not None)
        return tested(sides, matched([(weight, known[each]) for each, weight in weights.items()]), spread, self._seeds)

    def _read(self, scalar: Scalar) -> Estimate | None:
        if not isinstance(scalar, tuple):
            return Estimate(float(scalar))
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


def _weights(signed: Sequence[tuple[Scalar, int]]) -> Counter[Scalar]:
    """Return the weight of each scalar in a signed sum. A cell that occurs twice is one measurement."""
    weights: Counter[Scalar] = Counter()
    for scalar, sign in signed:
        weights[scalar] += sign
    return weights


def _combined(term: Term, known: Mapping[Scalar, Estimate]) -> Estimate:
    """Return a term as one number per seed, to show it."""
    if not isinstance(term, Difference):
        return known[term]
    found = matched([(weight, known[scalar]) for scalar, weight in _weights(_signed(term)).items()])
    digits = [side.digits for side in (known[term.minuend], known[term.subtrahend]) if side.digits is not None]
    return replace(found.estimate, digits=max(digits, default=None))


def _members(key: CellKey, value: object) -> dict[CellKey, float | None]:
    """Return the numbers of a cell by the names that a claim can use; a list as a whole is None, because lists have no order."""
    numbers = value if isinstance(value, list) else []
    whole = {key: value if isinstance(value, float) else None}
    return whole | {(key[0], f"{key[1]}[{index}]"): number for index, number in enumerate(numbers)}


def _estimate(cell: ComparedCell, member: CellKey, digits: int, quantum: float) -> Estimate | None:
    """Return one number of a cell; None if no seed is done, or if it is a list."""
    numbers = {seed: _members(cell.key, value).get(member) for seed, value in zip(cell.seeds, cell.values, strict=True)}
    found = {seed: number for seed, number in numbers.items() if number is not None}
    if not found or len(found) < len(numbers):
        return None
    return Estimate(next(iter(found.values())), digits) if cell.kind == "exact" else Estimate(found, digits, quantum)


def _name(term: Term, *, short: bool = False) -> str:
    """Return the name to show before a term's number; empty for a constant."""
    if isinstance(term, Difference):
        names = (_name(scalar, short=short) or f"{scalar:g}" for scalar in (term.minuend, term.subtrahend))
        return " - ".join(names)
    if not isinstance(term, tuple):
        return ""
    return term[0] if short else f"{term[0]} {term[1]}"

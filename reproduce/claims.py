"""The paper's sentences about its table, as predicates that are tested on the printed numbers and on ours.

A claim is written once, against whatever evidence it is given:

    def best(evidence: Evidence) -> Finding:
        baselines = [(f"baseline-{dilation}", "f_score") for dilation in (2, 4, 6, 8, 10, 12, 14)]
        return evidence.greater(("modified-8", "f_score"), maximum(*baselines))

    CLAIMS = [Claim("best", "even has surpassed the best manually design model", "section 4.3.1", "8's exceeds every baseline", best)]
    results = check_claims(CLAIMS, published, cells)

Logic is Kleene's: one counterexample refutes `all_of`, one example proves `any_of`, whatever is unknown beside it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    from reproduce.published import PublishedTable

Cell = tuple[str, str]

FEWEST_SEEDS = 3  # that say something of a spread
MOST_PARTS = 3  # findings named in one reason; the rest is counted


class Truth(StrEnum):
    """What a test says; `undecided` is within the spread over seeds, `not tested` lacks a number."""

    YES = "yes"
    NO = "no"
    UNDECIDED = "undecided"
    NOT_TESTED = "not tested"


@dataclass(frozen=True)
class Finding:
    """A truth and the numbers that decided it."""

    truth: Truth
    parts: tuple[str, ...]

    @property
    def reason(self) -> str:
        """The deciding numbers as one sentence."""
        rest = len(self.parts) - MOST_PARTS
        return "; ".join(self.parts[:MOST_PARTS]) + (f"; and {rest} more" if rest > 0 else "")


@dataclass(frozen=True)
class Maximum:
    """The largest of several cells or constants; made by `maximum`."""

    members: tuple[Cell | float, ...]


Operand = Cell | float | Maximum


@dataclass(frozen=True)
class Claim:
    """A sentence of the paper, word for word, where it stands, what is tested of it, and the test."""

    id: str
    quote: str
    source: str
    tested: str
    test: Callable[[Evidence], Finding]

    @property
    def text(self) -> str:
        """All that is to be said of it before its result."""
        return f'"{self.quote}" ({self.source}). Tested: {self.tested}.'


class ClaimResult(TypedDict):
    """A tested claim, as the json holds it."""

    id: str
    text: str
    printed: str
    holds: str
    reason: str


@dataclass(frozen=True)
class Quantity:
    """One number of a cell: mean, standard deviation of the mean (None from a single seed), and how a reason shows it."""

    mean: float
    error: float | None
    shown: str


class Evidence:
    """The numbers that a claim is tested on: the printed ones or ours."""

    def __init__(self, quantities: dict[Cell, Quantity | None]) -> None:
        self._quantities = quantities

    @classmethod
    def printed(cls, published: PublishedTable) -> Evidence:
        """Collect the printed numbers, which have no spread: comparisons are plain."""
        return cls(
            {
                member: None if number is None else Quantity(number, 0.0, f"{number:.{cell.digits}f}")
                for key, cell in published.by_key.items()
                for member, number in _members(key, cell.value).items()
            }
        )

    @classmethod
    def ours(cls, published: PublishedTable, cells: Sequence[Mapping[str, Any]]) -> Evidence:
        """Collect the measured numbers.

        Args:
            published: the table, for digits and for cells that were not asked for.
            cells: what `compare` returned.

        Returns:
            Evidence with the spread over seeds; computed cells have none. Quoted numbers stand beside ours only where ours are comparable.
        """
        printed = cls.printed(published)._quantities
        quantities: dict[Cell, Quantity | None] = dict.fromkeys(printed)
        comparable = not any(record.get("verdict") == "not comparable" for record in cells)
        for record in cells:
            key = (str(record["row_key"]), str(record["column"]))
            if record["kind"] == "published":
                quantities[key] = printed[key] if comparable else None
                continue
            digits, errors = published.digits(*key), _members(key, record["std"])
            for member, mean in _members(key, record["mean"]).items():
                quantities[member] = _quantity(mean, errors.get(member), int(record["n"]), record["kind"] == "exact", digits)
        return cls(quantities)

    def greater(self, a: Operand, b: Operand) -> Finding:
        """Test whether `a` is greater than `b`.

        On our numbers it is decided only beyond twice the standard error of the difference of means, from three seeds a side.

        Args:
            a: a cell (row_key, column), a constant, or a `maximum`; of a cell that holds a list, a member: (row_key, "f[0]").
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

    def _pair(self, a: Cell | float, b: Cell | float) -> Finding:
        left, right = self._read(a), self._read(b)
        absent = [_name(cell) for cell, quantity in ((a, left), (b, right)) if quantity is None]
        if left is None or right is None:
            return Finding(Truth.NOT_TESTED, (f"{' and '.join(absent)} {'has' if len(absent) == 1 else 'have'} no number",))
        difference = left.mean - right.mean
        same_column = isinstance(a, tuple) and isinstance(b, tuple) and a[1] == b[1]
        names = [_name(cell, short=same_column) for cell in (a, b)]
        sides = [f"{name} {side.shown}" if name else side.shown for name, side in zip(names, (left, right), strict=True)]
        if left.error is None or right.error is None:
            return Finding(Truth.UNDECIDED, (f"{sides[0]} against {sides[1]} from too few seeds",))
        bound = 2.0 * math.hypot(left.error, right.error)
        if difference > bound:
            return Finding(Truth.YES, (f"{sides[0]} > {sides[1]}",))
        if difference < -bound or bound == 0.0:
            return Finding(Truth.NO, (f"{sides[0]} <= {sides[1]}",))
        return Finding(Truth.UNDECIDED, (f"{sides[0]} against {sides[1]} is within the spread",))

    def _read(self, operand: Cell | float) -> Quantity | None:
        if not isinstance(operand, tuple):
            return Quantity(float(operand), 0.0, f"{operand:g}")
        if operand not in self._quantities:
            raise ValueError(f"Expected a claim's cell to be one of the table's, but got {operand}: correct the claim.")
        return self._quantities[operand]


def maximum(*members: Cell | float) -> Maximum:
    """Name the largest of several cells or constants, to stand on either side of `greater`.

    Args:
        members: cells (row_key, column) or constants.

    Returns:
        The operand.

    Raises:
        ValueError: where there is no member.
    """
    if not members:
        raise ValueError("Expected `members` to name at least one cell, but got none.")
    return Maximum(members)


def all_of(*findings: Finding) -> Finding:
    """Join findings that have to hold together.

    Args:
        findings: at least one.

    Returns:
        `no` where one is `no`; else `not tested`, else `undecided` where one is; else `yes`. The reason names those that decided.
    """
    return _first(findings, (Truth.NO, Truth.NOT_TESTED, Truth.UNDECIDED, Truth.YES))


def any_of(*findings: Finding) -> Finding:
    """Join findings of which one has to hold.

    Args:
        findings: at least one.

    Returns:
        `yes` where one is `yes`; else `not tested`, else `undecided` where one is; else `no`. The reason names those that decided.
    """
    return _first(findings, (Truth.YES, Truth.NOT_TESTED, Truth.UNDECIDED, Truth.NO))


def not_(finding: Finding) -> Finding:
    """Turn `yes` into `no` and back; what is unknown stays so.

    Args:
        finding: what to negate.

    Returns:
        The opposite, for the same numbers.
    """
    opposite = {Truth.YES: Truth.NO, Truth.NO: Truth.YES}
    return replace(finding, truth=opposite.get(finding.truth, finding.truth))


def check_claims(claims: Iterable[Claim], published: PublishedTable, cells: Sequence[Mapping[str, Any]]) -> list[ClaimResult]:
    """Test every claim on the printed numbers and on ours.

    Args:
        claims: the paper's sentences.
        published: the printed table.
        cells: what `compare` returned.

    Returns:
        One result per claim, in order.
    """
    printed, ours = Evidence.printed(published), Evidence.ours(published, cells)
    results: list[ClaimResult] = []
    for claim in claims:
        there, here = claim.test(printed), claim.test(ours)
        reason = f"Printed: {there.reason}. Ours: {here.reason}."
        results.append({"id": claim.id, "text": claim.text, "printed": str(there.truth), "holds": str(here.truth), "reason": reason})
    return results


def _first(findings: tuple[Finding, ...], order: tuple[Truth, ...]) -> Finding:
    if not findings:
        raise ValueError("Expected `findings` to hold at least one, but got none.")
    truth = next(truth for truth in order if any(finding.truth is truth for finding in findings))
    parts = (part for finding in findings if finding.truth is truth for part in finding.parts)
    return Finding(truth, tuple(dict.fromkeys(parts)))


def _members(key: Cell, value: object) -> dict[Cell, float | None]:
    """Return what a claim can name of a cell: its number, or those of its list, which as a whole no comparison orders."""
    numbers = value if isinstance(value, list) else []
    whole = {key: value if isinstance(value, float) else None}
    return whole | {(key[0], f"{key[1]}[{index}]"): number for index, number in enumerate(numbers)}


def _quantity(mean: object, std: object, n: int, exact: bool, digits: int) -> Quantity | None:
    if not isinstance(mean, float):
        return None  # no seed is done, or the cell is a list
    if exact:
        return Quantity(mean, 0.0, f"{mean:.{digits}f}")
    if n < 2 or not isinstance(std, float):
        return Quantity(mean, None, f"{mean:.{digits}f}")
    if n < FEWEST_SEEDS or std == 0.0:  # seeds that agree to the last digit have collapsed, to a score of 0 say
        return Quantity(mean, None, f"{mean:.{digits + 1}f} ± {std:.{digits + 1}f}")
    return Quantity(mean, std / math.sqrt(n), f"{mean:.{digits + 1}f} ± {std:.{digits + 1}f}")


def _name(operand: Cell | float, *, short: bool = False) -> str:
    if not isinstance(operand, tuple):
        return ""
    return operand[0] if short else f"{operand[0]} {operand[1]}"

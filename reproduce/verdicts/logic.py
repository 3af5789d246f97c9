"""Findings of claim tests: the evidence for a sentence and against it, and the comparisons behind it.

The evidence is a pair of e-values, so that the error of a whole sentence is known, however many comparisons it joins. For `any_of`, the
e-value of `yes` is the mean over the parts, and that of `no` is the smallest. `all_of` is its mirror image.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from reproduce.table import CellKey
from reproduce.verdicts.e_values import CERTAIN, DECISIVE

MOST_PARTS = 3  # comparisons shown in one reason; the rest is only counted


class Truth(StrEnum):
    """Result of a test. `undecided`: the evidence is too weak both ways. `not tested`: a number is missing."""

    YES = "yes"
    NO = "no"
    UNDECIDED = "undecided"
    NOT_TESTED = "not tested"


@dataclass(frozen=True)
class Comparison:
    """A difference that a claim tests.

    Args:
        text: The compared numbers in words.
        test: What the e-values come from, in words.
        seeds: Seeds of the differences; empty for numbers without spread.
        differences: Left side minus right side, one per seed.
        half_width: Half the width of the 95 % confidence interval of their mean; None for fewer than two.
        gain: Standard error of the difference without pairing, divided by that with pairing; None if only one side has a spread.
        cells: Compared cells that have a spread.
    """

    text: str
    test: str = ""
    seeds: tuple[int, ...] = ()
    differences: tuple[float, ...] = ()
    half_width: float | None = None
    gain: float | None = None
    cells: frozenset[CellKey] = frozenset()


@dataclass(frozen=True)
class Finding:
    """Evidence for a sentence and against it.

    Args:
        e_yes: E-value against "the sentence is false, or its sides are equal"; `CERTAIN` for numbers without spread.
        e_no: E-value against "the sentence is true, or its sides are equal".
        parts: Comparisons that decided, or that are open.
        tested: Whether no number is missing.
    """

    e_yes: float
    e_no: float
    parts: tuple[Comparison, ...]
    tested: bool = True

    @property
    def truth(self) -> Truth:
        """`yes` or `no` if the evidence is decisive."""
        if self.e_yes >= DECISIVE:
            return Truth.YES
        if self.e_no >= DECISIVE:
            return Truth.NO
        return Truth.UNDECIDED if self.tested else Truth.NOT_TESTED

    @property
    def reason(self) -> str:
        """The deciding comparisons as one sentence."""
        texts = list(dict.fromkeys(part.text for part in self.parts))
        rest = len(texts) - MOST_PARTS
        return "; ".join(texts[:MOST_PARTS]) + (f"; and {rest} more" if rest > 0 else "")


def all_of(*findings: Finding) -> Finding:
    """Join findings that must all hold.

    Args:
        findings: At least one finding.

    Returns:
        `no` if the parts are together refuted; else `not tested` if a part is; else `yes` if each part is proven; else `undecided`.
    """
    return not_(any_of(*(not_(finding) for finding in findings)))


def any_of(*findings: Finding) -> Finding:
    """Join findings of which at least one must hold.

    Args:
        findings: At least one finding.

    Returns:
        `yes` if the parts together prove that one holds; else `not tested` if a part is; else `no` if each part is refuted; else
        `undecided`. The parts are those that decided; of an undecided finding, those that are not refuted.
    """
    if not findings:
        raise ValueError("Expected `findings` to have at least one, but got none.")
    joined = Finding(_of_some(findings), min(finding.e_no for finding in findings), (), all(finding.tested for finding in findings))
    wanted = [finding for finding in findings if finding.truth is joined.truth]
    if joined.truth is Truth.UNDECIDED:
        wanted = [finding for finding in findings if finding.truth is not Truth.NO]
    return replace(joined, parts=_merged(finding.parts for finding in wanted))


def not_(finding: Finding) -> Finding:
    """Negate a finding: `yes` becomes `no` and `no` becomes `yes`; other values stay.

    Args:
        finding: Finding to negate.

    Returns:
        Negated finding, with the same comparisons.
    """
    return replace(finding, e_yes=finding.e_no, e_no=finding.e_yes)


def _of_some(findings: Sequence[Finding]) -> float:
    """Return the e-value against "no finding holds": the mean over those that are not known for certain."""
    open_ones = [finding.e_yes for finding in findings if finding.e_no != CERTAIN]
    return math.fsum(open_ones) / len(open_ones) if open_ones else 0.0


def _merged(parts: Iterable[tuple[Comparison, ...]]) -> tuple[Comparison, ...]:
    return tuple(dict.fromkeys(part for each in parts for part in each))

"""Findings of claim tests: a truth value and the numbers that decided it.

The logic is Kleene's: one counterexample refutes `all_of` and one example proves `any_of`, even if other findings are unknown.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

MOST_PARTS = 3  # findings shown in one reason; the rest is only counted


class Truth(StrEnum):
    """Result of a test. `undecided`: too few seeds, or within the spread over seeds. `not tested`: a number is missing."""

    YES = "yes"
    NO = "no"
    UNDECIDED = "undecided"
    NOT_TESTED = "not tested"


@dataclass(frozen=True)
class Finding:
    """A truth value and the numbers that decided it."""

    truth: Truth
    parts: tuple[str, ...]

    @property
    def reason(self) -> str:
        """The deciding numbers as one sentence."""
        rest = len(self.parts) - MOST_PARTS
        return "; ".join(self.parts[:MOST_PARTS]) + (f"; and {rest} more" if rest > 0 else "")


def all_of(*findings: Finding) -> Finding:
    """Join findings that must all hold.

    Args:
        findings: At least one finding.

    Returns:
        `no` if any is `no`; else `not tested` if any is; else `undecided` if any is; else `yes`. The reason has the deciding numbers.
    """
    return _first(findings, (Truth.NO, Truth.NOT_TESTED, Truth.UNDECIDED, Truth.YES))


def any_of(*findings: Finding) -> Finding:
    """Join findings of which at least one must hold.

    Args:
        findings: At least one finding.

    Returns:
        `yes` if any is `yes`; else `not tested` if any is; else `undecided` if any is; else `no`. The reason has the deciding numbers.
    """
    return _first(findings, (Truth.YES, Truth.NOT_TESTED, Truth.UNDECIDED, Truth.NO))


def not_(finding: Finding) -> Finding:
    """Negate a finding: `yes` becomes `no` and `no` becomes `yes`; other values stay.

    Args:
        finding: Finding to negate.

    Returns:
        Negated finding, with the same numbers.
    """
    opposite = {Truth.YES: Truth.NO, Truth.NO: Truth.YES}
    return replace(finding, truth=opposite.get(finding.truth, finding.truth))


def _first(findings: tuple[Finding, ...], order: tuple[Truth, ...]) -> Finding:
    if not findings:
        raise ValueError("Expected `findings` to have at least one, but got none.")
    truth = next(truth for truth in order if any(finding.truth is truth for finding in findings))
    parts = (part for finding in findings if finding.truth is truth for part in finding.parts)
    return Finding(truth, tuple(dict.fromkeys(parts)))

"""What a test of a claim finds: a truth and the numbers that decided it.

Logic is Kleene's: one counterexample refutes `all_of`, one example proves `any_of`, whatever is unknown beside it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

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


def _first(findings: tuple[Finding, ...], order: tuple[Truth, ...]) -> Finding:
    if not findings:
        raise ValueError("Expected `findings` to hold at least one, but got none.")
    truth = next(truth for truth in order if any(finding.truth is truth for finding in findings))
    parts = (part for finding in findings if finding.truth is truth for part in finding.parts)
    return Finding(truth, tuple(dict.fromkeys(parts)))

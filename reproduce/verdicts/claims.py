"""Claims: the paper's sentences about its table, as predicates that are tested on the printed numbers and on ours.

A claim is written once, and is tested on both kinds of evidence:

    def best(evidence: Evidence) -> Finding:
        baselines = [(f"baseline-{dilation}", "f_score") for dilation in (2, 4, 6, 8, 10, 12, 14)]
        return evidence.greater(("modified-8", "f_score"), maximum(*baselines))

    CLAIMS = [Claim("best", "even has surpassed the best manually design model", "section 4.3.1", "8's exceeds every baseline", best)]
    results = check_claims(CLAIMS, published, cells)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

from reproduce.verdicts.evidence import Evidence
from reproduce.verdicts.logic import Finding

if TYPE_CHECKING:
    from reproduce.verdicts.compare import ComparedCell
    from reproduce.verdicts.printed import PublishedTable


@dataclass(frozen=True)
class Claim:
    """A sentence of the paper: its exact words, its place in the paper, the tested condition in words, and the test."""

    id: str
    quote: str
    source: str
    tested: str
    test: Callable[[Evidence], Finding]

    @property
    def text(self) -> str:
        """The quote, its source and the tested condition."""
        return f'"{self.quote}" ({self.source}). Tested: {self.tested}.'


class ClaimResult(TypedDict):
    """Result of a tested claim, with the keys of the json."""

    id: str
    text: str
    printed: str
    holds: str
    reason: str


def check_claims(claims: Iterable[Claim], published: PublishedTable, cells: Sequence[ComparedCell]) -> list[ClaimResult]:
    """Test every claim on the printed numbers and on ours.

    Args:
        claims: Claims of the paper.
        published: Printed table.
        cells: Cells that `compare` returned.

    Returns:
        One result per claim, in the same order.
    """
    printed, ours = Evidence.printed(published), Evidence.ours(published, cells)
    results: list[ClaimResult] = []
    for claim in claims:
        there, here = claim.test(printed), claim.test(ours)
        reason = f"Printed: {there.reason}. Ours: {here.reason}."
        results.append({"id": claim.id, "text": claim.text, "printed": str(there.truth), "holds": str(here.truth), "reason": reason})
    return results

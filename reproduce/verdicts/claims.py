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
from typing import TYPE_CHECKING, Any, TypedDict

from reproduce.verdicts.e_values import DECISIVE, LEVEL
from reproduce.verdicts.evidence import Evidence
from reproduce.verdicts.logic import Comparison, Finding, Truth

if TYPE_CHECKING:
    from reproduce.verdicts.compare import ComparedCell
    from reproduce.verdicts.printed import PublishedTable

TEST = "e-value of Student's t over the differences by seed, valid after every seed"
MOST_SEEDS = 200  # that a forecast names
FEWEST_SEEDS = 3  # that can decide: two give no e-value of 20, whatever their difference


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


class Forecast(TypedDict):
    """What should decide an open claim, if differences and spreads stay as they are.

    `seeds` is None if `MOST_SEEDS` are too few. `rows` are the rows that need them.
    """

    seeds: int | None
    rows: list[str]


class ClaimResult(TypedDict):
    """Result of a tested claim, with the keys of the json.

    `level` is the probability of a false `yes`, and of a false `no`, of the whole claim. `comparisons` are those that decided, or are open.
    """

    id: str
    text: str
    printed: str
    holds: str
    reason: str
    test: str
    level: float | None
    e_yes: float
    e_no: float
    comparisons: list[dict[str, Any]]
    forecast: Forecast | None


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
    return [_result(claim, claim.test(printed), claim.test(ours), ours) for claim in claims]


def _result(claim: Claim, there: Finding, here: Finding, ours: Evidence) -> ClaimResult:
    by_seeds = any(part.seeds for part in here.parts)
    forecast = _forecast(claim, here, ours) if here.truth is Truth.UNDECIDED else None
    return {
        "id": claim.id,
        "text": claim.text,
        "printed": str(there.truth),
        "holds": str(here.truth),
        "reason": f"Printed: {there.reason}. Ours: {here.reason}{_open(here, forecast)}.",
        "test": TEST if by_seeds else "",
        "level": LEVEL if by_seeds else None,
        "e_yes": here.e_yes,
        "e_no": here.e_no,
        "comparisons": [_plain(part) for part in here.parts],
        "forecast": forecast,
    }


def _open(here: Finding, forecast: Forecast | None) -> str:
    """Say how far an open claim is from a decision."""
    if forecast is None:
        return ""
    seeds = f"{forecast['seeds']} seeds" if forecast["seeds"] is not None else f"more than {MOST_SEEDS} seeds"
    return f"; evidence {here.e_yes:.2g} for and {here.e_no:.2g} against, {DECISIVE:g} decides: {seeds} should"


def _plain(part: Comparison) -> dict[str, Any]:
    mean = sum(part.differences) / len(part.differences) if part.differences else None
    return {
        "text": part.text,
        "test": part.test,
        "seeds": list(part.seeds),
        "differences": list(part.differences),
        "interval": None if mean is None or part.half_width is None else [mean - part.half_width, mean + part.half_width],
        "pairing_gain": part.gain,
    }


def _forecast(claim: Claim, here: Finding, ours: Evidence) -> Forecast:
    """Return the smallest number of seeds that decides an open claim at the differences and spreads seen."""
    rows = sorted({row for part in here.parts for row, _ in part.cells})
    fewest = min((len(part.seeds) for part in here.parts if part.seeds), default=1)
    if fewest < FEWEST_SEEDS - 1:  # one seed has no spread
        return {"seeds": FEWEST_SEEDS, "rows": rows}
    low, high = fewest, MOST_SEEDS  # the first does not decide; whether the second does is tried first
    decides = claim.test(ours.at(high)).truth is not Truth.UNDECIDED
    while decides and high - low > 1:
        middle = (low + high) // 2
        if claim.test(ours.at(middle)).truth is Truth.UNDECIDED:
            low = middle
        else:
            high = middle
    return {"seeds": high if decides else None, "rows": rows}

from dataclasses import fields, replace
from typing import Any

import pytest

from reproduce.verdicts.claims import Claim, check_claims
from reproduce.verdicts.compare import ComparedCell
from reproduce.verdicts.evidence import Estimate, Evidence, difference, maximum, spread
from reproduce.verdicts.logic import Finding, Truth, all_of, any_of, not_
from reproduce.verdicts.published import load
from reproduce.verdicts.verdict import Verdict

A, B, C, NONE = ("a", "x"), ("b", "x"), ("c", "y"), ("none", "x")
YES, NO = Finding(Truth.YES, ("yes",)), Finding(Truth.NO, ("no",))
UNDECIDED, UNTESTED = Finding(Truth.UNDECIDED, ("undecided",)), Finding(Truth.NOT_TESTED, ("not tested",))


def evidence(a: float, b: float, error: float | None = 0.0) -> Evidence:
    return Evidence({A: Estimate(a, error), B: Estimate(b, error), C: Estimate(2.0, 0.0), NONE: None})


@pytest.mark.parametrize(("a", "b", "expected"), [(2, 1, "yes"), (1, 2, "no"), (1, 1, "no")])
def test_numbers_without_spread_compare_plainly(a: float, b: float, expected: str) -> None:
    assert evidence(a, b).greater(A, B).truth == expected


@pytest.mark.parametrize(
    ("difference", "expected"), [(0.29, "yes"), (0.28, "undecided"), (0, "undecided"), (-0.28, "undecided"), (-0.29, "no")]
)
def test_spread_decides_beyond_twice_the_standard_error(difference: float, expected: str) -> None:
    # 2 sqrt(0.1^2 + 0.1^2) = 0.283
    assert evidence(1 + difference, 1, 0.1).greater(A, B).truth == expected


def test_one_seed_is_undecided() -> None:
    assert evidence(2, 1, None).greater(A, B) == Finding(Truth.UNDECIDED, ("a 2 against b 1 from too few seeds",))


def test_no_number_is_not_tested() -> None:
    assert evidence(2, 1).greater(A, NONE) == Finding(Truth.NOT_TESTED, ("none x has no number",))
    assert evidence(2, 1).greater(NONE, NONE).truth == "not tested"


def test_constants() -> None:
    assert evidence(2, 1).greater(A, 1.5) == Finding(Truth.YES, ("a x 2 > 1.5",))
    assert evidence(2, 1).greater(1.5, A) == Finding(Truth.NO, ("1.5 <= a x 2",))
    assert evidence(2, 1, 0.4).greater(A, 1.5).truth == "undecided"


def test_cells_of_different_columns_are_named_in_full() -> None:
    assert evidence(1, 1).greater(A, C).reason == "a x 1 <= c y 2"


def test_unknown_cell_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"in the table, but got \('d', 'x'\)"):
        evidence(1, 1).greater(A, ("d", "x"))


def test_maximum_on_either_side() -> None:
    assert evidence(3, 1).greater(A, maximum(B, C)).truth == "yes"
    assert evidence(1.5, 1).greater(A, maximum(B, C)) == Finding(Truth.NO, ("a x 1.5 <= c y 2",))
    assert evidence(3, 1).greater(maximum(A, B), C).truth == "yes"
    assert evidence(3, 1).greater(maximum(A, B), maximum(C, 2.5)) == Finding(Truth.YES, ("a x 3 > c y 2", "a x 3 > 2.5"))
    with pytest.raises(ValueError, match="at least one cell"):
        maximum()


def test_differences_on_either_side() -> None:
    assert evidence(3, 1).greater(difference(A, B), 1.5) == Finding(Truth.YES, ("a x - b x 2 > 1.5",))
    assert evidence(3, 1).greater(0.5, difference(A, C)) == Finding(Truth.NO, ("0.5 <= a x - c y 1",))
    assert evidence(3, 1).greater(difference(A, B), difference(B, NONE)).reason == "none x has no number"
    assert evidence(3, 1).greater(difference(A, NONE), NONE).reason == "none x has no number"
    assert evidence(3, 1).greater(difference(A, B), difference(5, A)) == Finding(Truth.NO, ("a x - b x 2 <= 5 - a x 2",))
    assert evidence(3, 1).greater(difference(A, B), B) == Finding(Truth.YES, ("a - b 2 > b 1",))
    with pytest.raises(ValueError, match=r"but got \('d', 'x'\)"):
        evidence(1, 1).greater(difference(A, ("d", "x")), 0)


def test_a_difference_of_printed_numbers_is_as_exact_as_they_are() -> None:
    assert 0.93 - 0.9 > 0.03
    assert evidence(0.93, 0.9).greater(difference(A, B), 0.03) == Finding(Truth.NO, ("a x - b x 0.03 <= 0.03",))


@pytest.mark.parametrize(("apart", "expected"), [(0.29, "yes"), (0.28, "undecided"), (-0.28, "undecided"), (-0.29, "no")])
def test_a_difference_has_the_standard_error_of_both(apart: float, expected: str) -> None:
    assert evidence(1 + apart, 1, 0.1).greater(difference(A, B), 0).truth == expected
    assert evidence(1 + apart, 1, 0.1).greater(difference(A, 5), difference(B, 5)).truth == expected


@pytest.mark.parametrize(("apart", "expected"), [(0.45, "yes"), (0.44, "undecided"), (-0.44, "undecided"), (-0.45, "no")])
def test_a_cell_on_both_sides_is_one_measurement(apart: float, expected: str) -> None:
    # (a - b) - (b - 1) = a - 2 b + 1, and 2 sqrt(0.1^2 + (2 0.1)^2) = 0.447
    assert evidence(1 + apart, 1, 0.1).greater(difference(A, B), difference(B, 1)).truth == expected


def test_a_difference_from_too_few_seeds_is_undecided() -> None:
    assert evidence(2, 1, None).greater(difference(A, 1), 0).reason == "a x - 1 1 against 0 from too few seeds"
    assert evidence(2, 1, None).greater(0, difference(C, B)).truth == "undecided"


def test_differences_in_a_maximum() -> None:
    largest = maximum(difference(A, B), difference(A, C), 0.5)
    assert evidence(3, 1).greater(largest, 1.5) == Finding(Truth.YES, ("a x - b x 2 > 1.5",))
    assert evidence(3, 1).greater(1.5, largest) == Finding(Truth.NO, ("1.5 <= a x - b x 2",))
    assert evidence(3, 1).greater(2.5, largest).truth == "yes"


def test_spread_is_the_largest_minus_the_smallest() -> None:
    assert evidence(3, 1).greater(spread(A, B, C), 1.5) == Finding(Truth.YES, ("a x - b x 2 > 1.5",))
    assert evidence(1, 3).greater(spread(A, B, C), 2.5).truth == "no"
    assert evidence(1, 3).greater(2.5, spread(A, B, C)).truth == "yes"
    with pytest.raises(ValueError, match="at least two, but got 1"):
        spread(A)


@pytest.mark.parametrize(
    ("a", "b", "error", "expected"),
    [
        (1, 1.5, 0.0, "yes"),
        (1.5, 1, 0.0, "yes"),  # no further apart than 0.5
        (1.51, 1, 0.0, "no"),
        (1, 1.51, 0.0, "no"),
        (1, 1.2, 0.1, "yes"),
        (1, 1.3, 0.1, "undecided"),  # 0.3 + 0.283 > 0.5
        (1.7, 1, 0.1, "undecided"),
        (1, 1.8, 0.1, "no"),
        (1, 1, None, "undecided"),
    ],
)
def test_within(a: float, b: float, error: float | None, expected: str) -> None:
    assert evidence(a, b, error).at_most_apart(A, B, 0.5).truth == evidence(a, b, error).at_most_apart(B, A, 0.5).truth == expected


def test_within_says_how_far_apart() -> None:
    assert evidence(1, 1.2).at_most_apart(A, B, 0.5).reason == "a x - b x -0.2 <= 0.5; b x - a x 0.2 <= 0.5"
    assert evidence(1, 1.8).at_most_apart(A, B, 0.5).reason == "b x - a x 0.8 > 0.5"
    assert evidence(1, 1).at_most_apart(A, 1.2, 0.5).truth == "yes"
    assert evidence(1, 1).at_most_apart(A, NONE, 0.5).reason == "none x has no number"


@pytest.mark.parametrize(
    ("findings", "every", "some"),
    [
        ((YES, YES), YES, YES),
        ((YES, NO), NO, YES),
        ((NO, NO), NO, NO),
        ((YES, UNDECIDED), UNDECIDED, YES),
        ((NO, UNDECIDED), NO, UNDECIDED),
        ((YES, UNTESTED), UNTESTED, YES),
        ((NO, UNTESTED), NO, UNTESTED),
        ((UNDECIDED, UNTESTED), UNTESTED, UNTESTED),
    ],
)
def test_kleene(findings: tuple[Finding, ...], every: Finding, some: Finding) -> None:
    assert all_of(*findings) == all_of(*reversed(findings)) == every
    assert any_of(*findings) == any_of(*reversed(findings)) == some
    # De Morgan
    assert not_(any_of(*(not_(finding) for finding in findings))).truth == every.truth


def test_not_keeps_what_is_unknown() -> None:
    assert [not_(finding).truth for finding in (YES, NO, UNDECIDED, UNTESTED)] == ["no", "yes", "undecided", "not tested"]


def test_no_findings_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one"):
        all_of()


def test_long_reasons_are_counted() -> None:
    assert Finding(Truth.NO, tuple("abcdefghij")).reason == "a; b; c; and 7 more"


def compared(row_key: str, column: str, kind: Any, mean: Any, std: Any, n: int) -> ComparedCell:
    """A cell of which nothing else counts."""
    text: Any = ""
    others = {item.name: text for item in fields(ComparedCell)}
    return ComparedCell(**others | {"row_key": row_key, "column": column, "kind": kind, "mean": mean, "std": std, "n": n})


def cells(**scores: tuple[float | None, float | None, int]) -> list[ComparedCell]:
    return [compared(row.replace("_", "-"), "f_score", "trained", mean, std, n) for row, (mean, std, n) in scores.items()]


def improves(evidence: Evidence) -> Finding:
    pairs = (("modified-6", "baseline-6"), ("modified-8", "baseline-8"))
    return all_of(*(evidence.greater((modified, "f_score"), (baseline, "f_score")) for modified, baseline in pairs))


@pytest.mark.parametrize(
    ("modified", "holds", "ours"),
    [
        ((0.95, 0.01, 4), "yes", "modified-6 0.95000 ± 0.01000 > baseline-6 0.90000 ± 0.01000"),
        ((0.91, 0.01, 4), "undecided", "modified-6 0.91000 ± 0.01000 against baseline-6 0.90000 ± 0.01000 is within the spread"),
        ((0.85, 0.01, 4), "no", "modified-6 0.85000 ± 0.01000 <= baseline-6 0.90000 ± 0.01000"),
        ((0.95, None, 1), "undecided", "modified-6 0.9500 against baseline-6 0.90000 ± 0.01000 from too few seeds"),
        ((None, None, 0), "not tested", "modified-6 f_score has no number"),
    ],
)
def test_a_claim_is_tested_twice(modified: tuple[float | None, float | None, int], holds: str, ours: str) -> None:
    measured = cells(modified_6=modified, baseline_6=(0.9, 0.01, 4), modified_8=(0.95, 0.01, 4), baseline_8=(0.9, 0.01, 4))
    (result,) = check_claims([Claim("improve", "they improve", "section 4.3.1", "it exceeds its own", improves)], load("table1"), measured)
    assert list(result) == ["id", "text", "printed", "holds", "reason"]
    assert (result["printed"], result["holds"]) == ("no", holds)
    assert result["reason"].startswith("Printed: modified-6 0.8995 <= baseline-6 0.9001. Ours: ")
    assert ours in result["reason"]


def test_exact_cells_need_no_seeds() -> None:
    computed = [compared(row, "rf_fc6", "exact", mean, None, 1) for row, mean in (("modified-8", 284.0), ("baseline-8", 404.0))]
    ours = Evidence.ours(load("table1"), computed)
    assert ours.greater(("baseline-8", "rf_fc6"), ("modified-8", "rf_fc6")) == Finding(Truth.YES, ("baseline-8 404 > modified-8 284",))
    assert ours.greater(("baseline-4", "rf_fc6"), 0.0).truth == "not tested"


def list_cells(mean: object, std: object, n: int) -> list[ComparedCell]:
    return [compared("modified-bipath", "f", "trained", mean, std, n)]


FIRST, SECOND = ("modified-bipath", "f[0]"), ("modified-bipath", "f[1]")


def test_members_of_a_printed_list_are_named_by_their_place() -> None:
    printed = Evidence.printed(load("table3"))
    assert printed.greater(FIRST, SECOND) == Finding(Truth.YES, ("modified-bipath f[0] 3.32 > modified-bipath f[1] 1.27",))
    assert printed.greater(("modified-bipath", "f"), 1.0).truth == "not tested"  # two numbers at once have no order
    with pytest.raises(ValueError, match=r"but got \('modified-bipath', 'f\[2\]'\)"):
        printed.greater(("modified-bipath", "f[2]"), 1.0)


@pytest.mark.parametrize(
    ("mean", "std", "n", "truth"),
    [
        ([1.5, 1.0], [0.1, 0.1], 4, "yes"),
        ([1.0, 1.5], [0.1, 0.1], 4, "no"),
        ([1.5, 1.0], [0.5, 0.1], 4, "undecided"),
        ([1.5, 1.0], None, 1, "undecided"),
        (None, None, 0, "not tested"),
    ],
)
def test_members_of_our_lists_have_their_own_spread(mean: object, std: object, n: int, truth: str) -> None:
    assert Evidence.ours(load("table3"), list_cells(mean, std, n)).greater(FIRST, SECOND).truth == truth


MODIFIED, BASELINE = ("modified-6", "f_score"), ("baseline-6", "f_score")


@pytest.mark.parametrize(
    ("modified", "reason"),
    [
        ((0.95, 0.03, 4), "modified-6 f_score - baseline-6 f_score 0.05000 ± 0.05000 > 0"),
        ((0.95, 0.03, 2), "modified-6 f_score - baseline-6 f_score 0.05000 ± 0.05000 against 0 from too few seeds"),
        ((0.95, None, 1), "modified-6 f_score - baseline-6 f_score 0.0500 against 0 from too few seeds"),
        ((None, None, 0), "modified-6 f_score has no number"),
    ],
)
def test_our_difference_has_the_spread_of_both(modified: tuple[float | None, float | None, int], reason: str) -> None:
    ours = Evidence.ours(load("table1"), cells(modified_6=modified, baseline_6=(0.9, 0.04, 400)))
    assert ours.greater(difference(MODIFIED, BASELINE), 0).reason == reason


def test_the_difference_of_a_computed_cell_and_a_constant_has_no_spread() -> None:
    ours = Evidence.ours(load("table1"), [compared("modified-8", "rf_fc6", "exact", 284.0, None, 1)])
    assert ours.greater(difference(("modified-8", "rf_fc6"), 280), 3.5).reason == "modified-8 rf_fc6 - 280 4 > 3.5"


def test_printed_differences() -> None:
    printed = Evidence.printed(load("table1"))
    assert printed.greater(difference(BASELINE, MODIFIED), 0).reason == "baseline-6 f_score - modified-6 f_score 0.0006 > 0"
    assert printed.at_most_apart(BASELINE, MODIFIED, 0.0006).truth == "yes"
    assert Evidence.printed(load("table3")).greater(difference(FIRST, SECOND), 2).reason == (
        "modified-bipath f[0] - modified-bipath f[1] 2.05 > 2"
    )


def test_a_cell_with_failed_seeds_decides_no_claim() -> None:
    """The seeds that survive are not a fair sample."""
    failed = replace(compared(*MODIFIED, "trained", 0.95, 0.01, 4), verdict=Verdict.FAILED)
    ours = Evidence.ours(load("table1"), [failed, compared(*BASELINE, "trained", 0.9, 0.01, 5)])
    assert ours.greater(MODIFIED, BASELINE) == Finding(Truth.NOT_TESTED, ("modified-6 f_score has failed seeds",))

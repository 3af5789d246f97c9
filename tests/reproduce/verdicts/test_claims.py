import math
import statistics
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

import pytest

from reproduce.verdicts.claims import Claim, check_claims
from reproduce.verdicts.compare import ComparedCell
from reproduce.verdicts.e_values import CERTAIN, e_value
from reproduce.verdicts.evidence import Evidence, difference, maximum, spread
from reproduce.verdicts.logic import Comparison, Finding, all_of, any_of, not_
from reproduce.verdicts.pairs import Estimate
from reproduce.verdicts.published import load
from reproduce.verdicts.verdict import Verdict

A, B, C, NONE = ("a", "x"), ("b", "x"), ("c", "y"), ("none", "x")
YES, NO = Finding(CERTAIN, 0.0, (Comparison("yes"),)), Finding(0.0, CERTAIN, (Comparison("no"),))
UNDECIDED, UNTESTED = Finding(1.0, 1.0, (Comparison("undecided"),)), Finding(0.0, 0.0, (Comparison("not tested"),), tested=False)
NOISE = (-0.1, 0.1, -0.05, 0.05, 0.0)  # of five seeds; its mean is 0


def evidence(a: float, b: float) -> Evidence:
    """Numbers without spread."""
    return Evidence({A: Estimate(a), B: Estimate(b), C: Estimate(2.0), NONE: None})


def by_seed(mean: float, noise: tuple[float, ...] = NOISE, first: int = 0) -> dict[int, float]:
    return {first + seed: mean + each for seed, each in enumerate(noise)}


def seeded(a: float | Mapping[int, float], b: float | Mapping[int, float], quantum: float = 0.0) -> Evidence:
    """Numbers by seed; a number stands for five seeds with noise that is not the other side's."""
    other = tuple(NOISE[(index + 2) % 5] for index in range(5))
    left, right = by_seed(a) if isinstance(a, float) else a, by_seed(b, other) if isinstance(b, float) else b
    return Evidence({A: Estimate(left, quantum=quantum), B: Estimate(right, quantum=quantum), C: Estimate(2.0), NONE: None})


@pytest.mark.parametrize(("a", "b", "expected"), [(2, 1, "yes"), (1, 2, "no"), (1, 1, "no")])
def test_numbers_without_spread_compare_plainly(a: float, b: float, expected: str) -> None:
    assert evidence(a, b).greater(A, B).truth == expected


@pytest.mark.parametrize(("apart", "expected"), [(0.6, "yes"), (0.1, "undecided"), (0.0, "undecided"), (-0.1, "undecided"), (-0.6, "no")])
def test_the_e_value_of_the_differences_decides(apart: float, expected: str) -> None:
    finding = seeded(1.0 + apart, 1.0).greater(A, B)
    differences = [1 + apart + NOISE[index] - 1 - NOISE[(index + 2) % 5] for index in range(5)]
    assert finding.truth == expected
    assert finding.e_yes == pytest.approx(e_value(apart, statistics.stdev(differences), 5))
    assert finding.e_no == pytest.approx(e_value(-apart, statistics.stdev(differences), 5))
    assert finding.parts[0].differences == pytest.approx(differences)


def test_equal_cells_are_neither_greater_nor_smaller() -> None:
    assert seeded(by_seed(1.0), by_seed(1.0)).greater(A, B).truth == "undecided"
    assert seeded(by_seed(0.0, (0.0,) * 9), by_seed(0.0, (0.0,) * 9)).greater(A, B).truth == "undecided"  # both collapsed to 0


def test_seeds_are_paired_and_the_gain_is_said() -> None:
    """Both sides move by 0.1 with the seed, and their difference by 0.01."""
    ours = seeded(by_seed(1.05), by_seed(1.0, tuple(each * 0.9 for each in NOISE)))
    (part,) = ours.greater(A, B).parts
    assert part.test == "t over 5 pairs by seed"
    assert part.seeds == (0, 1, 2, 3, 4)
    assert ours.greater(A, B).truth == "yes"
    std = [statistics.stdev(by_seed(0.0).values()), statistics.stdev(each * 0.9 for each in NOISE), statistics.stdev(NOISE) * 0.1]
    assert part.gain == pytest.approx(math.hypot(std[0], std[1]) / std[2])


def test_only_common_seeds_are_compared() -> None:
    (part,) = seeded(by_seed(1.05), by_seed(1.0, first=2)).greater(A, B).parts
    assert part.seeds == (2, 3, 4)
    assert part.differences == pytest.approx([1.0 - 0.9, 1.1 - 1.1, 1.05 - 0.95])


def test_different_seeds_are_paired_in_their_order() -> None:
    (part,) = seeded(by_seed(1.05), by_seed(1.0, (0.0, 0.1, 0.2), first=10)).greater(A, B).parts
    assert part.test == "t over 3 pairs in the order of different seeds"
    assert part.differences == pytest.approx([-0.05, 0.05, -0.2])


def test_equal_differences_are_judged_with_their_quantum() -> None:
    """Three seeds with 8 px each may be rounding; with 80 px they are not."""
    for apart, expected in ((8.0, "undecided"), (80.0, "yes")):
        ours = seeded(by_seed(100 + apart, (0.0,) * 3), by_seed(100.0, (0.0,) * 3), quantum=8)
        assert ours.greater(A, B).truth == expected
    assert seeded(by_seed(0.5, (0.0,) * 3), by_seed(0.0, (0.0,) * 3), quantum=1e-4).greater(A, B).truth == "yes"  # one side collapsed


def test_one_seed_is_undecided() -> None:
    finding = seeded({0: 2.0}, {0: 1.0}).greater(A, B)
    assert finding.truth == "undecided"
    assert finding.reason == "a 2 against b 1 (1 pair by seed)"


def test_no_number_is_not_tested() -> None:
    assert evidence(2, 1).greater(A, NONE) == Finding(0.0, 0.0, (Comparison("none x has no number"),), tested=False)
    assert evidence(2, 1).greater(NONE, NONE).truth == "not tested"


def said(finding: Finding) -> tuple[str, str]:
    return str(finding.truth), finding.reason


def test_constants() -> None:
    assert said(evidence(2, 1).greater(A, 1.5)) == ("yes", "a x 2 > 1.5")
    assert said(evidence(2, 1).greater(1.5, A)) == ("no", "1.5 <= a x 2")
    assert seeded(1.52, 1.0).greater(A, 1.5).truth == "undecided"


def test_cells_of_different_columns_are_named_in_full() -> None:
    assert evidence(1, 1).greater(A, C).reason == "a x 1 <= c y 2"


def test_unknown_cell_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"in the table, but got \('d', 'x'\)"):
        evidence(1, 1).greater(A, ("d", "x"))


def test_maximum_on_either_side() -> None:
    assert evidence(3, 1).greater(A, maximum(B, C)).truth == "yes"
    assert said(evidence(1.5, 1).greater(A, maximum(B, C))) == ("no", "a x 1.5 <= c y 2")
    assert evidence(3, 1).greater(maximum(A, B), C).truth == "yes"
    assert said(evidence(3, 1).greater(maximum(A, B), maximum(C, 2.5))) == ("yes", "a x 3 > c y 2; a x 3 > 2.5")
    with pytest.raises(ValueError, match="at least one cell"):
        maximum()


def test_differences_on_either_side() -> None:
    assert said(evidence(3, 1).greater(difference(A, B), 1.5)) == ("yes", "a x - b x 2 > 1.5")
    assert said(evidence(3, 1).greater(0.5, difference(A, C))) == ("no", "0.5 <= a x - c y 1")
    assert evidence(3, 1).greater(difference(A, B), difference(B, NONE)).reason == "none x has no number"
    assert evidence(3, 1).greater(difference(A, NONE), NONE).reason == "none x has no number"
    assert said(evidence(3, 1).greater(difference(A, B), difference(5, A))) == ("no", "a x - b x 2 <= 5 - a x 2")
    assert said(evidence(3, 1).greater(difference(A, B), B)) == ("yes", "a - b 2 > b 1")
    with pytest.raises(ValueError, match=r"but got \('d', 'x'\)"):
        evidence(1, 1).greater(difference(A, ("d", "x")), 0)


def test_a_difference_of_printed_numbers_is_as_exact_as_they_are() -> None:
    assert 0.93 - 0.9 > 0.03
    assert said(evidence(0.93, 0.9).greater(difference(A, B), 0.03)) == ("no", "a x - b x 0.03 <= 0.03")


@pytest.mark.parametrize(("apart", "expected"), [(0.6, "yes"), (0.1, "undecided"), (-0.1, "undecided"), (-0.6, "no")])
def test_a_difference_has_the_spread_of_both(apart: float, expected: str) -> None:
    plain = seeded(1 + apart, 1.0).greater(A, B)
    for finding in (
        seeded(1 + apart, 1.0).greater(difference(A, B), 0),
        seeded(1 + apart, 1.0).greater(difference(A, 5), difference(B, 5)),
    ):
        assert (finding.e_yes, finding.e_no, finding.truth) == pytest.approx((plain.e_yes, plain.e_no, expected))


def test_a_cell_on_both_sides_is_one_measurement() -> None:
    # (a - b) - (b - 1) = a - 2 b + 1
    (part,) = seeded(1.3, 1.0).greater(difference(A, B), difference(B, 1)).parts
    assert part.differences == pytest.approx([1.3 + NOISE[index] - 2 * (1 + NOISE[(index + 2) % 5]) + 1 for index in range(5)])


def test_a_difference_from_too_few_seeds_is_undecided() -> None:
    assert seeded({0: 2.0}, {0: 1.0}).greater(difference(A, 1), 0).reason == "a x - 1 1 against 0 (1 seed)"
    assert seeded({0: 2.0}, {0: 1.0}).greater(0, difference(C, B)).truth == "undecided"


def test_differences_in_a_maximum() -> None:
    largest = maximum(difference(A, B), difference(A, C), 0.5)
    assert said(evidence(3, 1).greater(largest, 1.5)) == ("yes", "a x - b x 2 > 1.5")
    assert said(evidence(3, 1).greater(1.5, largest)) == ("no", "1.5 <= a x - b x 2")
    assert evidence(3, 1).greater(2.5, largest).truth == "yes"


def test_spread_is_the_largest_minus_the_smallest() -> None:
    assert said(evidence(3, 1).greater(spread(A, B, C), 1.5)) == ("yes", "a x - b x 2 > 1.5")
    assert evidence(1, 3).greater(spread(A, B, C), 2.5).truth == "no"
    assert evidence(1, 3).greater(2.5, spread(A, B, C)).truth == "yes"
    with pytest.raises(ValueError, match="at least two, but got 1"):
        spread(A)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [(1, 1.5, "yes"), (1.5, 1, "yes"), (1.51, 1, "no"), (1, 1.51, "no")],  # no further apart than 0.5
)
def test_within(a: float, b: float, expected: str) -> None:
    assert evidence(a, b).at_most_apart(A, B, 0.5).truth == evidence(a, b).at_most_apart(B, A, 0.5).truth == expected


@pytest.mark.parametrize(("apart", "expected"), [(0.0, "yes"), (0.4, "undecided"), (-0.6, "undecided"), (1.4, "no"), (-1.4, "no")])
def test_within_by_seed(apart: float, expected: str) -> None:
    assert seeded(1 + apart, 1.0).at_most_apart(A, B, 0.5).truth == expected


@pytest.mark.parametrize(("apart", "expected"), [(0.7, "yes"), (-0.7, "yes"), (0.0, "undecided")])
def test_differ_in_either_direction(apart: float, expected: str) -> None:
    assert seeded(1 + apart, 1.0).differ(A, B).truth == expected
    assert evidence(1 + apart, 1).differ(A, B).truth == ("yes" if apart else "no")  # equal numbers without spread do not differ
    assert evidence(1, 1).differ(A, NONE).truth == "not tested"


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
    assert said(all_of(*findings)) == said(all_of(*reversed(findings))) == said(every)
    assert said(any_of(*findings)) == said(any_of(*reversed(findings))) == said(some)
    # De Morgan
    assert not_(any_of(*(not_(finding) for finding in findings))).truth == every.truth


def test_not_keeps_what_is_unknown() -> None:
    assert [not_(finding).truth for finding in (YES, NO, UNDECIDED, UNTESTED)] == ["no", "yes", "undecided", "not tested"]


def test_no_findings_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one"):
        all_of()


def test_a_sentence_is_proven_by_its_weakest_part_and_refuted_by_the_mean() -> None:
    parts = [Finding(e_yes, e_no, ()) for e_yes, e_no in ((30.0, 0.1), (25.0, 0.2), (40.0, 0.3))]
    assert (all_of(*parts).e_yes, all_of(*parts).e_no) == (25.0, pytest.approx(0.2))
    assert (any_of(*parts).e_yes, any_of(*parts).e_no) == (pytest.approx(95 / 3), 0.1)
    assert (all_of(*parts, YES).e_yes, all_of(*parts, YES).e_no) == (25.0, pytest.approx(0.2))  # what is certain takes no part in the mean
    assert (all_of(*parts, NO).truth, any_of(*parts, NO).e_yes) == ("no", pytest.approx(95 / 3))


def test_an_open_sentence_names_its_open_parts() -> None:
    strong, weak, reversed_ = (Finding(*e, (Comparison(name),)) for name, e in (("a", (50, 0)), ("b", (2, 0)), ("c", (0, 25))))
    assert said(all_of(strong, weak)) == ("undecided", "b")
    assert said(all_of(strong, weak, reversed_)) == ("undecided", "b; c")  # 25 / 3 is no proof
    assert said(any_of(strong, weak, reversed_)) == ("undecided", "a; b")


def test_long_reasons_are_counted() -> None:
    assert Finding(0.0, CERTAIN, tuple(map(Comparison, "abcdefghij"))).reason == "a; b; c; and 7 more"


def compared(row_key: str, column: str, kind: Any, *values: Any) -> ComparedCell:
    """A cell with a value per seed, of which nothing else counts."""
    text: Any = ""
    others = {item.name: text for item in fields(ComparedCell)}
    means = [statistics.fmean(each) for each in zip(*values, strict=True)] if values and isinstance(values[0], list) else None
    mean = means or (statistics.fmean(values) if values else None)
    here = {"row_key": row_key, "column": column, "kind": kind, "mean": mean, "values": list(values), "seeds": list(range(len(values)))}
    return ComparedCell(**others | here)


def cells(**scores: float | tuple[float, ...]) -> list[ComparedCell]:
    """Scores by row: a mean, of four seeds with a standard deviation of 0.01, or the score of each seed."""
    noise = [each * 0.01 / statistics.stdev((-3, -1, 1, 3)) for each in (-3, -1, 1, 3)]
    return [
        compared(row.replace("_", "-"), "f_score", "trained", *([values + each for each in noise] if isinstance(values, float) else values))
        for row, values in scores.items()
    ]


def improves(evidence: Evidence) -> Finding:
    pairs = (("modified-6", "baseline-6"), ("modified-8", "baseline-8"))
    return all_of(*(evidence.greater((modified, "f_score"), (baseline, "f_score")) for modified, baseline in pairs))


MIXED = (0.91, 0.90, 0.92, 0.90)


@pytest.mark.parametrize(
    ("modified", "holds", "ours"),
    [
        ((0.95, 0.96, 0.94, 0.95), "yes", "modified-6 0.95000 ± 0.00816 > baseline-6 0.90000 ± 0.01000 (difference 0.05, 95 % interval"),
        (MIXED, "undecided", "modified-6 0.90750 ± 0.00957 against baseline-6 0.90000 ± 0.01000 (difference 0.0075, 95 % interval"),
        ((0.85, 0.86, 0.84, 0.855), "no", "modified-6 0.85125 ± 0.00854 < baseline-6 0.90000 ± 0.01000"),
        ((0.95,), "undecided", "modified-6 0.9500 against baseline-6 0.90000 ± 0.01000 (1 pair by seed); evidence 1 for"),
        ((), "not tested", "modified-6 f_score has no number"),
    ],
)
def test_a_claim_is_tested_twice(modified: tuple[float, ...], holds: str, ours: str) -> None:
    measured = cells(modified_6=modified, baseline_6=0.9, modified_8=(0.99, 0.995, 1.0, 0.99), baseline_8=0.9)
    (result,) = check_claims([Claim("improve", "they improve", "section 4.3.1", "it exceeds its own", improves)], load("table1"), measured)
    keys = ["id", "text", "printed", "holds", "reason", "test", "level", "e_yes", "e_no", "comparisons", "forecast"]
    assert list(result) == keys
    assert (result["printed"], result["holds"]) == ("no", holds)
    assert result["reason"].startswith("Printed: modified-6 0.8995 <= baseline-6 0.9001. Ours: ")
    assert ours in result["reason"]
    assert (result["forecast"] is None) == (holds != "undecided")


def test_an_open_claim_says_what_should_decide_it() -> None:
    claim = Claim("improve", "they improve", "section 4.3.1", "it exceeds its own", improves)
    measured = cells(modified_6=MIXED, baseline_6=0.9, modified_8=(0.99, 0.995, 1.0, 0.99), baseline_8=0.9)
    (result,) = check_claims([claim], load("table1"), measured)
    forecast = result["forecast"]
    assert forecast is not None
    assert forecast["seeds"] is not None
    assert forecast["rows"] == ["baseline-6", "modified-6"]  # the other pair is decided
    ours = Evidence.ours(load("table1"), measured)
    assert claim.test(ours.at(forecast["seeds"])).truth == "yes"
    assert claim.test(ours.at(forecast["seeds"] - 1)).truth == "undecided"
    (comparison,) = result["comparisons"]
    assert comparison["seeds"] == [0, 1, 2, 3]
    assert comparison["interval"][0] < 0 < comparison["interval"][1]
    (first,) = check_claims([claim], load("table1"), cells(modified_6=(0.9,), baseline_6=0.9, modified_8=(0.9,), baseline_8=0.9))
    assert first["forecast"] is not None
    assert first["forecast"]["seeds"] == 3  # one seed says nothing of a spread


def test_exact_cells_need_no_seeds() -> None:
    computed = [compared(row, "rf_fc6", "exact", mean) for row, mean in (("modified-8", 284.0), ("baseline-8", 404.0))]
    ours = Evidence.ours(load("table1"), computed)
    assert said(ours.greater(("baseline-8", "rf_fc6"), ("modified-8", "rf_fc6"))) == ("yes", "baseline-8 404 > modified-8 284")
    assert ours.greater(("baseline-4", "rf_fc6"), 0.0).truth == "not tested"


FIRST, SECOND = ("modified-bipath", "f[0]"), ("modified-bipath", "f[1]")


def test_members_of_a_printed_list_are_named_by_their_place() -> None:
    printed = Evidence.printed(load("table3"))
    assert said(printed.greater(FIRST, SECOND)) == ("yes", "modified-bipath f[0] 3.32 > modified-bipath f[1] 1.27")
    assert printed.greater(("modified-bipath", "f"), 1.0).truth == "not tested"  # two numbers at once have no order
    with pytest.raises(ValueError, match=r"but got \('modified-bipath', 'f\[2\]'\)"):
        printed.greater(("modified-bipath", "f[2]"), 1.0)


@pytest.mark.parametrize(
    ("values", "truth"),
    [
        ([[1.5, 1.0], [1.6, 1.1], [1.5, 1.1], [1.4, 0.9]], "yes"),
        ([[1.0, 1.5], [1.1, 1.6], [1.1, 1.5], [0.9, 1.4]], "no"),
        ([[1.5, 1.0], [1.0, 1.5], [1.6, 1.1]], "undecided"),
        ([[1.5, 1.0]], "undecided"),
        ([], "not tested"),
    ],
)
def test_members_of_our_lists_have_their_own_spread(values: list[list[float]], truth: str) -> None:
    ours = Evidence.ours(load("table3"), [compared("modified-bipath", "f", "trained", *values)])
    assert ours.greater(FIRST, SECOND).truth == truth


MODIFIED, BASELINE = ("modified-6", "f_score"), ("baseline-6", "f_score")


@pytest.mark.parametrize(
    ("modified", "reason"),
    [
        ((0.95, 0.94), "modified-6 f_score - baseline-6 f_score 0.05275 ± 0.01255 against 0 (difference 0.0527,"),
        ((0.95,), "modified-6 f_score - baseline-6 f_score 0.0616 against 0 (1 pair by seed)"),
        ((), "modified-6 f_score has no number"),
    ],
)
def test_our_difference_has_the_spread_of_both(modified: tuple[float, ...], reason: str) -> None:
    ours = Evidence.ours(load("table1"), cells(modified_6=modified, baseline_6=0.9))
    assert ours.greater(difference(MODIFIED, BASELINE), 0).reason.startswith(reason)


def test_the_difference_of_a_computed_cell_and_a_constant_has_no_spread() -> None:
    ours = Evidence.ours(load("table1"), [compared("modified-8", "rf_fc6", "exact", 284.0)])
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
    failed = replace(compared(*MODIFIED, "trained", 0.95, 0.96, 0.95), verdict=Verdict.FAILED)
    ours = Evidence.ours(load("table1"), [failed, compared(*BASELINE, "trained", 0.9, 0.91, 0.9)])
    assert said(ours.greater(MODIFIED, BASELINE)) == ("not tested", "modified-6 f_score has failed seeds")

import math
import re
from dataclasses import replace

import pytest

from reproduce.verdicts.verdict import Judgement, Measured, Printed, Verdict, center, judge, spread

PRINTED = Printed((0.9012,), 4, 0.01)
TRAINED = Measured("trained", ((0.9,), (0.901,), (0.902,)), profile="paper", data="Helen", device="1 GPU", verified=True)


def verdict(printed: Printed, measured: Measured) -> Verdict:
    return judge(printed, measured).verdict


@pytest.mark.parametrize(("value", "expected"), [(316.0, "exact"), (316.4, "exact"), (316.6, "mismatch"), (317.0, "mismatch")])
def test_exact_means_equal_at_the_printed_digits(value: float, expected: str) -> None:
    assert verdict(Printed((316.0,), 0), Measured("exact", ((value,),))) == expected


def test_either_rounding_of_a_half_is_exact() -> None:
    printed = Printed((0.12,), 2)
    assert verdict(printed, Measured("exact", ((0.115,),))) == verdict(printed, Measured("exact", ((0.125,),))) == "exact"


def test_exact_cells_are_compared_in_every_profile() -> None:
    assert verdict(Printed((316.0,), 0), Measured("exact", ((316.0,),), profile="demo", verified=False)) == "exact"


def test_an_audit_that_is_off_is_the_papers() -> None:
    judgement = judge(Printed((336.0,), 0), Measured("exact", ((316.0,),), audit=True))
    assert judgement.verdict == "paper inconsistent"
    assert judgement.reason == "the paper's own formula gives 316 where 336 is printed"


@pytest.mark.parametrize(
    ("ours", "expected"),
    [((268.0, 372.0), "exact"), ((268.0, 380.0), "mismatch"), ((268.0,), "mismatch"), ((268.0, 372.0, 1.0), "mismatch")],
)
def test_lists_are_compared_number_by_number(ours: tuple[float, ...], expected: str) -> None:
    assert verdict(Printed((268.0, 372.0), 0), Measured("exact", (ours,))) == expected


def test_three_seeds_give_the_tolerance() -> None:
    tolerance = 2 * 0.001 * math.sqrt(1 + 1 / 3)
    for sign in (-1, 1):
        inside = replace(PRINTED, numbers=(0.901 + sign * 0.999 * tolerance,))
        outside = replace(PRINTED, numbers=(0.901 + sign * 1.001 * tolerance,))
        assert verdict(inside, TRAINED) == "within"
        assert verdict(outside, TRAINED) == "outside"
    assert judge(PRINTED, TRAINED).tolerance == pytest.approx((tolerance,))


def test_half_the_last_printed_digit_is_the_least_tolerance() -> None:
    same = replace(TRAINED, samples=((0.90122,),) * 3)
    assert judge(PRINTED, same) == Judgement(Verdict.WITHIN, judge(PRINTED, same).reason, (0.00005,))
    assert verdict(PRINTED, replace(TRAINED, samples=((0.9013,),) * 3)) == "outside"


@pytest.mark.parametrize(
    ("samples", "expected"), [([0.8912], "within"), ([0.8911], "outside"), ([0.88, 0.91], "within"), ([0.88], "outside")]
)
def test_fewer_seeds_take_the_declared_tolerance(samples: list[float], expected: str) -> None:
    judgement = judge(PRINTED, replace(TRAINED, samples=tuple((value,) for value in samples)))
    assert judgement.verdict == expected
    assert judgement.tolerance == (0.01,)
    assert f"n = {len(samples)} is fewer than 3 seeds" in judgement.reason


def test_without_a_declared_tolerance_the_digits_decide() -> None:
    assert judge(replace(PRINTED, tolerance=None), replace(TRAINED, samples=((0.9,),))).tolerance == (0.00005,)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"profile": "small"}, "profile small, not paper"),
        ({"verified": False}, r"data or start weights not verified \(Helen\)"),
        ({"kind": "timed"}, r"speed on other hardware than the paper's \(1 GPU\)"),
        ({"profile": "demo", "verified": False}, r"profile demo, not paper; data or start weights not verified \(Helen\)"),
    ],
)
def test_other_conditions_are_not_comparable_and_say_which(change: dict[str, object], reason: str) -> None:
    judgement = judge(PRINTED, replace(TRAINED, **change))  # type: ignore[arg-type]
    assert judgement.verdict == "not comparable"
    assert re.fullmatch(reason, judgement.reason)
    assert judgement.tolerance is None


def test_a_failed_seed_makes_the_cell_failed_and_is_named() -> None:
    """The seeds that survive are not a fair sample: one of five would be `within` by itself."""
    judgement = judge(PRINTED, replace(TRAINED, samples=((0.9,), (0.901,)), failures=("seed 2 failed: out of memory",)))
    assert judgement == Judgement(Verdict.FAILED, "seed 2 failed: out of memory")


def test_no_number_is_failed_or_not_run() -> None:
    nothing = replace(TRAINED, samples=())
    assert judge(PRINTED, nothing) == Judgement(Verdict.NOT_RUN, "not started")
    assert judge(PRINTED, replace(nothing, waiting=("2 of 55,000 steps",))) == Judgement(Verdict.NOT_RUN, "2 of 55,000 steps")
    assert judge(PRINTED, replace(nothing, failures=("failed: x",))) == Judgement(Verdict.FAILED, "failed: x")


def test_unknown_printed_numbers_are_unpublished_with_the_note() -> None:
    unknown = Printed(None, 4, note="not in the text")
    assert judge(unknown, TRAINED) == Judgement(Verdict.UNPUBLISHED, "not in the text")
    assert verdict(unknown, replace(TRAINED, samples=())) == "not run"
    assert verdict(unknown, Measured("published", ())) == "unpublished"


def test_quoted_rows_are_published_only() -> None:
    assert verdict(PRINTED, Measured("published", ())) == "published only"


def test_mean_and_sample_deviation() -> None:
    samples = ((1.0, 10.0), (3.0, 10.0))
    assert center(samples) == (2.0, 10.0)
    assert spread(samples) == pytest.approx((math.sqrt(2), 0.0))
    assert spread(samples[:1]) is None
    assert center(()) is None
    assert center(((1.0,), (1.0, 2.0))) is None

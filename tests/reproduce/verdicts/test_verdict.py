import math
import re
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from reproduce.verdicts.verdict import Judgement, Measured, Printed, Spread, Verdict, center, judge, seeds_needed, spread

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


def test_three_seeds_give_the_interval_of_one_more_run() -> None:
    """Student's t of two degrees of freedom is 4.303 at 97.5 %, and 9.925 at 99.5 %."""
    tolerance, beyond = (t * 0.001 * math.sqrt(1 + 1 / 3) for t in (4.302652729911275, 9.92484320091807))
    for sign in (-1, 1):
        inside = replace(PRINTED, numbers=(0.901 + sign * 0.999 * tolerance,))
        outside = replace(PRINTED, numbers=(0.901 + sign * 1.001 * tolerance,))
        assert verdict(inside, TRAINED) == "within"
        assert verdict(outside, TRAINED) == "undecided"  # between the intervals of 95 % and of 99 %
        assert verdict(replace(PRINTED, numbers=(0.901 + sign * 0.999 * beyond,)), TRAINED) == "undecided"
        assert verdict(replace(PRINTED, numbers=(0.901 + sign * 1.001 * beyond,)), TRAINED) == "outside"
    judgement = judge(PRINTED, TRAINED)
    assert judgement.tolerance == pytest.approx((tolerance,))
    assert (judgement.cap, judgement.test) == (0.01, "t, 95% prediction interval")


@pytest.mark.parametrize(("samples", "numbers"), [((0.10, 0.50, 0.95), 0.9021), ((0.25, 4.0, 4.0), 2.61)])
def test_an_interval_wider_than_the_cap_decides_nothing(samples: tuple[float, ...], numbers: float) -> None:
    judgement = judge(Printed((numbers,), 4, 0.01), replace(TRAINED, samples=tuple((value,) for value in samples)))
    assert judgement.verdict == "undecided"
    assert "wider than 0.01, the declared tolerance; at this difference and spread, no number of seeds decides it" in judgement.reason


def test_an_undecided_cell_says_how_many_seeds_should_decide_it() -> None:
    """A spread of 0.004: 1.96 times it is below the cap of 0.01, t s sqrt(1 + 1/n) from some n on."""
    samples = tuple((0.9 + offset,) for offset in (-0.004, 0.0, 0.004))
    judgement = judge(PRINTED, replace(TRAINED, samples=samples))
    assert judgement.verdict == "undecided"
    (more,) = re.findall(r"spread, (\d+) more seeds should decide it", judgement.reason)
    needed = 3 + int(more)
    assert judgement.seeds_needed == needed
    assert Spread(0.004, needed).half_width(0.95) <= 0.01 < Spread(0.004, needed - 1).half_width(0.95)
    assert seeds_needed(Spread(0.005, 3), 0.0, 0.0, 0.01) is not None
    assert seeds_needed(Spread(0.0052, 3), 0.0, 0.0, 0.01) is None  # 1.96 times it is beyond the cap
    assert seeds_needed(Spread(0.1, 3), 0.5, 0.0, 0.01) == 6  # too wide for `within`, but 4.03 times the spread of one more run is outside


def test_a_printed_spread_counts_for_the_printed_number() -> None:
    """Welch's t where the number of printed runs is known, else the printed number is one run of that spread."""
    known, unknown = Spread(0.03, 3, 0.04, 3).half_width(0.95), Spread(0.03, 3, 0.04).half_width(0.95)
    assert known == pytest.approx(stats.t.ppf(0.975, 3.709) * math.sqrt(0.03**2 / 3 + 0.04**2 / 3), rel=1e-3)
    assert unknown == pytest.approx(stats.t.ppf(0.975, 2) * math.sqrt(0.03**2 / 3 + 0.04**2))
    printed = Printed((2.82,), 2, 0.1, stds=(0.04,), runs=3)
    ours = replace(TRAINED, samples=((2.80,), (2.85,), (2.83,)))
    assert judge(printed, ours).tolerance != judge(replace(printed, stds=None), ours).tolerance


@pytest.mark.parametrize("n", [3, 5, 10])
def test_a_correct_number_is_in_the_interval_in_95_of_100(n: int) -> None:
    """The printed number and ours are runs of one distribution; twice the spread, the rule before, missed 18, 12 and 8 of a hundred."""
    draw = np.random.default_rng(n)
    runs = draw.normal(size=(20_000, n + 1))
    ours = runs[:, :n]
    width = Spread(1.0, n).half_width(0.95) * ours.std(axis=1, ddof=1)
    rate = float((np.abs(ours.mean(axis=1) - runs[:, n]) > width).mean())
    assert rate == pytest.approx(0.05, abs=4 * math.sqrt(0.05 * 0.95 / 20_000))
    assert Spread(2.5, n).half_width(0.95) == pytest.approx(2.5 * Spread(1.0, n).half_width(0.95))


def test_all_numbers_of_a_cell_share_the_error() -> None:
    assert Spread(1.0, 5, members=3).half_width(0.95) == pytest.approx(stats.t.ppf(1 - 0.025 / 3, 4) * math.sqrt(1.2))
    assert Spread(1.0, 5, members=3).beyond == pytest.approx(stats.t.ppf(1 - 0.005 / 3**1.25, 4) * math.sqrt(1.2))
    samples = tuple((0.90 + offset, 0.5 + offset) for offset in (-0.01, 0.0, 0.01))
    both = judge(Printed((0.9, 0.5), 4, 0.01), replace(TRAINED, samples=samples)).tolerance
    assert both == pytest.approx((Spread(0.01, 3, members=2).half_width(0.95),) * 2)


def test_seeds_with_equal_numbers_are_judged_with_their_quantum() -> None:
    """A receptive field in steps of 8 px: three seeds with 316 px do not exclude 324."""
    same, printed = replace(TRAINED, samples=((316.0,),) * 3), Printed((324.0,), 0, 16.0, quantum=8.0)
    assert verdict(printed, same) == "within"
    assert verdict(replace(printed, quantum=0.0), same) == "outside"


def test_the_next_value_is_not_outside_where_runs_nearly_all_have_one() -> None:
    """One run of ten has 324 px: so has a correct printed number in one case of ten, although the interval of 99 % ends before it."""
    ours = replace(TRAINED, samples=((316.0,),) * 36 + ((324.0,),) * 4)
    printed = Printed((324.0,), 0, 16.0, quantum=8.0)
    assert verdict(replace(printed, quantum=0.0), ours) == "outside"
    assert verdict(printed, ours) == "undecided"
    assert verdict(replace(printed, numbers=(332.0,)), ours) == "outside"


def test_half_the_last_printed_digit_is_the_least_tolerance() -> None:
    same = replace(TRAINED, samples=((0.90122,),) * 3)
    assert (judge(PRINTED, same).verdict, judge(PRINTED, same).tolerance) == ("within", (0.00005,))
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

"""Verdicts on measured numbers beside printed ones: one verdict per cell, with its reason."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

ENOUGH_SEEDS = 3
CONFIDENCE = 0.95  # of the interval in which a printed number is `within`
# A printed number outside this interval is `outside`. A correct one is, at some number of seeds, in 5 % of cells; outside the 95 %
# interval it is in 15 % (benchmarks/calibration.py).
CONFIDENCE_OUTSIDE = 0.99
# Looking after every seed raises a small probability by a larger factor: that of ever being outside goes with its power of 0.8. So the
# numbers of a list get less than their equal shares.
LIST_POWER = 1 / 0.8
MOST_SEEDS = 1000  # that a reason proposes
_SLACK = 1e-9  # so that rounding of binary fractions does not reject a difference of exactly one tolerance


class Verdict(StrEnum):
    """Verdict on a measured number beside the printed one."""

    EXACT = "exact"
    MISMATCH = "mismatch"
    INCONSISTENT = "paper inconsistent"
    WITHIN = "within"
    OUTSIDE = "outside"
    UNDECIDED = "undecided"
    NOT_COMPARABLE = "not comparable"
    UNPUBLISHED = "unpublished"
    PUBLISHED_ONLY = "published only"
    NOT_RUN = "not run"
    FAILED = "failed"


@dataclass(frozen=True)
class Printed:
    """Printed side of a cell.

    Args:
        numbers: Printed numbers, one unless the cell is a list; None if unknown.
        digits: Digits after the decimal point.
        tolerance: Declared tolerance: decides with fewer than three seeds, and is the cap of intervals with more.
        note: Note of the cell.
        stds: Printed standard deviations; None if none are printed.
        runs: Number of runs behind the printed number and its standard deviation; None if unknown.
        quantum: Step between two values that the number can have; rounding adds a variance of quantum^2 / 12.
    """

    numbers: tuple[float, ...] | None
    digits: int
    tolerance: float | None = None
    note: str = ""
    stds: tuple[float, ...] | None = None
    runs: int | None = None
    quantum: float = 0.0


@dataclass(frozen=True)
class Measured:
    """Measured side of a cell: one tuple of numbers per finished seed, and the states of the other seeds."""

    kind: str
    samples: tuple[tuple[float, ...], ...]
    audit: bool = False
    profile: str = ""
    data: str = ""
    device: str = ""
    verified: bool = False
    failures: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Judgement:
    """A verdict and what decided it.

    Args:
        verdict: The verdict.
        reason: Its reason.
        tolerance: Largest difference that counts as none, per number of the cell; None if no difference decided.
        cap: Widest tolerance that allows `within`; None if no difference decided.
        test: Name of the test; empty if no difference decided.
        seeds_needed: Number of seeds that should decide an undecided cell; None if none does, or if the cell is not undecided.
    """

    verdict: Verdict
    reason: str
    tolerance: tuple[float, ...] | None = None
    cap: float | None = None
    test: str = ""
    seeds_needed: int | None = None


def judge(printed: Printed, measured: Measured) -> Judgement:
    """Return the verdict on one cell.

    `within`, `outside` and `undecided` exist only for the `paper` profile on verified data. With three seeds or more, the tolerance is half
    the width of the 95 % prediction interval of one more run: t s sqrt(1 + 1/n), with Student's t of n - 1 degrees of freedom and the
    sample standard deviation s over seeds; at least half the last printed digit. A printed standard deviation replaces s for the printed
    number. A printed number inside the interval is `within` if the tolerance is at most the declared one (the cap). A printed number
    outside the 99 % interval by more than its own rounding is `outside`: so a correct one is called `outside` in at most 5 % of cells, even
    if someone looks after every seed. Else the cell is `undecided`. With fewer seeds, the declared tolerance decides. An exact cell is
    compared in every profile: it is computed from the published network, not from a training.

    Args:
        printed: Printed side of the cell.
        measured: Measured side of the cell.

    Returns:
        Verdict with its reason.
    """
    if measured.kind == "published":
        known = printed.numbers is not None
        return Judgement(Verdict.PUBLISHED_ONLY, "quoted by the paper, not run here") if known else _unpublished(printed, measured)
    if measured.failures:  # the seeds that survived are not a fair sample
        return Judgement(Verdict.FAILED, "; ".join(measured.failures + measured.waiting))
    if not measured.samples:
        return Judgement(Verdict.NOT_RUN, "; ".join(measured.waiting) or "not started")
    if printed.numbers is None:
        return _unpublished(printed, measured)
    if measured.kind == "exact":
        return _judge_exact(printed.numbers, printed.digits, measured)
    obstacle = _obstacle(measured)
    if obstacle:
        return Judgement(Verdict.NOT_COMPARABLE, _sentence(obstacle, measured))
    return _judge_trained(printed.numbers, printed, measured)


def center(samples: Sequence[tuple[float, ...]]) -> tuple[float, ...] | None:
    """Return the mean over seeds of each number of a cell.

    Args:
        samples: One tuple per seed.

    Returns:
        Means; None without seeds, or if seeds gave lists of different lengths.
    """
    if not samples or len({len(sample) for sample in samples}) > 1:
        return None
    return tuple(statistics.fmean(numbers) for numbers in zip(*samples, strict=True))


def spread(samples: Sequence[tuple[float, ...]]) -> tuple[float, ...] | None:
    """Return the sample standard deviation (n - 1) over seeds of each number of a cell.

    Args:
        samples: One tuple per seed.

    Returns:
        Standard deviations; None for fewer than two seeds, or if seeds gave lists of different lengths.
    """
    if len(samples) < 2 or center(samples) is None:
        return None
    return tuple(statistics.stdev(numbers) for numbers in zip(*samples, strict=True))


def _unpublished(printed: Printed, measured: Measured) -> Judgement:
    return Judgement(Verdict.UNPUBLISHED, _sentence(printed.note or "no number in the paper's table", measured))


def _judge_exact(numbers: tuple[float, ...], digits: int, measured: Measured) -> Judgement:
    half = tuple(0.5 * 10.0**-digits for _ in numbers)
    if all(_close(sample, numbers, half) for sample in measured.samples):
        return Judgement(Verdict.EXACT, _sentence("", measured), half)
    ours = ", ".join(f"{number:.{digits}f}" for number in measured.samples[0])
    theirs = ", ".join(f"{number:.{digits}f}" for number in numbers)
    if measured.audit:
        reason = f"the paper's own formula gives {ours} where {theirs} is printed"
        return Judgement(Verdict.INCONSISTENT, _sentence(reason, measured), half)
    return Judgement(Verdict.MISMATCH, _sentence(f"computed {ours}, printed {theirs}: a bug here, until shown otherwise", measured), half)


def _judge_trained(numbers: tuple[float, ...], printed: Printed, measured: Measured) -> Judgement:
    half = 0.5 * 10.0**-printed.digits
    cap = max(half, printed.tolerance or 0.0)
    n, means, deviations = len(measured.samples), center(measured.samples), spread(measured.samples)
    if n < ENOUGH_SEEDS or means is None or deviations is None:
        tolerance = tuple(cap for _ in numbers)
        good = means is not None and _close(means, numbers, tolerance)
        rule = f"tolerance declared for this table, because n = {n} is fewer than {ENOUGH_SEEDS} seeds"
        return Judgement(Verdict.WITHIN if good else Verdict.OUTSIDE, _sentence(rule, measured), tolerance, cap, "declared tolerance")
    theirs = printed.stds if printed.stds is not None and len(printed.stds) == len(deviations) else (None,) * len(deviations)
    step = printed.quantum
    spreads = [
        Spread(max(ours, step / math.sqrt(12)), n, their, printed.runs, len(numbers), step)
        for ours, their in zip(deviations, theirs, strict=True)
    ]
    apart = [abs(mean - number) for mean, number in zip(means, numbers, strict=True)]
    tolerance, test = tuple(max(half, each.half_width(CONFIDENCE)) for each in spreads), f"t, {CONFIDENCE:.0%} prediction interval"
    rule = f"{CONFIDENCE:.0%} prediction interval of one more run, Student's t over {n} seeds"
    verdicts = [_by_interval(each, distance, half, cap) for each, distance in zip(spreads, apart, strict=True)]
    if Verdict.OUTSIDE in verdicts:
        rule = rule.replace(f"{CONFIDENCE:.0%}", f"{CONFIDENCE_OUTSIDE:.0%}", 1)
        return Judgement(Verdict.OUTSIDE, _sentence(f"outside the {rule}", measured), tolerance, cap, test)
    if Verdict.UNDECIDED not in verdicts:
        return Judgement(Verdict.WITHIN, _sentence(rule, measured), tolerance, cap, test)
    needed = [seeds_needed(each, distance, half, cap) for each, distance in zip(spreads, apart, strict=True)]
    seeds = None if None in needed else max(seeds for seeds in needed if seeds is not None)
    more = f"{seeds - n} more seeds should decide it" if seeds is not None else "no number of seeds decides it"
    wide = max(tolerance) > cap * (1 + _SLACK)
    why = f"wider than {cap:g}, the declared tolerance" if wide else f"outside it, and inside that of {CONFIDENCE_OUTSIDE:.0%}"
    reason = f"{rule}: {why}; at this difference and spread, {more}"
    return Judgement(Verdict.UNDECIDED, _sentence(reason, measured), tolerance, cap, test, seeds)


@dataclass(frozen=True)
class Spread:
    """Spread of a number over seeds, ours and the printed one.

    Args:
        std: Sample standard deviation of our runs.
        n: Number of our runs, at least two.
        printed_std: Printed standard deviation; None if none is printed.
        printed_runs: Number of printed runs; None if unknown.
        members: Numbers of the cell; the probability holds for all of them together (Bonferroni).
        step: Step between two values that the number can have.
    """

    std: float
    n: int
    printed_std: float | None = None
    printed_runs: int | None = None
    members: int = 1
    step: float = 0.0

    @property
    def beyond(self) -> float:
        """Distance from our mean beyond which a printed number is `outside`.

        Half a step is its own rounding: of runs that nearly all have one value, now and then one has the next.
        """
        level = (1 - CONFIDENCE_OUTSIDE) / self.members ** (LIST_POWER - 1)
        return self.half_width(1 - level) + self.step / 2

    def half_width(self, confidence: float) -> float:
        """Return half the width of the interval around our mean in which a correct printed number lies with this probability.

        Without a printed standard deviation the printed number counts as one more run. With one, it is the mean of `printed_runs` runs of
        that spread (one, if unknown), and the degrees of freedom are Welch's.
        """
        from scipy.special import stdtrit  # here, because most tables have no such cell, and the import takes longer than they do

        if self.printed_std is None:
            variance, freedom = self.std**2 * (1 + 1 / self.n), float(self.n - 1)
        else:
            ours, theirs = self.std**2 / self.n, self.printed_std**2 / (self.printed_runs or 1)
            variance = ours + theirs
            freedom = float(self.n - 1)
            if self.printed_runs is not None and self.printed_runs > 1 and variance > 0:
                freedom = variance**2 / (ours**2 / (self.n - 1) + theirs**2 / (self.printed_runs - 1))
        return float(stdtrit(freedom, 1 - (1 - confidence) / (2 * self.members))) * math.sqrt(variance)


def _by_interval(spread: Spread, apart: float, half: float, cap: float) -> Verdict:
    """Return the verdict on a number at a distance from our mean; `half` is half the last printed digit."""
    width = max(half, spread.half_width(CONFIDENCE))
    if apart > max(half, spread.beyond) * (1 + _SLACK):
        return Verdict.OUTSIDE
    return Verdict.WITHIN if apart <= width * (1 + _SLACK) and width <= cap * (1 + _SLACK) else Verdict.UNDECIDED


def seeds_needed(spread: Spread, apart: float, half: float, cap: float) -> int | None:
    """Return the smallest number of seeds that decides at the difference and spread seen, at least the present one; None if none does."""
    tried = (replace(spread, n=n) for n in range(spread.n, MOST_SEEDS + 1))
    return next((each.n for each in tried if _by_interval(each, apart, half, cap) is not Verdict.UNDECIDED), None)


def _obstacle(measured: Measured) -> str:
    obstacles = []
    if measured.profile != "paper":
        obstacles.append(f"profile {measured.profile}, not paper")
    if not measured.verified:
        obstacles.append(f"data or start weights not verified ({measured.data})")
    if measured.kind == "timed":
        obstacles.append(f"speed on other hardware than the paper's ({measured.device or 'unknown'})")
    return "; ".join(obstacles)


def _sentence(reason: str, measured: Measured) -> str:
    return "; ".join(part for part in (reason, *measured.failures, *measured.waiting, *measured.remarks) if part)


def _close(ours: Sequence[float], theirs: Sequence[float], tolerance: Sequence[float]) -> bool:
    if len(ours) != len(theirs):
        return False
    return all(abs(a - b) <= t + _SLACK * max(1.0, abs(b)) for a, b, t in zip(ours, theirs, tolerance, strict=True))

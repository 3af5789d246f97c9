"""Verdicts on measured numbers beside printed ones: one verdict per cell, with its reason."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

ENOUGH_SEEDS = 3
_SLACK = 1e-9  # so that rounding of binary fractions does not reject a difference of exactly one tolerance


class Verdict(StrEnum):
    """Verdict on a measured number beside the printed one."""

    EXACT = "exact"
    MISMATCH = "mismatch"
    INCONSISTENT = "paper inconsistent"
    WITHIN = "within"
    OUTSIDE = "outside"
    NOT_COMPARABLE = "not comparable"
    UNPUBLISHED = "unpublished"
    PUBLISHED_ONLY = "published only"
    NOT_RUN = "not run"
    FAILED = "failed"


@dataclass(frozen=True)
class Printed:
    """Printed side of a cell: numbers (one, unless the cell is a list; None if unknown), digits, declared tolerance, note."""

    numbers: tuple[float, ...] | None
    digits: int
    tolerance: float | None = None
    note: str = ""


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
    """A verdict, its reason, and the tolerance that decided it (one per number of the cell; None if none did)."""

    verdict: Verdict
    reason: str
    tolerance: tuple[float, ...] | None = None


def judge(printed: Printed, measured: Measured) -> Judgement:
    """Return the verdict on one cell.

    `within` and `outside` exist only for the `paper` profile on verified data. With three seeds or more, the tolerance is the larger of
    half the last printed digit and 2 s sqrt(1 + 1/n), where s is the sample standard deviation over seeds. With fewer seeds, the tolerance
    is the table's declared one. An exact cell is compared in every profile: it is computed from the published network, not from a training.

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
    n = len(measured.samples)
    deviations = spread(measured.samples)
    if n >= ENOUGH_SEEDS and deviations is not None:
        tolerance = tuple(max(half, 2.0 * s * math.sqrt(1.0 + 1.0 / n)) for s in deviations)
        rule = f"tolerance from the spread over {n} seeds: 2 s sqrt(1 + 1/n), at least half the last printed digit"
    else:
        declared = half if printed.tolerance is None else printed.tolerance
        tolerance = tuple(declared for _ in numbers)
        rule = f"tolerance declared for this table, because n = {n} is fewer than {ENOUGH_SEEDS} seeds"
    means = center(measured.samples)
    good = means is not None and _close(means, numbers, tolerance)
    return Judgement(Verdict.WITHIN if good else Verdict.OUTSIDE, _sentence(rule, measured), tolerance)


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

"""Measure by simulation how often verdicts and claims are wrong, and how many seeds a claim needs.

python benchmarks/calibration.py [--quick] [--replications COUNT] [--plot STEM]

It prints tables in Markdown. The exit code is 1 if a false rate is above 5 % by more than three Monte Carlo standard errors. The whole
benchmark takes some three minutes of one core, `--quick` less than one. The numbers depend on the seed and on the number of replications
alone, not on the machine. `--plot ''` leaves out the plot.

Claims: every claim of every table is tested where nothing is known of its answer: all its cells have the same true mean, and the constant
that they are compared with, if there is one. A claim with a bound ("more than 1 point apart", "within 1 point") is also tested with the
means at its bound. There `yes` and `no` are both false, unless a small change of the means cannot make the other answer true; such an
answer is counted as correct ("-" in the table). Runs have normal noise, and exact and quoted cells none. The claim's own test combines the
e-values. Only the single comparisons are computed for all replications at once; a sample of them is compared with the claim's test on plain
numbers.

Cells: the printed number is one more run of the same distribution, so `outside` is false.
"""

from __future__ import annotations

import argparse
import math
import re
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Protocol

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.special import stdtrit

sys.path.insert(0, str(Path(__file__).parents[1]))

from reproduce import plugins
from reproduce.table import CellKey, Setting
from reproduce.verdicts import logic
from reproduce.verdicts.claims import Claim
from reproduce.verdicts.e_values import CERTAIN, LEVEL, log_e_value
from reproduce.verdicts.evidence import Evidence, Term, _signed, _weights
from reproduce.verdicts.logic import Finding, Truth
from reproduce.verdicts.pairs import Estimate
from reproduce.verdicts.printed import PublishedTable
from reproduce.verdicts.published import load
from reproduce.verdicts.verdict import CONFIDENCE, CONFIDENCE_OUTSIDE, LIST_POWER, Measured, Printed, Verdict, judge

Array = np.ndarray
Means = dict[CellKey, float]
SEED = 0
FEWEST, SEEDS = 3, 20
LOOKS = tuple(range(FEWEST, SEEDS + 1))
SHOWN = (3, 5, 10)  # looks that are also reported alone
MOST_SEEDS = 300  # of a cell, and in the plot
SURE = 3.0  # Monte Carlo standard errors by which a rate must exceed the bound
BATCH = 1000  # replications in memory at once
PROVEN = 1e12  # e-value of what the rule before calls proven: a mean of it with many others still decides
CLIP = 1e4  # differences of larger e-values matter little


@dataclass(frozen=True)
class Noise:
    """Noise of a run: its standard deviation in steps between two values of a cell, and the correlation of runs with the same seed."""

    steps: float
    shared: float


INDEPENDENT, PAIRED, ROUNDED = Noise(100.0, 0.0), Noise(100.0, 0.7), Noise(0.3, 0.0)


# Claims


@dataclass(frozen=True)
class Contrast:
    """A weighted sum of cells and a constant that a claim compares with 0."""

    weights: tuple[tuple[CellKey, int], ...]
    constant: float

    @classmethod
    def of(cls, a: Term, b: Term) -> Contrast:
        weights = _weights([*_signed(a), *((scalar, -sign) for scalar, sign in _signed(b))])
        cells = tuple((scalar, weight) for scalar, weight in weights.items() if isinstance(scalar, tuple))
        return cls(tuple(sorted(cells)), math.fsum(weight * scalar for scalar, weight in weights.items() if not isinstance(scalar, tuple)))

    def at(self, means: Mapping[CellKey, float]) -> float:
        return round(math.fsum([self.constant, *(weight * means[cell] for cell, weight in self.weights)]), 9)


class Nearby(Evidence):
    """Evidence that says which answers a small change of the means can make true: e-values of 1 for them, and of 0 for others."""

    def __init__(self, means: Mapping[CellKey, float] | None = None) -> None:
        self.means, self.asked = means, dict[Contrast, None]()

    def _pair(self, a: Term, b: Term) -> Finding:
        contrast = Contrast.of(a, b)
        self.asked[contrast] = None
        apart = 0.0 if self.means is None else contrast.at(self.means)
        return Finding(float(apart >= 0), float(apart <= 0), ())


@dataclass(frozen=True)
class Question:
    """A claim of a table.

    Args:
        table: Name of the table.
        claim: Claim.
        steps: Step between two values, by cell with noise.
        contrasts: What the claim compares.
    """

    table: str
    claim: Claim
    steps: Mapping[CellKey, float]
    contrasts: tuple[Contrast, ...]

    @property
    def name(self) -> str:
        return f"{self.table} {self.claim.id}"

    @property
    def noisy(self) -> list[Contrast]:
        return [each for each in self.contrasts if self.has_noise(each)]

    @property
    def cells(self) -> set[CellKey]:
        return {cell for each in self.contrasts for cell, _ in each.weights}

    def has_noise(self, contrast: Contrast) -> bool:
        return any(cell in self.steps for cell, _ in contrast.weights)

    def false(self, means: Means) -> tuple[bool, bool]:
        """Return whether `yes` is false at these means, and whether `no` is: exactly there, or after a small change of them."""
        near = self.claim.test(Nearby(means))
        exact = self.claim.test(Evidence({cell: Estimate(mean) for cell, mean in means.items()})).truth
        return near.e_no > 0 or exact is Truth.NO, near.e_yes > 0 or exact is Truth.YES


def questions() -> list[Question]:
    """Return every claim of every table."""
    found = []
    for table in plugins.all_tables():
        published = load(table.id)
        kinds = {(cell.row_key, cell.column): cell.kind for cell in table.cells(Setting("paper", seeds=FEWEST))}
        found += [_question(published, claim, kinds) for claim in table.claims]
    return found


def _question(published: PublishedTable, claim: Claim, kinds: Mapping[CellKey, str]) -> Question:
    near = Nearby()
    claim.test(near)
    steps = {}
    for cell in {cell for each in near.asked for cell, _ in each.weights}:
        whole = (cell[0], re.sub(r"\[\d+\]$", "", cell[1]))  # of a list
        if kinds[whole] in ("trained", "timed"):
            steps[cell] = published.quantum(*whole)
    return Question(published.id, claim, steps, tuple(near.asked))


def places(question: Question) -> dict[str, Means]:
    """Return the true means at which a claim is simulated: all equal, and at the bounds of its comparisons if these are elsewhere."""
    compared = question.noisy
    sums = [(each, sum(weight for _, weight in each.weights)) for each in compared]
    level = next((-each.constant / total for each, total in sums if total), 0.0)
    settled = _solved([(each, 1.0) for each in question.contrasts if not question.has_noise(each)])  # they hold
    equal = dict.fromkeys(sorted(question.cells), level) | settled
    bound = equal | _solved([(each, 0.0) for each in compared])
    found = {"equal": equal}
    if sum(each.at(bound) == 0 for each in compared) > sum(each.at(equal) == 0 for each in compared):
        found["at the bound"] = bound
    return found


def _solved(wanted: Sequence[tuple[Contrast, float]]) -> Means:
    """Return the smallest means at which contrasts have the wanted values; one that contradicts earlier ones is left out."""
    cells = sorted({cell for each, _ in wanted for cell, _ in each.weights})
    rows: list[list[float]] = []
    sides: list[float] = []
    means = np.zeros(len(cells))
    for each, value in wanted:
        weights = dict(each.weights)
        tried = [*rows, [float(weights.get(cell, 0)) for cell in cells]], [*sides, value - each.constant]
        solution = np.linalg.lstsq(np.array(tried[0]), np.array(tried[1]), rcond=None)[0]
        if np.allclose(np.array(tried[0]) @ solution, tried[1], atol=1e-9):
            (rows, sides), means = tried, solution
    return {cell: round(float(mean), 12) for cell, mean in zip(cells, means, strict=True)}


Drawn = dict[CellKey, Array]  # numbers, replications x seeds; 1 x 1 for a cell without noise


def draw(question: Question, means: Means, noise: Noise, count: int, generator: np.random.Generator) -> Drawn:
    """Draw the cells of a claim. A common shift that changes no comparison is drawn too: rounding depends on it."""
    widest = max(question.steps.values())
    common = generator.normal(size=(count, SEEDS))
    shift = generator.uniform(0, widest, size=(count, 1)) if _shifts(question) else 0.0
    drawn = {}
    for cell, mean in means.items():
        if cell not in question.steps:
            drawn[cell] = np.full((1, 1), mean)
            continue
        own = generator.normal(size=(count, SEEDS))
        runs = math.sqrt(noise.shared) * common + math.sqrt(1 - noise.shared) * own
        step = question.steps[cell]
        drawn[cell] = np.round((mean + shift + noise.steps * widest * runs) / step) * step
    return drawn


def _shifts(question: Question) -> bool:
    free = all(cell in question.steps for each in question.noisy for cell, _ in each.weights)
    return free and all(sum(weight for _, weight in each.weights) == 0 for each in question.noisy)


class Rule(Protocol):
    """How a comparison is tested: e-values for `yes` and `no`, looks x replications."""

    def __call__(self, contrast: Contrast, drawn: Drawn, question: Question) -> tuple[Array, Array]: ...


def by_e_values(contrast: Contrast, drawn: Drawn, question: Question) -> tuple[Array, Array]:
    """The rule in use."""
    values = _values(contrast, drawn)
    rounding = sum((weight * question.steps.get(cell, 0.0)) ** 2 / 12 for cell, weight in contrast.weights)
    found = []
    for n in LOOKS:
        mean = values[:, :n].mean(1) * math.sqrt(n)
        std = np.sqrt(np.maximum(values[:, :n].var(1, ddof=1), rounding)) * math.sqrt(n - 1)
        angle = np.arctan2(mean, std)  # its sine is mean / hypot(mean, std)
        found.append((np.exp(e_values(n)(angle)), np.exp(e_values(n)(-angle))))
    return _stacked(found)


def by_two_errors(contrast: Contrast, drawn: Drawn, question: Question) -> tuple[Array, Array]:
    """The rule before: a difference of means decides if it exceeds twice its standard error, without pairs."""
    values = _values(contrast, drawn)
    sides = [weight * drawn[cell] for cell, weight in contrast.weights if cell in question.steps]
    found = []
    for n in LOOKS:
        variances = [side[:, :n].var(1, ddof=1) for side in sides]
        spread = np.logical_and.reduce([variance > 0 for variance in variances])  # equal numbers did not count
        mean, twice = values[:, :n].mean(1), 2 * np.sqrt(sum(variances) / n)
        found.append(tuple(np.where(spread & (sign * mean > twice), PROVEN, 0.0) for sign in (1, -1)))
    return _stacked(found)


def _values(contrast: Contrast, drawn: Drawn) -> Array:
    return np.round(contrast.constant + sum(weight * drawn[cell] for cell, weight in contrast.weights), 12)


def _stacked(found: Sequence[tuple[Array, ...]]) -> tuple[Array, Array]:
    yes, no = (np.stack(each) for each in zip(*found, strict=True))
    return yes, no


@cache
def e_values(n: int) -> CubicSpline:
    """Return the logarithm of the e-value as a function of the arc sine of the share: `log_e_value`, interpolated."""
    angles = np.linspace(-math.pi / 2, math.pi / 2, 401)
    return CubicSpline(angles, [log_e_value(math.sin(angle), n) for angle in angles])


def interpolation_error(generator: np.random.Generator) -> float:
    """Return the largest relative difference of an interpolated e-value from the real one."""
    shares = [(n, float(share)) for n in LOOKS for share in generator.uniform(-1, 1, 50)]
    return max(abs(math.expm1(float(e_values(n)(math.asin(share))) - log_e_value(share, n))) for n, share in shares)


class Simulated(Evidence):
    """Evidence whose comparisons have the e-values of `row`: for `yes` and `no` of the first contrast, of the second, and so on."""

    def __init__(self, contrasts: Sequence[Contrast]) -> None:
        self.row: list[float] = []
        self._places = {contrast: index for index, contrast in enumerate(contrasts)}
        self._known: dict[tuple[Term, Term], tuple[int, int]] = {}

    def _pair(self, a: Term, b: Term) -> Finding:
        if (a, b) not in self._known:
            contrast = Contrast.of(a, b)
            turned = contrast not in self._places  # asked in the other direction
            first = 2 * self._places[_reversed(contrast) if turned else contrast]
            self._known[a, b] = (first + 1, first) if turned else (first, first + 1)
        yes, no = self._known[a, b]
        return Finding(self.row[yes], self.row[no], ())


def _reversed(contrast: Contrast) -> Contrast:
    return Contrast(tuple((cell, -weight) for cell, weight in contrast.weights), -contrast.constant)


@dataclass
class Answers:
    """Answers to a claim: for each replication and look, `yes` and `no`."""

    yes: Array
    no: Array

    @classmethod
    def joined(cls, parts: Sequence[Answers]) -> Answers:
        return cls(np.concatenate([each.yes for each in parts], 1), np.concatenate([each.no for each in parts], 1))


def answered(question: Question, drawn: Drawn, rule: Rule, false: tuple[bool, bool] = (True, True)) -> Answers:
    """Test a claim on every replication and at every look, for its false answers."""
    count = max(each.shape[0] for each in drawn.values())
    tested = [_tested(each, drawn, question, rule, count) for each in question.contrasts]
    noisy = [each for contrast, each in zip(question.contrasts, tested, strict=True) if question.has_noise(contrast)]
    looks, replications = np.nonzero(np.max([np.maximum(*each) for each in noisy], axis=0) >= logic.DECISIVE)
    rows = np.array([each[looks, replications] for both in tested for each in both]).T
    different, which = np.unique(rows, axis=0, return_inverse=True)  # the rule before has few values
    truths = decided(question, different, false)
    found = Answers(np.zeros((len(LOOKS), count), bool), np.zeros((len(LOOKS), count), bool))
    for said, truth in ((found.yes, Truth.YES), (found.no, Truth.NO)):
        said[looks, replications] = np.array([each is truth for each in truths], bool)[which]
    return found


def decided(question: Question, rows: Array, false: tuple[bool, bool]) -> list[Truth]:
    """Return the claim's answer for each row of e-values; `undecided` where it is not false.

    A claim's e-values are means and minima of those of its comparisons, so they grow with them. Where those of many rows' largest values
    are not decisive, no row's are: these rows need no test of their own. Else the rows are halved, by the comparison that varies most.
    """
    evidence, truths = Simulated(question.contrasts), [Truth.UNDECIDED] * len(rows)
    sizes = np.log1p(np.minimum(rows, CLIP))
    waiting = [np.arange(len(rows))] if len(rows) else []
    while waiting:
        group = waiting.pop()
        evidence.row = rows[group].max(0).tolist()
        finding = question.claim.test(evidence)
        if not (false[0] and finding.e_yes >= logic.DECISIVE) and not (false[1] and finding.e_no >= logic.DECISIVE):
            continue
        if len(group) == 1:
            truths[group[0]] = finding.truth
            continue
        widest = np.argmax(np.ptp(sizes[group], axis=0))
        waiting += np.array_split(group[np.argsort(sizes[group, widest], kind="stable")], 2)
    return truths


def _tested(contrast: Contrast, drawn: Drawn, question: Question, rule: Rule, count: int) -> tuple[Array, Array]:
    if question.has_noise(contrast):
        return rule(contrast, drawn, question)
    holds = contrast.at({cell: float(drawn[cell][0, 0]) for cell, _ in contrast.weights}) > 0
    yes, no = (CERTAIN, 0.0) if holds else (0.0, CERTAIN)
    return np.full((len(LOOKS), count), yes), np.full((len(LOOKS), count), no)


def compare_with_plain(question: Question, drawn: Drawn, answers: Answers, false: tuple[bool, bool], generator: np.random.Generator) -> int:
    """Compare a few answers with those of the claim's test on plain numbers by seed; return how many were compared.

    Raises:
        SystemExit: An answer is another one.
    """
    decided = np.argwhere(answers.yes | answers.no)
    any_place = generator.integers((0, 0), answers.yes.shape, size=(2, 2))
    chosen = [*any_place, *(decided[generator.integers(len(decided), size=2)] if len(decided) else ())]
    for look, replication in chosen:
        truth = question.claim.test(plain(question, drawn, LOOKS[look], replication)).truth
        for answer, counts, said in ((Truth.YES, false[0], answers.yes), (Truth.NO, false[1], answers.no)):
            if counts and said[look, replication] != (truth is answer):
                raise SystemExit(f"The simulation of {question.name} is wrong on `{answer}`: the claim's test says {truth}.")
    return len(chosen)


def plain(question: Question, drawn: Drawn, n: int, replication: int) -> Evidence:
    """Return the evidence of one replication after n seeds."""
    estimates = {}
    for cell, numbers in drawn.items():
        step = question.steps.get(cell)
        if step is None:
            estimates[cell] = Estimate(float(numbers[0, 0]))
        else:
            estimates[cell] = Estimate(dict(enumerate(numbers[replication, :n].tolist())), quantum=step)
    return Evidence(estimates)


@dataclass(frozen=True)
class Rate:
    """Share of replications with a false answer."""

    share: float
    count: int

    @property
    def error(self) -> float:
        """Monte Carlo standard error."""
        return math.sqrt(self.share * (1 - self.share) / self.count)

    @property
    def above(self) -> bool:
        """Whether the share is above the bound by more than chance explains."""
        return self.share > LEVEL + SURE * math.sqrt(LEVEL * (1 - LEVEL) / self.count)


@dataclass(frozen=True)
class Rates:
    """False rates at the looks of `SHOWN`, and at any look."""

    alone: tuple[Rate, ...]
    ever: Rate

    @classmethod
    def of(cls, said: Array) -> Rates:
        count = said.shape[1]
        alone = tuple(Rate(float(said[LOOKS.index(n)].mean()), count) for n in SHOWN)
        return cls(alone, Rate(float(said.any(0).mean()), count))

    @property
    def all(self) -> tuple[Rate, ...]:
        return (*self.alone, self.ever)

    def __str__(self) -> str:
        return " / ".join(f"{100 * each.share:.1f}" for each in self.all) + f" ± {100 * self.ever.error:.1f}"


def largest(rates: Sequence[Rates]) -> Rates:
    """Return the largest rate at each look."""
    each = [max(found, key=lambda rate: rate.share) for found in zip(*(one.all for one in rates), strict=True)]
    return Rates(tuple(each[:-1]), each[-1])


@dataclass(frozen=True)
class Line:
    """Rates of a claim at one place: false `yes` and false `no`, None if the answer is correct there."""

    question: Question
    place: str
    before: tuple[Rates | None, Rates | None]
    after: tuple[Rates | None, Rates | None]
    rounded: tuple[Rates | None, Rates | None]

    @property
    def faults(self) -> list[str]:
        found = []
        for noise, rates in (("", self.after), (", rounded", self.rounded)):
            for answer, each in zip(("yes", "no"), rates, strict=True):
                if each is not None and any(rate.above for rate in each.all):
                    found.append(f"{self.question.name}, {self.place}{noise}: a false `{answer}` in {each} %")
        return found


class Claims:
    """The simulation of claims."""

    def __init__(self, count: int) -> None:
        self.count, self.compared = count, 0

    def line(self, question: Question, place: str, means: Means) -> Line:
        false = question.false(means)
        before = self.rates(question, means, INDEPENDENT, by_two_errors, false)
        after = [self.rates(question, means, noise, by_e_values, false) for noise in (INDEPENDENT, PAIRED)]
        worst = [largest(rates) if all(rates) else None for rates in zip(*after, strict=True)]
        return Line(question, place, before, (worst[0], worst[1]), self.rates(question, means, ROUNDED, by_e_values, false))

    def rates(
        self, question: Question, means: Means, noise: Noise, rule: Rule, false: tuple[bool, bool]
    ) -> tuple[Rates | None, Rates | None]:
        """Return the rates of `yes` and of `no`; None for an answer that is not false."""
        generator = np.random.default_rng([SEED, *question.name.encode()])
        parts = []
        for begun in range(0, self.count, BATCH):
            drawn = draw(question, means, noise, min(BATCH, self.count - begun), generator)
            parts.append(answered(question, drawn, rule, false))
            if rule is by_e_values and not begun:
                self.compared += compare_with_plain(question, drawn, parts[0], false, generator)
        answers = Answers.joined(parts)
        return (Rates.of(answers.yes) if false[0] else None), (Rates.of(answers.no) if false[1] else None)


def lines(asked: Sequence[Question], simulation: Claims) -> Iterator[Line]:
    for question in asked:
        for place, means in places(question).items():
            yield simulation.line(question, place, means)


# Cells


@dataclass(frozen=True)
class CellKind:
    """What is printed in a cell.

    Args:
        members: Numbers of the cell.
        spread: Whether a standard deviation is printed.
        step: Step between two values, in units of the last printed digit.
    """

    members: int
    spread: bool
    step: float

    @property
    def name(self) -> str:
        said = "one number" if self.members == 1 else f"{self.members} numbers"
        return said + (" ± std" if self.spread else "") + (f", steps of {self.step:g} digits" if self.step != 1 else "")


HALF = 0.5  # of the last printed digit
PRINTED_RUNS = 5  # behind a printed standard deviation; the paper does not say how many


def cell_kinds() -> dict[CellKind, int]:
    """Return the kinds of trained cells that the papers print, and how many cells have each."""
    found: dict[CellKind, int] = {}
    for table in plugins.all_tables():
        published = load(table.id)
        for cell in table.cells(Setting("paper", seeds=FEWEST)):
            printed = published.by_key.get((cell.row_key, cell.column))
            if cell.kind == "trained" and printed is not None and printed.value is not None:
                digits = published.digits(cell.row_key, cell.column)
                members = len(printed.value) if isinstance(printed.value, list) else 1
                step = round(published.quantum(cell.row_key, cell.column) * 10**digits, 9)
                kind = CellKind(members, printed.std is not None, step)
                found[kind] = found.get(kind, 0) + 1
    return found


@dataclass(frozen=True)
class CellDraw:
    """Runs and printed numbers: replications x seeds x members, replications x members. The last printed digit is 1."""

    kind: CellKind
    runs: Array
    printed: Array
    stds: Array | None

    @classmethod
    def of(cls, kind: CellKind, noise: float, count: int, generator: np.random.Generator) -> CellDraw:
        shift = generator.uniform(0, kind.step, size=(count, 1, kind.members))

        def rounded(number: int) -> Array:
            numbers = shift + noise * kind.step * generator.normal(size=(count, number, kind.members))
            return np.round(numbers / kind.step) * kind.step

        runs, theirs = rounded(MOST_SEEDS), rounded(PRINTED_RUNS if kind.spread else 1)
        return cls(kind, runs, np.round(theirs.mean(1)), np.round(theirs.std(1, ddof=1)) if kind.spread else None)

    def apart(self) -> Iterator[tuple[int, Array, Array]]:
        """Yield the distance of the printed number from our mean, and our standard deviation, after each seed."""
        total, squares = self.runs[:, : FEWEST - 1].sum(1), (self.runs[:, : FEWEST - 1] ** 2).sum(1)
        for n in range(FEWEST, self.runs.shape[1] + 1):
            total, squares = total + self.runs[:, n - 1], squares + self.runs[:, n - 1] ** 2
            variance = np.maximum(squares - total**2 / n, 0) / (n - 1)
            yield n, np.abs(total / n - self.printed), np.sqrt(variance)

    def width(self, std: Array, n: int, level: float) -> Array:
        """Return half the width of an interval that misses each number of a cell with a probability of `level`."""
        ours = np.maximum(std, self.kind.step / math.sqrt(12))
        variance = ours**2 * (1 + 1 / n) if self.stds is None else ours**2 / n + self.stds**2
        return float(stdtrit(n - 1, 1 - level / 2)) * np.sqrt(variance)

    def within(self, std: Array, n: int) -> Array:
        """Return the largest distance that is `within`."""
        return np.maximum(HALF, self.width(std, n, (1 - CONFIDENCE) / self.kind.members))

    def beyond(self, std: Array, n: int) -> Array:
        """Return the distance beyond which a number is `outside`."""
        level = (1 - CONFIDENCE_OUTSIDE) / self.kind.members**LIST_POWER
        return np.maximum(HALF, self.width(std, n, level) + self.kind.step / 2)


def _two_deviations(drawn: CellDraw, std: Array, n: int) -> Array:
    return np.maximum(HALF, 2 * std * math.sqrt(1 + 1 / n))


CELL_RULES = {"before: 2 s": _two_deviations, "95 % interval": CellDraw.within, "now": CellDraw.beyond}
IN_USE = "now"


@dataclass(frozen=True)
class CellRates:
    """How often a correct printed number is outside: at the looks of `SHOWN`, and ever up to 20 and up to 300 seeds."""

    rates: tuple[Rate, ...]

    def __str__(self) -> str:
        return " / ".join(f"{100 * each.share:.1f}" for each in self.rates) + f" ± {100 * self.rates[-1].error:.1f}"


def cell_rates(kind: CellKind, noise: float, count: int) -> dict[str, CellRates]:
    generator = np.random.default_rng([SEED, *kind.name.encode()])
    said: dict[str, list[Array]] = {rule: [] for rule in CELL_RULES}
    for begun in range(0, count, BATCH):
        drawn = CellDraw.of(kind, noise, min(BATCH, count - begun), generator)
        for rule, found in _outside(drawn).items():
            said[rule].append(found)
        if not begun:
            compare_with_judge(drawn, said[IN_USE][0])
    found = {}
    for rule, parts in said.items():
        outside = np.concatenate(parts, 1)
        alone = [outside[n - FEWEST] for n in SHOWN]
        shares = [*alone, outside[: len(LOOKS)].any(0), outside.any(0)]
        found[rule] = CellRates(tuple(Rate(float(each.mean()), count) for each in shares))
    return found


def _outside(drawn: CellDraw) -> dict[str, Array]:
    """Return whether the printed number is outside, looks x replications, by rule."""
    found: dict[str, list[Array]] = {rule: [] for rule in CELL_RULES}
    for n, apart, std in drawn.apart():
        for rule, limit in CELL_RULES.items():
            found[rule].append((apart > limit(drawn, std, n) * (1 + 1e-9)).any(1))
    return {rule: np.stack(each) for rule, each in found.items()}


def compare_with_judge(drawn: CellDraw, outside: Array) -> None:
    """Compare some verdicts with those of `judge`: half of them `outside`.

    Raises:
        SystemExit: A verdict is another one.
    """
    early = outside[: len(LOOKS)]
    for chosen in (np.argwhere(early), np.argwhere(~early)):
        for look, replication in chosen[:: max(1, len(chosen) // 50)]:
            stds = None if drawn.stds is None else tuple(drawn.stds[replication].tolist())
            printed = Printed(tuple(drawn.printed[replication].tolist()), 0, 1e9, stds=stds, quantum=drawn.kind.step)
            samples = tuple(map(tuple, drawn.runs[replication, : LOOKS[look]].tolist()))
            verdict = judge(printed, Measured("trained", samples, profile="paper", verified=True)).verdict
            if (verdict is Verdict.OUTSIDE) is not bool(early[look, replication]):
                raise SystemExit(f"The simulation of cells with {drawn.kind.name} does not say {verdict}, and `judge` does.")


CAPS, OFF = (1.0, 2.0, 3.0, 4.0, 8.0), (1.0, 1.5, 2.0)


def within_rates(count: int) -> dict[float, list[CellRates]]:
    """Return how often a printed number is `within` that is off by the cap or more: by cap, in standard deviations, for each of `OFF`."""
    kind, noise = CellKind(1, False, 1.0), 100.0
    runs = np.round(noise * np.random.default_rng(SEED).normal(size=(count, SEEDS, 1)))
    found: dict[float, list[CellRates]] = {}
    for cap in CAPS:
        for off in OFF:
            drawn = CellDraw(kind, runs, np.full((count, 1), round(cap * off * noise)), None)
            said = np.stack([_within(drawn, apart, std, n, cap * noise) for n, apart, std in drawn.apart()])
            shares = [*(said[n - FEWEST] for n in SHOWN), said.any(0)]
            found.setdefault(cap, []).append(CellRates(tuple(Rate(float(each.mean()), count) for each in shares)))
    return found


def _within(drawn: CellDraw, apart: Array, std: Array, n: int, cap: float) -> Array:
    width = drawn.within(std, n)
    return ((apart <= width) & (width <= cap)).all(1)


# Power

POINTS = (0.5, 1.0, 2.0)  # differences
SPREADS = (0.1, 10.0)  # standard deviations of the paired differences, in points
SHARE = 0.8
# Standard deviations of one run, in points; a pair without common noise has sqrt(2) times as much. Measured: the F-scores of
# tables/adaptive_rf/reference/table1-small-3-seeds.md.
MARKS = {0.5: "0.5 points a run", 1.5: "1.5 points a run", 5.0: "5 points a run:\nmeasured, table 1, small"}


@cache
def decisive_shares() -> tuple[float, ...]:
    """Return the smallest share that decides, from `FEWEST` seeds to `MOST_SEEDS`; the e-value grows with the share."""
    found = []
    for n in range(FEWEST, MOST_SEEDS + 1):
        low, high = -1.0, 1.0
        while high - low > 1e-5:
            middle = (low + high) / 2
            low, high = (low, middle) if log_e_value(middle, n) >= math.log(logic.DECISIVE) else (middle, high)
        found.append(high)
    return tuple(found)


def seeds_to_decide(effect: float, count: int) -> Array:
    """Return the number of seeds after which a pair is decided, by replication; infinity beyond `MOST_SEEDS`.

    Args:
        effect: Difference in standard deviations of the paired differences.
        count: Number of replications.
    """
    values = effect + np.random.default_rng(SEED).normal(size=(count, MOST_SEEDS))
    n = np.arange(1, MOST_SEEDS + 1)
    total, squares = values.cumsum(1), (values**2).cumsum(1)
    share = (total / np.sqrt(n * squares))[:, FEWEST - 1 :]  # t / sqrt(t^2 + n - 1)
    decided = share >= np.array(decisive_shares())
    return np.where(decided.any(1), FEWEST + decided.argmax(1), np.inf)


def power(count: int) -> tuple[Array, Array, Array]:
    """Return effects, and the seeds that decide half of the replications, and `SHARE` of them."""
    effects = np.geomspace(min(POINTS) / SPREADS[1], max(POINTS) / SPREADS[0], 80)
    taken = [np.sort(seeds_to_decide(float(effect), count)) for effect in effects]
    return effects, *(np.array([each[math.ceil(share * count) - 1] for each in taken]) for share in (0.5, SHARE))


def draw_power(stem: Path, effects: Array, half: Array, most: Array) -> None:
    from matplotlib.figure import Figure

    from reproduce.figures.style import FAINT, PAGE, save, styled

    with styled():
        figure = Figure(figsize=(PAGE, PAGE / 2), layout="constrained")
        axes = figure.subplots()
        for points, colour in zip(POINTS, ("C3", "C1", "C0"), strict=True):
            axes.plot(points / effects, half, color=colour, label=f"a difference of {points:g} points, half of the times")
            axes.plot(points / effects, most, "--", color=colour, label=f"a difference of {points:g} points, {SHARE:.0%} of the times")
        for std, said in MARKS.items():
            axes.axvline(math.sqrt(2) * std, color=FAINT, linewidth=0.6, linestyle=":")
            axes.text(math.sqrt(2) * std, 1.03 * MOST_SEEDS, said, ha="center", va="bottom", color=FAINT)
        axes.set(xscale="log", yscale="log", xlim=SPREADS, ylim=(2, MOST_SEEDS))
        axes.set(xlabel="standard deviation of the paired differences, points", ylabel="seeds until a difference is decided")
        axes.set_xticks([0.1, 0.2, 0.5, 1, 2, 5, 10])
        axes.set_yticks([3, 5, 10, 20, 50, 100, 200])
        axes.minorticks_off()
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter("{x:g}")
        axes.legend(frameon=False, loc="upper left")
        print(*save(figure, stem))


# Output


def row(*cells: object) -> None:
    print("|", " | ".join(map(str, cells)), "|", flush=True)


def head(*cells: str) -> None:
    print()
    row(*cells)
    row(*["---"] * len(cells))


def print_claims(count: int) -> list[str]:
    """Print the table of claims; return what is above the bound."""
    simulation, faults, asked = Claims(count), [], questions()
    looks = ", ".join(f"n = {n}" for n in SHOWN)
    print(f"False answers of claims in %: at {looks} / ever, looking after every seed from {FEWEST} to {SEEDS}.")
    print("Before: the difference of means beyond twice its standard error.")
    said = ("before: false yes", "before: false no", "now: false yes", "now: false no", "now, rounded: false yes", "now, rounded: false no")
    head("claim", "means", "comparisons", *said)
    for line in lines([each for each in asked if each.noisy], simulation):
        shown = ("-" if each is None else each for each in (*line.before, *line.after, *line.rounded))
        row(line.question.name, line.place, len(line.question.noisy), *shown)
        faults += line.faults
    exact = [each.name for each in asked if not each.noisy]
    print(f"\nNo seeds: {', '.join(exact) or 'none'}.")
    error = interpolation_error(np.random.default_rng(SEED))
    print(f"E-values are interpolated, with a relative error of at most {error:.0e}.", end=" ")
    print(f"{simulation.compared} answers were compared with those of the claim's test on plain numbers.")
    return faults


def print_cells(count: int) -> list[str]:
    """Print the tables of cells; return what is above the bound."""
    faults = []
    looks = ", ".join(f"n = {n}" for n in SHOWN)
    print(f"\nCorrect printed numbers that are outside, in %: at {looks} / ever to {SEEDS} seeds / ever to {MOST_SEEDS}.")
    head("printed", "cells", "noise in steps", *CELL_RULES)
    for kind, cells in cell_kinds().items():
        for noise in (INDEPENDENT.steps, ROUNDED.steps):
            found = cell_rates(kind, noise, count)
            row(kind.name, cells, f"{noise:g}", *found.values())
            if any(rate.above for rate in found[IN_USE].rates):
                faults.append(f"cells with {kind.name}, noise of {noise:g} steps: a correct number is outside in {found[IN_USE]} %")
    print(f"\nPrinted numbers that are `within` although they are off by the cap or more, in %: at {looks} / ever to {SEEDS} seeds.")
    head("cap in standard deviations", *(f"off by {off:g} x the cap" for off in OFF))
    for cap, rates in within_rates(count).items():
        row(f"{cap:g}", *rates)
    return faults


def print_power(count: int, stem: str) -> None:
    effects, half, most = power(count)
    print(f"\nSeeds that decide a difference of one pair: half of the times / {SHARE:.0%} of the times; '-' is more than {MOST_SEEDS}.")
    head("standard deviation of the paired differences, points", *(f"{points:g} points" for points in POINTS))
    for std in (0.5, 1.0, 2.0, 5.0):
        taken = [np.sort(seeds_to_decide(points / std, count)) for points in POINTS]
        row(f"{std:g}", *(" / ".join(_seeds(each[math.ceil(share * count) - 1]) for share in (0.5, SHARE)) for each in taken))
    if stem:
        draw_power(Path(stem), effects, half, most)


def _seeds(number: float) -> str:
    return "-" if math.isinf(number) else f"{number:.0f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer replications, and no plot")
    parser.add_argument("--replications", type=int, help="per claim, place and noise; default: 5000, or 600 with --quick")
    parser.add_argument("--plot", default="calibration", help="path of the plot's files, without suffix")
    options = parser.parse_args()
    count = options.replications or (600 if options.quick else 5000)
    begun = time.process_time()
    print(f"{count} replications: a Monte Carlo standard error of {100 * math.sqrt(LEVEL * (1 - LEVEL) / count):.1f} points at 5 %.\n")
    faults = print_claims(count) + print_cells(2 * count)  # they cost little
    print_power(min(count, 2000), "" if options.quick else options.plot)
    print(f"\n{time.process_time() - begun:.0f} s of one core.")
    if faults:
        raise SystemExit("Above 5 %:\n" + "\n".join(faults))


if __name__ == "__main__":
    main()

"""Compared cells: measured numbers beside printed ones, with difference, verdict and reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

from reproduce.table import CellKey, Kind, Value
from reproduce.verdicts.measured import Sample
from reproduce.verdicts.verdict import Judgement, Measured, Printed, Verdict, center, judge, spread

if TYPE_CHECKING:
    from reproduce.verdicts.printed import PublishedTable

ENOUGH_AUDITS = 3  # cells that a formula must give before what it does not give is the paper's mistake
DECIDED_BY_DIFFERENCE = (Verdict.WITHIN, Verdict.OUTSIDE, Verdict.UNDECIDED)
NOT_PRINTED = "not in the paper's table"  # reason if the paper's table has no such cell


@dataclass(frozen=True)
class ComparedCell:
    """A cell with its printed numbers, its measured numbers and its verdict. The fields have the order of the json.

    Args:
        row: Label of the row.
        row_key: Key of the row.
        column: Key of the column.
        kind: Kind of the cell: `exact`, `trained`, `timed` or `published`.
        unit: Unit of the numbers; "1" if they have none.
        published: Printed number or numbers; None if there is none.
        published_std: Printed standard deviation.
        values: One number, or one list of numbers, per finished seed.
        seeds: Seeds of `values`.
        mean: Mean over seeds.
        std: Standard deviation over seeds, with n - 1; None for fewer than two seeds.
        n: Number of finished seeds.
        difference: Mean minus published number.
        tolerance: Tolerance that decided the verdict; None if none did.
        interval: Lowest and highest printed number that would not be far from ours: mean minus and plus tolerance; in a list, one pair per
            number.
        cap: Widest tolerance that allows `within`; None if no difference decided.
        test: Name of the test that decided.
        seeds_needed: Number of seeds that should decide an undecided cell; None if none does, or if the cell is not undecided.
        verdict: One of `Verdict`.
        reason: Reason for the verdict.
        data: Data of the measurement.
        device: Device of the measurement.
        jobs: Names of the runs.
    """

    row: str
    row_key: str
    column: str
    kind: Kind
    unit: str
    published: Value | None
    published_std: Value | None
    values: list[Value]
    seeds: list[int]
    mean: Value | None
    std: Value | None
    n: int
    difference: Value | None
    tolerance: Value | None
    interval: list[float] | list[list[float]] | None
    cap: float | None
    test: str
    seeds_needed: int | None
    verdict: Verdict
    reason: str
    data: str
    device: str
    jobs: list[str]

    @property
    def key(self) -> CellKey:
        """Row and column of the cell."""
        return self.row_key, self.column


CELL_FIELDS = tuple(item.name for item in fields(ComparedCell))


def compare(published: PublishedTable, samples: Iterable[Sample], *, rows: Collection[str] | None = None) -> list[ComparedCell]:
    """Compare the measured numbers with the printed ones; a pure function.

    Args:
        published: Printed table.
        samples: At least one sample per cell. Cells that the paper lacks (scores beside the printed one) follow the printed cells of their
            row. Rows that the paper lacks (a user's own rows) follow the paper's rows.
        rows: Keys of the rows to show; None shows all.

    Returns:
        Cells, row by row.

    Raises:
        ValueError: A published cell has no sample, or samples are of several profiles.
    """
    found = _by_cell(_counted_alike(published, samples))
    order = {row: position for position, row in enumerate(dict.fromkeys([*published.rows, *(row for row, _ in found)]))}
    keys = sorted(dict.fromkeys([*published.by_key, *found]), key=lambda key: order[key[0]])
    shown = [key for key in keys if rows is None or key[0] in rows]
    missing = [key for key in shown if key not in found]
    if missing:
        raise ValueError(f"Expected `samples` to have one per cell, but got none for {missing}: give them state 'todo'.")
    cells = {key: _cell(published, key, found[key]) for key in keys if key in found}
    audited = [key for key, each in found.items() if each[0].audit]
    for column in dict.fromkeys(column for _, column in audited):
        cells |= _audit([cells[key] for key in audited if key[1] == column])
    return [_doubted(cells[key], cells.get((key[0], found[key][0].audited_by))) for key in shown]


def _doubted(cell: ComparedCell, audit: ComparedCell | None) -> ComparedCell:
    """Return a cell without a verdict on its difference if its printed number contradicts the paper's own formula."""
    if audit is None or audit.verdict is not Verdict.INCONSISTENT or cell.verdict not in DECIDED_BY_DIFFERENCE:
        return cell
    reason = f"the printed number contradicts the paper itself: {audit.reason}"
    return replace(cell, verdict=Verdict.NOT_COMPARABLE, reason=reason, tolerance=None, interval=None, cap=None, test="", seeds_needed=None)


def _reserved(judgement: Judgement, ours: Measured) -> Judgement:
    """Return a judgement without a verdict on the difference if the numbers come with a caveat."""
    if not ours.remarks or judgement.verdict not in DECIDED_BY_DIFFERENCE:
        return judgement
    return Judgement(Verdict.NOT_COMPARABLE, "; ".join((*ours.remarks, *ours.waiting)))


def _audit(cells: Sequence[ComparedCell]) -> dict[CellKey, ComparedCell]:
    """Return the cells that become a mismatch, of a column that the paper's own formula is compared with.

    A printed number is the paper's inconsistency only if the formula is trusted. It is trusted if it gives most of the column and at
    least three cells: else the mistake may be in our reading of it.
    """
    right = sum(cell.verdict is Verdict.EXACT for cell in cells)
    if right >= ENOUGH_AUDITS and 2 * right > len(cells):
        return {}
    doubt = f"it gives {right} of {len(cells)} numbers of this column: perhaps it is read wrongly here"
    return {
        cell.key: replace(cell, verdict=Verdict.MISMATCH, reason=f"{cell.reason}; {doubt}")
        for cell in cells
        if cell.verdict is Verdict.INCONSISTENT
    }


def _counted_alike(published: PublishedTable, samples: Iterable[Sample]) -> list[Sample]:
    """Fail samples that counted other images or pixels than most samples of their column on the same data.

    Their scores look comparable, and are not: an evaluation that lost some pictures, for example.
    """
    samples = [_of_shape(published, sample) for sample in samples]
    seen: dict[tuple[str, str], Counter[tuple[int, int | None]]] = {}
    for sample in samples:
        column = published.column(sample.column)
        if sample.counted is not None and not (column and column.counts_differ):
            seen.setdefault((sample.column, sample.data), Counter())[sample.counted] += 1
    usual = {key: _most(counts) for key, counts in seen.items()}
    return [_refused(sample, usual.get((sample.column, sample.data), sample.counted)) for sample in samples]


def _of_shape(published: PublishedTable, sample: Sample) -> Sample:
    """Fail a sample with another number of values than the paper prints in its cell."""
    cell = published.by_key.get(sample.key)
    printed = _numbers(cell.value) if cell else None
    if printed is None or sample.numbers is None or len(sample.numbers) == len(printed):
        return sample
    return replace(sample, state="failed", value=None, reason=f"it has {len(sample.numbers)} values, and the paper prints {len(printed)}")


def _most(counts: Counter[tuple[int, int | None]]) -> tuple[int, int | None] | None:
    """Return what most samples counted; None if no count has a majority."""
    (first, number), *others = counts.most_common(2)
    return None if any(count == number for _, count in others) else first


def _refused(sample: Sample, usual: tuple[int, int | None] | None) -> Sample:
    if sample.counted == usual or sample.counted is None:
        return sample
    if usual is None:
        return replace(
            sample, state="failed", value=None, reason="the rows of this column counted different images, none of them most often"
        )
    said = [
        f"{images:,} images" + ("" if labelled is None else f" with {labelled:,} labels") for images, labelled in (sample.counted, usual)
    ]
    return replace(sample, state="failed", value=None, reason=f"its evaluation counted {said[0]}, those of other rows {said[1]}")


def _by_cell(samples: Iterable[Sample]) -> dict[CellKey, list[Sample]]:
    found: dict[CellKey, list[Sample]] = {}
    for sample in sorted(samples, key=lambda sample: sample.seed):
        found.setdefault(sample.key, []).append(sample)
    profiles = {sample.profile for samples in found.values() for sample in samples}
    if len(profiles) > 1:
        raise ValueError(f"Expected `samples` to be of one profile, but got {', '.join(sorted(profiles))}: compare them one by one.")
    return found


def _cell(published: PublishedTable, key: CellKey, samples: list[Sample]) -> ComparedCell:
    printed, column, first = published.by_key.get(key), published.column(key[1]), samples[0]
    finished = {sample.seed: sample.numbers for sample in samples if sample.numbers is not None}
    values = tuple(finished.values())
    numbers = _numbers(printed.value) if printed else None
    theirs = Printed(
        numbers,
        published.digits(*key),
        column.tolerance if column else None,
        printed.note if printed else NOT_PRINTED,
        _numbers(printed.std) if printed else None,
        column.runs if column else None,
        published.quantum(*key),
    )
    ours = _measured(samples, values)
    judgement = _reserved(judge(theirs, ours), ours)
    means = center(values)
    comparable = means is not None and numbers is not None and len(means) == len(numbers)
    difference = tuple(a - b for a, b in zip(means or (), numbers or (), strict=True)) if comparable else None
    return ComparedCell(
        row=published.rows.get(key[0]) or first.row or key[0],
        row_key=key[0],
        column=key[1],
        kind=first.kind,
        unit=printed.unit if printed else column.unit if column else "1",
        published=_value(numbers),
        published_std=printed.std if printed else None,
        values=[value for sample in values if (value := _value(sample)) is not None],
        seeds=list(finished),
        mean=_value(means),
        std=_value(spread(values)),
        n=len(values),
        difference=_value(difference),
        tolerance=_value(judgement.tolerance),
        interval=_interval(means, judgement.tolerance),
        cap=judgement.cap,
        test=judgement.test,
        seeds_needed=judgement.seeds_needed,
        verdict=judgement.verdict,
        reason=judgement.reason,
        data=ours.data,
        device=ours.device,
        jobs=list(dict.fromkeys(sample.job for sample in samples if sample.job)),
    )


def _interval(means: tuple[float, ...] | None, widths: tuple[float, ...] | None) -> list[float] | list[list[float]] | None:
    if means is None or widths is None:
        return None
    ends = [[mean - width, mean + width] for mean, width in zip(means, widths, strict=False)]
    return ends if len(ends) > 1 else ends[0]


def _measured(samples: list[Sample], values: tuple[tuple[float, ...], ...]) -> Measured:
    first, done = samples[0], [sample for sample in samples if sample.numbers is not None]
    return Measured(
        kind=first.kind,
        samples=values,
        audit=first.audit,
        profile=first.profile,
        data=_joined(sample.data for sample in done),
        device=_joined(sample.device for sample in done),
        verified=all(sample.verified for sample in done),
        failures=_by_seed({sample.seed: sample.failure for sample in samples if sample.failure}, len(samples)),
        waiting=_by_seed({sample.seed: sample.waiting for sample in samples if sample.waiting}, len(samples)),
        remarks=tuple(dict.fromkeys(sample.reason for sample in done if sample.reason)),
    )


def _by_seed(texts: Mapping[int, str], seeds: int) -> tuple[str, ...]:
    """Return each text once, preceded by its seeds unless it applies to all seeds."""
    groups: dict[str, list[int]] = {}
    for seed, text in texts.items():
        groups.setdefault(text, []).append(seed)
    return tuple(
        text if len(group) == seeds else f"seed{'s' * (len(group) > 1)} {', '.join(map(str, group))}: {text}"
        for text, group in groups.items()
    )


def _numbers(value: Value | None) -> tuple[float, ...] | None:
    if value is None:
        return None
    return tuple(value) if isinstance(value, list) else (value,)


def _value(numbers: tuple[float, ...] | None) -> Value | None:
    """Return a single number as a float, and several as a list; twelve digits, so that 0.01 is not stored as 0.010000000000000009."""
    if numbers is None:
        return None
    rounded = [float(f"{number:.12g}") for number in numbers]
    return rounded if len(rounded) > 1 else rounded[0]


def _joined(texts: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(text for text in texts if text))

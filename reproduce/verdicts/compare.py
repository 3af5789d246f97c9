"""The measured numbers beside the printed ones: one cell each, with everything that is said of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from reproduce.table import CellKey, Kind, Value
from reproduce.verdicts.measured import Sample
from reproduce.verdicts.verdict import Measured, Printed, Verdict, center, judge, spread

if TYPE_CHECKING:
    from reproduce.verdicts.printed import PublishedTable

NOT_PRINTED = "not in the paper's table"  # why a cell has no printed number, where the paper has no such cell


@dataclass(frozen=True)
class ComparedCell:
    """Everything that is said of a cell, in the order of the json's fields.

    Args:
        row: its label.
        row_key: names the row.
        column: names the column.
        kind: `exact`, `trained`, `timed` or `published`.
        unit: of the numbers; "1" where they have none.
        published: the printed number or numbers; None where there is none.
        published_std: the printed standard deviation.
        values: one number, or one list of numbers, a finished seed.
        seeds: that `values` are of.
        mean: over seeds.
        std: over seeds, with n - 1; None from fewer than two.
        n: finished seeds.
        difference: mean less published.
        tolerance: that decided the verdict; None where none did.
        verdict: see `Verdict`.
        reason: of the verdict.
        data: what was measured on.
        device: that computed.
        jobs: names of the runs.
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
    verdict: Verdict
    reason: str
    data: str
    device: str
    jobs: list[str]

    @property
    def key(self) -> CellKey:
        """The cell's row and column."""
        return self.row_key, self.column


CELL_FIELDS = tuple(item.name for item in fields(ComparedCell))


def compare(published: PublishedTable, samples: Iterable[Sample], *, rows: Collection[str] | None = None) -> list[ComparedCell]:
    """Put the measured numbers beside the printed ones; pure.

    Args:
        published: the printed table.
        samples: at least one a cell. Cells that the paper lacks (scores beside the printed one) follow the printed ones of their row, and
            rows that it lacks (a user's own) follow the paper's.
        rows: row keys to show; all where None.

    Returns:
        The cells, row by row.

    Raises:
        ValueError: a published cell has no sample, or samples are of several profiles.
    """
    found = _by_cell(samples)
    order = {row: position for position, row in enumerate(dict.fromkeys([*published.rows, *(row for row, _ in found)]))}
    keys = sorted(dict.fromkeys([*published.by_key, *found]), key=lambda key: order[key[0]])
    shown = [key for key in keys if rows is None or key[0] in rows]
    missing = [key for key in shown if key not in found]
    if missing:
        raise ValueError(f"Expected `samples` to have one for every cell, but got none for {missing}: give them state 'todo'.")
    return [_cell(published, key, found[key]) for key in shown]


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
    theirs = Printed(numbers, published.digits(*key), column.tolerance if column else None, printed.note if printed else NOT_PRINTED)
    ours = _measured(samples, values)
    judgement = judge(theirs, ours)
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
        verdict=judgement.verdict,
        reason=judgement.reason,
        data=ours.data,
        device=ours.device,
        jobs=list(dict.fromkeys(sample.job for sample in samples if sample.job)),
    )


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
    """Say each text once, with the seeds it holds for unless those are all."""
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
    """Unwrap a single number; twelve digits, so that 0.01 is not stored as 0.010000000000000009."""
    if numbers is None:
        return None
    rounded = [float(f"{number:.12g}") for number in numbers]
    return rounded if len(rounded) > 1 else rounded[0]


def _joined(texts: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(text for text in texts if text))

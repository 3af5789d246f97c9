"""The measured lines beside the published table: one line per cell, with everything that is said of it."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reproduce.verdict import Measured, Printed, center, judge, spread

if TYPE_CHECKING:
    from reproduce.printed import PublishedTable, Value

CELL_FIELDS = (
    *("row", "row_key", "column", "kind", "unit", "published", "published_std", "values", "seeds", "mean", "std", "n"),
    *("difference", "tolerance", "verdict", "reason", "data", "device", "jobs"),
)
MEASURED_FIELDS = (
    *("row_key", "column", "kind", "audit", "seed", "value", "state", "reason"),
    *("job", "profile", "data", "verified", "device"),
)
KINDS = ("exact", "trained", "timed", "published")
STATES = ("done", "failed", "running", "interrupted", "todo")

NOT_PRINTED = "not in the paper's table"  # why a cell has no printed number, where the paper has no such cell

Key = tuple[str, str]


@dataclass(frozen=True)
class _Line:
    """One line of the measured frame; `numbers` is None unless the seed is done and its value is finite."""

    key: Key
    kind: str
    audit: bool
    seed: int
    value: object
    state: str
    reason: str
    job: str
    profile: str
    data: str
    verified: bool
    device: str
    row: str
    unit: str

    @property
    def numbers(self) -> tuple[float, ...] | None:
        if self.state != "done" or self.value is None:
            return None
        values: Iterable[Any] = self.value if isinstance(self.value, list | tuple) else (self.value,)
        numbers = tuple(float(value) for value in values)
        return numbers if all(math.isfinite(number) for number in numbers) else None

    @property
    def failure(self) -> str:
        if self.state == "done" and self.numbers is None:
            return "ended without a finite number"
        return f"failed: {self.reason or 'no reason recorded'}" if self.state == "failed" else ""

    @property
    def waiting(self) -> str:
        if self.state in ("running", "interrupted"):
            return f"{self.state}: {self.reason}" if self.reason else self.state
        return (self.reason or "not started") if self.state == "todo" else ""


def compare(
    published: PublishedTable, measured: Iterable[Mapping[str, Any]], *, rows: Collection[str] | None = None
) -> list[dict[str, Any]]:
    """Put the measured numbers beside the printed ones; pure.

    Args:
        published: the printed table.
        measured: long, one line per (cell, seed), with the fields `MEASURED_FIELDS`. Two more are read where present: `row` and `unit`
            name cells that the paper lacks (a user's own rows, scores beside the printed one). Such cells follow the printed ones of
            their row, such rows follow the paper's.
        rows: row keys to show; all where None.

    Returns:
        One line per cell with the fields `CELL_FIELDS`; numbers are plain floats, lists of floats, or None.

    Raises:
        ValueError: where `measured` lacks a field or a published cell, mixes profiles, or holds a number without its data and profile.
    """
    found = _collect(measured)
    order = {row: position for position, row in enumerate(dict.fromkeys([*published.rows, *(row for row, _ in found)]))}
    keys = sorted(dict.fromkeys([*published.by_key, *found]), key=lambda key: order[key[0]])
    shown = [key for key in keys if rows is None or key[0] in rows]
    missing = [key for key in shown if key not in found]
    if missing:
        raise ValueError(f"Expected `measured` to have a line for every cell, but got none for {missing}: give them state 'todo'.")
    return [_cell(published, key, found[key]) for key in shown]


def _collect(measured: Iterable[Mapping[str, Any]]) -> dict[Key, list[_Line]]:
    found: dict[Key, list[_Line]] = {}
    for record in measured:
        line = _line(record)
        found.setdefault(line.key, []).append(line)
    profiles = {line.profile for lines in found.values() for line in lines}
    if len(profiles) > 1:
        raise ValueError(f"Expected `measured` to hold one profile, but got {', '.join(sorted(profiles))}: compare them one by one.")
    for lines in found.values():
        lines.sort(key=lambda line: line.seed)
    return found


def _line(record: Mapping[str, Any]) -> _Line:
    lacking = [name for name in MEASURED_FIELDS if name not in record]
    if lacking:
        raise ValueError(f"Expected lines of `measured` to have {', '.join(MEASURED_FIELDS)}, but got no {', '.join(lacking)}.")
    plain = {name: _text(record.get(name)) for name in ("kind", "state", "reason", "job", "profile", "data", "device", "row", "unit")}
    key = (str(record["row_key"]), str(record["column"]))
    for name, allowed in (("kind", KINDS), ("state", STATES)):
        if plain[name] not in allowed:
            raise ValueError(f"Expected `{name}` of {key} to be one of {', '.join(allowed)}, but got '{plain[name]}'.")
    for name in ("audit", "verified"):
        if record[name] not in (True, False):  # NaN would count as true
            raise ValueError(f"Expected `{name}` of {key} to be true or false, but got {record[name]}.")
    line = _Line(
        key=key, audit=bool(record["audit"]), seed=int(record["seed"]), value=record["value"], verified=bool(record["verified"]), **plain
    )
    if line.numbers is not None and line.kind != "exact" and not (line.profile and line.data):
        raise ValueError(f"Expected `profile` and `data` of {key} to say what its number was measured on, but got nothing.")
    return line


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""  # None where a line lacks it


def _cell(published: PublishedTable, key: Key, lines: list[_Line]) -> dict[str, Any]:
    printed = published.by_key.get(key)
    column = published.column(key[1])
    first = lines[0]
    finished = [(line.seed, line.numbers) for line in lines if line.numbers is not None]
    samples = tuple(sample for _, sample in finished)
    numbers = _numbers(printed.value) if printed else None
    theirs = Printed(
        numbers,
        published.digits(*key),
        column.tolerance if column else None,
        printed.note if printed else NOT_PRINTED,
    )
    judgement = judge(theirs, _measured(lines, samples))
    means, deviations = center(samples), spread(samples)
    comparable = means is not None and numbers is not None and len(means) == len(numbers)
    difference = tuple(a - b for a, b in zip(means or (), numbers or (), strict=True)) if comparable else None
    unit = printed.unit if printed else (first.unit or (column.unit if column else "1"))
    return {
        "row": published.rows.get(key[0]) or first.row or key[0],
        "row_key": key[0],
        "column": key[1],
        "kind": first.kind,
        "unit": unit,
        "published": _value(numbers),
        "published_std": printed.std if printed else None,
        "values": [_value(sample) for sample in samples],
        "seeds": [seed for seed, _ in finished],
        "mean": _value(means),
        "std": _value(deviations),
        "n": len(samples),
        "difference": _value(difference),
        "tolerance": _value(judgement.tolerance),
        "verdict": str(judgement.verdict),
        "reason": judgement.reason,
        "data": _joined(line.data for line in lines if line.numbers is not None),
        "device": _joined(line.device for line in lines if line.numbers is not None),
        "jobs": list(dict.fromkeys(line.job for line in lines if line.job)),
    }


def _measured(lines: list[_Line], samples: tuple[tuple[float, ...], ...]) -> Measured:
    first = lines[0]
    done = [line for line in lines if line.numbers is not None]
    return Measured(
        kind=first.kind,
        samples=samples,
        audit=first.audit,
        profile=first.profile,
        data=_joined(line.data for line in done),
        device=_joined(line.device for line in done),
        verified=all(line.verified for line in done),
        failures=_by_seed({line.seed: line.failure for line in lines if line.failure}, len(lines)),
        waiting=_by_seed({line.seed: line.waiting for line in lines if line.waiting}, len(lines)),
        remarks=tuple(dict.fromkeys(line.reason for line in done if line.reason)),
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

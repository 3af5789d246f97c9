"""A user's own rows beside the published ones: `--with FILE` reads them, and a job's own process builds what they name.

A file of rows holds `ROWS`, a list of `OwnRow`, or `rows(published)` that returns one: `published` is the job of the table's first
trained row, with its network, recipe and data in the profile chosen. What a row leaves out is as there.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from reproduce.jobs.job import Job
from reproduce.own.checks import check, fits
from reproduce.own.files import load, placed, said
from reproduce.specs import Data, Network, OwnData, OwnNetwork, Recipe
from reproduce.table import Cell, Setting, metric


@dataclass(frozen=True)
class OwnRow:
    """A row of the user's own.

    Args:
        key: names the row on the command line and its run folders: small letters, digits and hyphens.
        label: what the table shows.
        network: the suite's with other arguments, or an `OwnNetwork`; the published row's where None.
        recipe: the published row's where None.
        data: the published row's where None.
        metrics: which of the run's metrics to show; by default the table's trained columns, and what the network learns besides weights.
    """

    key: str
    label: str
    network: Network | None = None
    recipe: Recipe | None = None
    data: Data | None = None
    metrics: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", self.key):
            raise ValueError(f"Expected `key` to be small letters, digits and hyphens, but got '{self.key}'.")
        if not fits(self.metrics, tuple[str, ...]):
            raise ValueError(f"Expected `metrics` of row '{self.key}' to be several names, ('f_score',) say, but got {self.metrics!r}.")


def own_cells(setting: Setting, cells: Sequence[Cell]) -> list[Cell]:
    """Return the cells of the rows in the setting's file.

    Args:
        setting: with a file.
        cells: the table's, whose first trained row the own rows are like.

    Raises:
        ValueError: where the file cannot be read, fails, or gives no rows; the sentence names the line.
    """
    assert setting.own is not None
    trained = [cell for cell in cells if cell.kind == "trained" and cell.jobs]
    like = [cell for cell in trained if cell.jobs[0].trains]
    if not like:
        raise ValueError("Expected --with beside a table with trained rows, but it has none.")
    # Its trainings first: what evaluates them comes after.
    like = sorted((cell for cell in trained if cell.row_key == like[0].row_key), key=lambda cell: not cell.jobs[0].trains)
    rows = read_rows(setting.own, like[0].jobs[0])
    keys = [*dict.fromkeys(cell.row_key for cell in cells), *(row.key for row in rows)]
    for row in rows:
        if keys.count(row.key) > 1:
            raise ValueError(f"Expected every row of {setting.own} to have a key of its own, but got '{row.key}' twice, or from the table.")
    return [cell for row in rows for cell in _cells(row, setting, like)]


def read_rows(path: Path, published: Job) -> list[OwnRow]:
    """Run a file of rows, and find what its rows name.

    Args:
        path: of the file.
        published: what rows are like where they say nothing else.

    Raises:
        ValueError: as `own_cells`.
    """
    path = path.resolve()
    module = load(path)
    try:
        rows = module.rows(published) if hasattr(module, "rows") else module.__dict__.get("ROWS")
    except Exception as error:
        raise ValueError(said(path, error)) from error
    if not isinstance(rows, list | tuple) or not rows or not all(isinstance(row, OwnRow) for row in rows):
        raise ValueError(f"Expected {path} to have `ROWS`, a list of OwnRow, or `rows(published)` that returns one, but got {rows!r}.")
    rows = [replace(row, network=placed(row.network, path), data=placed(row.data, path)) for row in rows]
    for row in rows:
        check(row.key, _job(row, published), published)
    return rows


def _job(row: OwnRow, published: Job) -> Job:
    """Return a row's job, which is like the published one in what the row leaves out."""
    given = {name: value for name in ("network", "recipe", "data") if (value := getattr(row, name)) is not None}
    job = replace(published, **given)
    # The published start weights fit the published network, with other arguments, only.
    return job if type(job.network) is type(published.network) else replace(job, start=None)


def _cells(row: OwnRow, setting: Setting, like: Sequence[Cell]) -> list[Cell]:
    """Return a row's cells, with one job a seed.

    A column that is trained otherwise than the first, on other data say, is also one of the row's if that makes another job of it: what
    the row itself sets does not differ from column to column.
    """
    data, missing = _found(row.data, setting)
    row = replace(row, data=data)
    columns: dict[str, Cell] = {}
    published: dict[str, tuple[Job, ...]] = {}
    mine: dict[str, Job] = {}  # the row's own trainings, by the published ones
    for cell in like:
        first = cell.jobs == like[0].jobs
        slug = "-".join(("own", row.key, *([] if first else [cell.column]), setting.profile))
        made = [_own_job(row, job, mine) for job in cell.jobs]
        jobs = tuple(replace(job, slug=slug) for job in made if job is not None)
        if len(jobs) < len(cell.jobs):
            continue
        mine |= {job.digest: own for job, own in zip(cell.jobs, jobs, strict=True) if job.trains}
        absent = cell.missing if _needs_published(jobs[0], data) else missing
        own = replace(
            cell, row_key=row.key, jobs=jobs, audit=False, missing=absent, label=row.label,
            caveat=_note(_training_of(jobs[0]), _training_of(cell.jobs[0])),
        )  # fmt: skip
        if published.setdefault(jobs[0].digest, cell.jobs) == cell.jobs:
            columns[cell.column] = own
    published_network = like[0].jobs[0].network
    names = _learned(row.network or published_network)
    lacking = set(_learned(published_network)) - set(names)
    chosen = row.metrics or tuple(dict.fromkeys((*names, *(name for name, cell in columns.items() if cell.metric not in lacking))))
    plain = next(iter(columns.values()))
    return [columns.get(name) or replace(plain, column=name, value=partial(metric, name)) for name in chosen]


def _own_job(row: OwnRow, published: Job, mine: Mapping[str, Job]) -> Job | None:
    """Return a row's job for a column; None where the column evaluates something that the row's training is not.

    Args:
        row: with its data.
        published: the column's job.
        mine: the row's own trainings, by the digests of the published ones.
    """
    if published.trains:
        job = _job(row, published)
        # Without data of its own the row has the column's, which may have other classes.
        return job if row.data is not None else replace(job, network=_of_classes(job.network, published.network))
    (training,) = published.parents or (None,)
    own = mine.get(training.digest) if training is not None else None
    if training is None or own is None or published.start is None or published.network != training.network:
        return None
    if row.data is not None and published.data != training.data:
        return None
    data = published.data if row.data is None else own.data
    return replace(published, network=own.network, data=data, start=replace(published.start, source=own))


def _training_of(job: Job) -> Job:
    return job if job.trains else job.parents[0]


def _learned(network: Network) -> list[str]:
    """Return the metrics of what a network is known to learn besides weights."""
    return [quantity.metric for quantity in network.quantities if quantity.metric and quantity.start is not None]


def _found(data: Data | None, setting: Setting) -> tuple[Data | None, str]:
    """Return a row's data with the fingerprint of its files, and what is missing to have it."""
    if data is None or (setting.data_root is None and getattr(data, "fingerprint", None)):
        return data, ""
    found: tuple[Data, str] = data.found(setting.data_root)
    return found


def _of_classes(network: Network, published: Network) -> Network:
    """Return a network with the classes of the published one, where both have some."""
    classes = getattr(published, "num_classes", None)
    has = classes is not None and hasattr(network, "num_classes")
    return replace(network, num_classes=classes) if has else network  # type: ignore[call-arg]


def _needs_published(job: Job, data: Data | None) -> bool:
    """Whether a row's job waits for what the published one waits for."""
    return data is None or job.start is not None


def _note(job: Job, published: Job) -> str:
    """Say what an own row is, because the paper's deviations, which stand below it, do not."""
    recipe = job.recipe
    assert recipe is not None
    steps = f"{recipe.steps} steps of {recipe.batch_size}"
    parts = [steps, *_differing(recipe, published.recipe, {"steps", "batch_size"}), _called(job.network, published.network)]
    return f"own row: {', '.join(parts if job.data == published.data else [*parts, _called(job.data, published.data)])}"


def _called(spec: Any, published: Any) -> str:
    """Return what a network or data is, by what it has of its own."""
    if isinstance(spec, OwnNetwork | OwnData):
        called, arguments = f"{type(spec).__name__} {spec.name}", [f"{name}={value!r}" for name, value in spec.arguments]
    else:
        called, arguments = type(spec).__name__, _differing(spec, published, {"fingerprint", "made"})
    return f"{called}({', '.join(arguments)})" if arguments else called


def _differing(spec: Any, published: Any, without: Collection[str] = ()) -> list[str]:
    """Return the fields of a spec that are not as in the published one, or where that has no such field, not the default."""
    named = [(item.name, getattr(spec, item.name), getattr(published, item.name, item.default)) for item in fields(spec)]
    return [
        f"{name}={_called(value, other) if is_dataclass(value) else repr(value)}"
        for name, value, other in named
        if value != other and name not in without
    ]

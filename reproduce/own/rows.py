"""A user's own rows beside the published rows. `--with FILE` reads them; the job's process builds their networks and data.

A file of rows has `ROWS`, a list of `OwnRow`, or a function `rows(published)` that returns such a list. `published` is the job of the
table's first trained row, with its network, recipe and data in the chosen profile. A row inherits every field that it does not set.
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
    """A user's own row.

    Args:
        key: Name of the row on the command line and in its run folders: small letters, digits and hyphens.
        label: Label in the table.
        network: Network of the suite with other arguments, or an `OwnNetwork`; None means the published row's network.
        recipe: Recipe; None means the published row's recipe.
        data: Data; None means the published row's data.
        metrics: Metrics of the run to show; by default the table's trained columns, and what the network learns besides weights.
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
        if not isinstance(self.label, str) or not self.label.isprintable():
            raise ValueError(f"Expected `label` of row '{self.key}' to be a text of one line, but got {self.label!r}.")
        if not fits(self.metrics, tuple[str, ...]):
            raise ValueError(f"Expected `metrics` of row '{self.key}' to be names, such as ('f_score',), but got {self.metrics!r}.")


def own_cells(setting: Setting, cells: Sequence[Cell]) -> list[Cell]:
    """Return the cells of the rows in the setting's file.

    Args:
        setting: Setting with a file.
        cells: Cells of the table; the own rows are based on its first trained row.

    Raises:
        ValueError: The file cannot be read, fails, or gives no rows; the message names the line.
    """
    assert setting.own is not None
    trained = [cell for cell in cells if cell.kind == "trained" and cell.jobs]
    like = [cell for cell in trained if cell.jobs[0].trains]
    if not like:
        raise ValueError("Expected --with for a table with trained rows, but the table has none.")
    # The row's trainings come first, then the jobs that evaluate them.
    like = sorted((cell for cell in trained if cell.row_key == like[0].row_key), key=lambda cell: not cell.jobs[0].trains)
    rows = read_rows(setting.own, like[0].jobs[0])
    keys = [*dict.fromkeys(cell.row_key for cell in cells), *(row.key for row in rows)]
    for row in rows:
        if keys.count(row.key) > 1:
            raise ValueError(
                f"Expected every row of {setting.own} to have a unique key, but got '{row.key}', which another row or the table has too."
            )
    return [cell for row in rows for cell in _cells(row, setting, like)]


def read_rows(path: Path, published: Job) -> list[OwnRow]:
    """Load a file of rows, and find the files that its rows name.

    Args:
        path: Path of the file.
        published: Job from which rows inherit the fields that they do not set.

    Raises:
        ValueError: As for `own_cells`.
    """
    path = path.resolve()
    module = load(path)
    try:
        rows = module.rows(published) if hasattr(module, "rows") else module.__dict__.get("ROWS")
    except Exception as error:
        raise ValueError(said(path, error)) from error
    if not isinstance(rows, list | tuple) or not rows or not all(isinstance(row, OwnRow) for row in rows):
        raise ValueError(f"Expected {path} to have `ROWS`, a list of OwnRow, or `rows(published)`, which returns one, but got {rows!r}.")
    rows = [replace(row, network=placed(row.network, path), data=placed(row.data, path)) for row in rows]
    for row in rows:
        check(row.key, _job(row, published), published)
    return rows


def _job(row: OwnRow, published: Job) -> Job:
    """Return a row's job; it has the fields that the row sets, and the published job's fields otherwise."""
    given = {name: value for name in ("network", "recipe", "data") if (value := getattr(row, name)) is not None}
    job = replace(published, **given)
    # The published start weights fit only a network of the same type as the published one, whatever its arguments.
    return job if type(job.network) is type(published.network) else replace(job, start=None)


def _cells(row: OwnRow, setting: Setting, like: Sequence[Cell]) -> list[Cell]:
    """Return a row's cells, with one job per seed.

    Columns may need different trainings, for example on other data. If the row itself sets what differs, its job is the same for both
    columns, and the row has only the first of them.
    """
    data, missing = _found(row.data, setting)
    row = replace(row, data=data)
    columns: dict[str, Cell] = {}
    published: dict[str, tuple[Job, ...]] = {}
    mine: dict[str, Job] = {}  # the row's own trainings, by the digests of the published trainings
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
            cell, row_key=row.key, jobs=jobs, audit=False, audited_by="", missing=absent, label=row.label,
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
    """Return a row's job for a column; None if the column evaluates another network, data set or training than the row has.

    Args:
        row: Row with its data.
        published: Job of the column.
        mine: The row's own trainings, by the digests of the published trainings.
    """
    if published.trains:
        job = _job(row, published)
        # A row without data takes the column's data, which may have other classes.
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
    """Return the metrics of the quantities that a network is known to learn besides weights."""
    return [quantity.metric for quantity in network.quantities if quantity.metric and quantity.start is not None]


def _found(data: Data | None, setting: Setting) -> tuple[Data | None, str]:
    """Return a row's data with the fingerprint of its files, and a sentence on what is missing; empty if nothing is."""
    if data is None or (setting.data_root is None and getattr(data, "fingerprint", None)):
        return data, ""
    found: tuple[Data, str] = data.found(setting.data_root)
    return found


def _of_classes(network: Network, published: Network) -> Network:
    """Return a network with the published network's number of classes, if both have `num_classes`."""
    classes = getattr(published, "num_classes", None)
    has = classes is not None and hasattr(network, "num_classes")
    return replace(network, num_classes=classes) if has else network  # type: ignore[call-arg]


def _needs_published(job: Job, data: Data | None) -> bool:
    """Return whether a row's job needs the data or start weights of the published job."""
    return data is None or job.start is not None


def _note(job: Job, published: Job) -> str:
    """Describe an own row, because the paper's deviations below the table do not."""
    recipe = job.recipe
    assert recipe is not None
    steps = f"{recipe.steps} steps of {recipe.batch_size}"
    parts = [steps, *_differing(recipe, published.recipe, {"steps", "batch_size"}), _called(job.network, published.network)]
    return f"own row: {', '.join(parts if job.data == published.data else [*parts, _called(job.data, published.data)])}"


def _called(spec: Any, published: Any) -> str:
    """Return the name of a network or data, with the arguments in which it differs from the published one."""
    if isinstance(spec, OwnNetwork | OwnData):
        called, arguments = f"{type(spec).__name__} {spec.name}", [f"{name}={value!r}" for name, value in spec.arguments]
    else:
        called, arguments = type(spec).__name__, _differing(spec, published, {"fingerprint", "made"})
    return f"{called}({', '.join(arguments)})" if arguments else called


def _differing(spec: Any, published: Any, without: Collection[str] = ()) -> list[str]:
    """Return the fields of a spec that differ from the published spec, or from their default if the published spec lacks them."""
    named = [(item.name, getattr(spec, item.name), getattr(published, item.name, item.default)) for item in fields(spec)]
    return [
        f"{name}={_called(value, other) if is_dataclass(value) else repr(value)}"
        for name, value, other in named
        if value != other and name not in without
    ]

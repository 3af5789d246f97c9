"""A user's own rows beside the published ones: `--with FILE` reads them, and a job's own process builds what they name.

A file of rows holds `ROWS`, a list of `OwnRow`, or `rows(published)` that returns one: `published` is the job of the table's first
trained row, with its network, recipe and data in the profile chosen. What a row leaves out is as there.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
import traceback
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from types import ModuleType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from datamodules.layouts import helen, voc
from reproduce.job import Job
from reproduce.specs import VOC, AdaptiveVGG, Data, Helen, MadeFaces, MadeScenes, MultiPathVGG, Network, OwnData, OwnNetwork, Recipe
from reproduce.table import Cell, NoMetric, Setting, Value

__all__ = ["VOC", "AdaptiveVGG", "Helen", "MadeFaces", "MadeScenes", "MultiPathVGG", "OwnData", "OwnNetwork", "OwnRow", "Recipe"]

CLASSES: dict[type, int] = {Helen: len(helen.CLASSES), VOC: len(voc.CLASSES)}  # own data says how many only in its job
BLOCKS = 5  # of VGG-16


@dataclass(frozen=True)
class OwnRow:
    """A row of the user's own.

    Args:
        key: names the row on the command line and its run folders: small letters, digits and hyphens.
        label: what the table shows.
        network: the suite's with other arguments, or an `OwnNetwork`; the published row's where None.
        recipe: the published row's where None.
        data: the published row's where None.
        metrics: which of the run's metrics to show; by default the table's trained column, and f where the network learns one.
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
        for name, value, allowed in (
            ("network", self.network, (AdaptiveVGG, MultiPathVGG, OwnNetwork)),
            ("recipe", self.recipe, (Recipe,)),
            ("data", self.data, (Helen, VOC, OwnData)),
        ):
            if value is not None and not isinstance(value, allowed):
                kinds = " or ".join(kind.__name__ for kind in allowed)
                raise ValueError(f"Expected `{name}` of row '{self.key}' to be {kinds}, but got {type(value).__name__}.")
        if not _fits(self.metrics, tuple[str, ...]):
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
    like = [cell for cell in cells if cell.kind == "trained" and cell.jobs]
    if not like:
        raise ValueError("Expected --with beside a table with trained rows, but it has none.")
    like = [cell for cell in like if cell.row_key == like[0].row_key]
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
    """
    path = path.resolve()
    module = load(path)
    try:
        rows = module.rows(published) if hasattr(module, "rows") else module.__dict__.get("ROWS")
    except Exception as error:
        raise ValueError(_said(path, error)) from error
    if not isinstance(rows, list | tuple) or not rows or not all(isinstance(row, OwnRow) for row in rows):
        raise ValueError(f"Expected {path} to have `ROWS`, a list of OwnRow, or `rows(published)` that returns one, but got {rows!r}.")
    found = []
    for row in rows:
        network = _placed(row.network or published.network, path)
        found.append(replace(row, network=network, recipe=row.recipe or published.recipe, data=_placed(row.data or published.data, path)))
        _check(found[-1])
        _check_data(found[-1], published)
    return found


def _check(row: OwnRow) -> None:
    """Refuse what its job would fail on; whatever is built there alone, the user's own, is left to it."""
    network, recipe, data = row.network, row.recipe, row.data
    assert network is not None
    assert recipe is not None
    for spec in (network, recipe, data):
        for name, kind in get_type_hints(type(spec)).items():
            value = getattr(spec, name)
            if not _fits(value, kind):
                said = kind.__name__ if isinstance(kind, type) else kind
                raise ValueError(f"Expected `{name}` of {type(spec).__name__} in row '{row.key}' to be {said}, but got {value!r}.")
    for name in ("steps", "batch_size"):
        if getattr(recipe, name) < 1:
            raise ValueError(f"Expected `{name}` of Recipe in row '{row.key}' to be positive, but got {getattr(recipe, name)}.")
    if isinstance(network, AdaptiveVGG | MultiPathVGG):
        for name in ("strides", "dilations", "pool_dilations"):
            value = getattr(network, name)
            if len(value) != BLOCKS:
                hint = "; those of its paths are `path_dilations`" if isinstance(network, MultiPathVGG) and name == "dilations" else ""
                raise ValueError(
                    f"Expected `{name}` of {type(network).__name__} in row '{row.key}' to be {BLOCKS}, one a block, but got {value}{hint}."
                )


def _check_data(row: OwnRow, published: Job) -> None:
    """Refuse data of other classes than the network's, and data that would not count by its files."""
    data, network = row.data, row.network
    assert network is not None
    classes = CLASSES.get(type(data), network.num_classes)
    if network.num_classes != classes:
        raise ValueError(
            f"Expected `num_classes` of the network in row '{row.key}' to be {classes}, those of {type(data).__name__}, "
            f"but got {network.num_classes}."
        )
    known = [isinstance(spec, OwnData) or bool(spec and (spec.made or spec.fingerprint)) for spec in (data, published.data)]
    if known == [False, True]:
        raise ValueError(
            f"Expected `data` of row '{row.key}' to have `made` or `fingerprint`, but has neither; `replace(published.data, ...)` has."
        )


def _fits(value: Any, kind: Any) -> bool:
    """Whether a value is of the type that a field is declared with; an integer will do for a float, and a list for a tuple."""
    if kind is Any:
        return True
    if get_origin(kind) is tuple:
        return isinstance(value, list | tuple) and all(_fits(member, get_args(kind)[0]) for member in value)
    if get_origin(kind) is UnionType:
        return any(_fits(value, member) for member in get_args(kind))
    return isinstance(value, int | float if kind is float else kind)


def load(path: Path, sha256: str = "") -> ModuleType:
    """Import a user's file by its path.

    Args:
        path: of the file.
        sha256: what its content must have, if that is known already.

    Raises:
        ValueError: where it cannot be read, is another than it was, or fails; the sentence names the line.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ValueError(f"Expected a Python file with your own rows, but got {path} ({error.strerror}).") from error
    digest = hashlib.sha256(content).hexdigest()
    if sha256 and digest != sha256:
        raise ValueError(f"Expected {path} to be as it was when the run was made, but it has changed: run the table again.")
    module = ModuleType(f"own_{digest[:12]}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # dataclasses and pickle look there
    try:
        exec(compile(content, path, "exec"), module.__dict__)
    except (Exception, SystemExit) as error:
        raise ValueError(_said(path, error)) from error
    return module


def build(spec: OwnNetwork | OwnData, **given: Any) -> Any:
    """Call what a spec names, in a job's own process.

    Args:
        spec: names it.
        given: arguments that the job adds.

    Raises:
        ValueError: where the file has changed, lacks the name, or fails; the sentence names the line.
    """
    path = Path(spec.file)
    make = getattr(load(path, spec.sha256), spec.name, None)
    if make is None:
        raise ValueError(f"Expected {path} to define `{spec.name}`, but it does not.")
    try:
        return make(**given, **dict(spec.arguments))
    except Exception as error:
        raise ValueError(_said(path, error)) from error


def _said(path: Path, error: BaseException) -> str:
    """Return what went wrong in a user's file, with the line of that file."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == str(path)]
    line = error.lineno if isinstance(error, SyntaxError) and error.filename == str(path) else lines[-1] if lines else None
    what = error.msg if isinstance(error, SyntaxError) else " ".join(str(error).split())
    return f"{path}{f', line {line}' if line else ''}: {type(error).__name__}: {what.rstrip('.')}."


def _placed(spec: Any, rows: Path) -> Any:
    """Return a spec with where its file lies and what that holds."""
    if not isinstance(spec, OwnNetwork | OwnData):
        return spec
    file = (rows.parent / spec.file).resolve() if spec.file else rows
    try:
        spec = replace(spec, file=str(file), sha256=hashlib.sha256(file.read_bytes()).hexdigest())
    except OSError as error:
        raise ValueError(f"Expected `file` of `{spec.name}` in {rows} to be a Python file, but got {file} ({error.strerror}).") from error
    if isinstance(spec, OwnData) and spec.root:
        root = (rows.parent / spec.root).resolve()
        if not root.is_dir():
            raise ValueError(f"Expected `root` of `{spec.name}` in {rows} to be a folder, but got {root}.")
        spec = replace(spec, root=str(root), fingerprint=_fingerprint(root))
    return spec


def _fingerprint(root: Path) -> str:
    """Identify a folder by the names and sizes of its files, as Helen's layout does."""
    digest = hashlib.sha256()
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(name for name in names if not name.startswith(".")):
            path = Path(folder, name)
            digest.update(f"{path.relative_to(root).as_posix()}\t{path.stat().st_size}\n".encode())
    return digest.hexdigest()[:16]


def _cells(row: OwnRow, setting: Setting, like: Sequence[Cell]) -> list[Cell]:
    """Return a row's cells, with one job a seed."""
    assert row.network is not None
    # The published start weights fit the suite's own networks only.
    start = like[0].jobs[0].start if isinstance(row.network, AdaptiveVGG | MultiPathVGG) else None
    jobs = tuple(
        replace(
            job, slug=f"own-{row.key}-{setting.profile}", network=row.network, recipe=row.recipe, data=row.data, start=start,
        )
        for job in like[0].jobs
    )  # fmt: skip
    needs_nothing = isinstance(row.data, OwnData) and start is None
    values: dict[str, Callable[[Mapping[str, Any]], Value]] = {cell.column: cell.value for cell in like}
    learned = ("f",) if getattr(row.network, "inflated", False) else ()
    return [
        Cell(
            row.key, metric, "trained", jobs, values.get(metric, partial(_metric, metric)),
            missing="" if needs_nothing else like[0].missing, label=row.label, caveat=_note(jobs[0], like[0].jobs[0]),
        )
        for metric in row.metrics or (*learned, *values)
    ]  # fmt: skip


def _note(job: Job, published: Job) -> str:
    """Say what an own row is, because the paper's deviations, which stand below it, do not."""
    recipe, network = job.recipe, job.network
    assert recipe is not None
    length = {"steps", "batch_size"}
    trained = ", ".join([f"{recipe.steps} steps of {recipe.batch_size}", *_differing(recipe, published.recipe, length)])
    if isinstance(network, OwnNetwork):
        called, arguments = f"OwnNetwork {network.name}", [f"{name}={value!r}" for name, value in network.arguments]
    else:
        called, arguments = type(network).__name__, _differing(network, published.network)
    return f"own row: {trained}, {called}({', '.join(arguments)})" if arguments else f"own row: {trained}, {called}"


def _differing(spec: Any, published: Any, without: Collection[str] = ()) -> list[str]:
    """Return the fields of a spec that are not as in the published one, or where that has no such field, not the default."""
    named = [(item.name, getattr(spec, item.name), getattr(published, item.name, item.default)) for item in fields(spec)]
    return [f"{name}={value!r}" for name, value, other in named if value != other and name not in without]


def _metric(name: str, metrics: Mapping[str, Any]) -> Value:
    if name not in metrics:
        known = ", ".join(sorted(metrics.keys() - {"confusion", "curve"}))
        raise NoMetric(f"no metric '{name}' in the run; it has {known}")
    value: Value = metrics[name]
    return value

"""Papers as plug-ins: installed papers, and papers in folders that a user names.

A paper is a Python package with `TABLES`, the tables that it maps to jobs, and a folder `tables` with the printed numbers: `paper.toml`
and one CSV per table. Its distribution, or the `pyproject.toml` of its folder, declares the package as an entry point:

    [project.entry-points."reproduce.papers"]
    outside = "outside_paper"

`outside` is then the paper's short name: `python -m reproduce outside.table1`. The package may also have a module `specs`, with the
settings of the paper's networks, data, tasks and measurements, and `PANELS`, for the dashboard.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
import tomllib
import traceback
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import ModuleType

    from reproduce.table import Table

GROUP = "reproduce.papers"
NAME = r"[a-z][a-z0-9_]*"
_folders: dict[str, str] = {}  # folders of papers that a user named


@dataclass(frozen=True)
class Plugin:
    """A paper that was found: its id, its package, and the place of its declaration."""

    id: str
    package: str
    origin: str

    @property
    def published(self) -> Path:
        """Folder of the printed numbers.

        Raises:
            ValueError: The package, or its folder of printed numbers, does not exist.
        """
        try:
            found = importlib.util.find_spec(self.package)
        except (ImportError, ValueError):
            found = None
        places = [Path(place) for place in (found.submodule_search_locations or ()) if found] if found else []
        if not places:
            said = f"to be the package `{self.package}`, but it does not exist; correct its entry point"
            raise ValueError(f"Expected the paper {self.id} of {self.origin} {said}.")
        # The papers of this repository have one common folder: in a checkout beside the packages, in a wheel inside `reproduce`.
        root = Path(__file__).resolve().parent
        for folder in (*(place / "tables" for place in places), root / "tables" / self.id, root.parent / "tables" / self.id):
            if (folder / "paper.toml").is_file():
                return folder
        raise ValueError(f"Expected the paper {self.id} of {self.origin} to have {places[0] / 'tables' / 'paper.toml'}, but it does not.")

    def load(self) -> ModuleType:
        """Import the package.

        Raises:
            ValueError: The import fails; the message names the paper.
        """
        return _imported(self, self.package)


def add(folders: Iterable[str | Path]) -> None:
    """Add the papers in folders to the installed papers, for this process.

    Args:
        folders: Folders with a `pyproject.toml` that declares the paper's package, which is in the same folder.

    Raises:
        ValueError: A folder declares no paper.
    """
    for folder in folders:
        path = Path(folder).resolve()
        if str(path) not in _folders:
            _declared(path)
            _folders[str(path)] = ""
            sys.path.insert(0, str(path))
            plugins.cache_clear()


def added() -> tuple[str, ...]:
    """Return the added folders; worker processes add them too."""
    return tuple(_folders)


@cache
def plugins() -> dict[str, Plugin]:
    """Return all papers by id, in alphabetical order; a paper in a folder replaces an installed paper.

    Raises:
        ValueError: Two distributions declare different papers with one id.
    """
    from importlib.metadata import entry_points

    found: dict[str, Plugin] = {}
    for entry in entry_points(group=GROUP):
        plugin = Plugin(entry.name, entry.value, f"the distribution {entry.dist.name}" if entry.dist else "a distribution")
        other = found.setdefault(entry.name, plugin)
        if other.package != plugin.package:
            raise ValueError(
                f"Expected one paper with the name {entry.name}, but {other.origin} and {plugin.origin} both have one; remove one."
            )
    for folder in _folders:
        found |= {id: Plugin(id, package, folder) for id, package in _declared(Path(folder)).items()}
    return dict(sorted(found.items()))


def plugin(id: str) -> Plugin:
    """Return a paper by its id.

    Raises:
        ValueError: There is no paper with that id.
    """
    if id not in plugins():
        raise ValueError(f"Expected one of the papers {', '.join(plugins())}, but got '{id}'; install it, or name its folder with --paper.")
    return plugins()[id]


def tables(id: str) -> dict[str, Table]:
    """Return the tables of a paper by their full names.

    Raises:
        ValueError: The paper cannot be imported, or has no `TABLES`.
    """
    found = plugin(id)
    declared = getattr(found.load(), "TABLES", None)
    if not isinstance(declared, list | tuple):
        raise ValueError(f"Expected the package `{found.package}` of the paper {id} to have `TABLES`, a tuple of tables, but it does not.")
    return {table.id: table for table in declared}


def table(name: str) -> Table:
    """Return a table by its full name, `paper.table`.

    Raises:
        ValueError: The paper maps no such table to jobs.
    """
    id = name.partition(".")[0]
    found = tables(id)
    if name not in found:
        raise ValueError(
            f"Expected `TABLES` of the package `{plugin(id).package}` to have {name}, which paper.toml declares, but it does not."
        )
    return found[name]


def all_tables() -> Iterable[Table]:
    """Return the tables of all papers."""
    return [table for id in plugins() for table in tables(id).values()]


def panels(ids: Iterable[str]) -> list[Any]:
    """Return the dashboard sections of papers, once per paper."""
    return [section for id in dict.fromkeys(ids) for section in getattr(plugin(id).load(), "PANELS", ())]


def name_of(kind: type) -> str:
    """Return the name of a spec's class in a job's files: the class name, or `paper.Name` for a class of a paper."""
    owner = next((found for found in plugins().values() if f"{kind.__module__}.".startswith(f"{found.package}.")), None)
    if owner is None:
        return kind.__name__
    if kind.__module__ != f"{owner.package}.specs":
        raise ValueError(
            f"Expected the spec {kind.__name__} of {owner.id} in the module `{owner.package}.specs`, but got `{kind.__module__}`."
        )
    return f"{owner.id}.{kind.__name__}"


def kind_of(name: str) -> type:
    """Return the spec's class for a name that `name_of` returned.

    Raises:
        LookupError: There is no spec with that name.
    """
    paper, _, kind = name.rpartition(".")
    if paper:
        found = plugins().get(paper)
        if found is None:
            raise LookupError(f"Expected the paper {paper} to be known, but it is not; install it, or name its folder with --paper.")
        module = _imported(found, f"{found.package}.specs")
    else:
        module = importlib.import_module("reproduce.specs")
        if kind not in module.__all__:
            raise LookupError(f"no spec {kind}")
    result = getattr(module, kind, None)
    if not isinstance(result, type) or not hasattr(result, "__dataclass_fields__"):
        raise LookupError(f"no spec {name}")
    return result


def blamed(error: BaseException) -> str | None:
    """Return a sentence on an error in the code of a paper from outside this repository; None if the error is elsewhere."""
    frames = traceback.extract_tb(error.__traceback__)
    for found in plugins().values():
        spec = None if found.package.startswith("reproduce.") else importlib.util.find_spec(found.package)
        places = tuple(f"{Path(place).resolve()}/" for place in (spec.submodule_search_locations or ())) if spec else ()
        lines = [f"{frame.filename}, line {frame.lineno}" for frame in frames if places and frame.filename.startswith(places)]
        if lines:
            said = " ".join(str(error).split()).rstrip(".") or "no reason given"
            return f"The code of the paper {found.id} failed: {type(error).__name__}: {said} ({lines[-1]})."
    return None


def _imported(found: Plugin, module: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except Exception as error:  # of any kind: it is foreign code
        said = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        raise ValueError(
            f"Expected the paper {found.id} of {found.origin} to be imported, but `{module}` fails: {type(error).__name__}: {said}."
        ) from error


def _declared(folder: Path) -> dict[str, str]:
    """Return the packages, by paper id, that a folder's pyproject.toml declares."""
    path = folder / "pyproject.toml"
    said = f'[project.entry-points."{GROUP}"]'
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"Expected --paper to be a folder with a pyproject.toml, but got {folder} ({error.strerror}).") from error
    except ValueError as error:
        raise ValueError(f"Expected {path} to be TOML, but it is not ({error}).") from error
    declared = content.get("project", {}).get("entry-points", {}).get(GROUP, {})
    if not declared or not all(re.fullmatch(NAME, id) and isinstance(package, str) for id, package in declared.items()):
        raise ValueError(f'Expected {path} to declare a paper under {said}, as `short_name = "package"`, but got {declared or "nothing"}.')
    return dict(declared)

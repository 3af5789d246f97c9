"""Checks of a user's own rows before their jobs are run."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from reproduce.jobs.job import Job
from reproduce.specs import Data, Network, Recipe, Training

SCORED = {"pixels": "pixels", "pictures": "whole pictures"}


def check(key: str, job: Job, published: Job) -> None:
    """Check that a row's job will not fail; networks and data of the user's own code are checked only in the job, which builds them.

    Args:
        key: Key of the row.
        job: Job of the row.
        published: Published job that the row is based on.

    Raises:
        ValueError: The job would fail; the message names the first error.
    """
    for name, kind in (("network", Network), ("recipe", Recipe), ("data", Data)):
        spec = getattr(job, name)
        if not isinstance(spec, kind):
            raise ValueError(f"Expected `{name}` of row '{key}' to be a {kind.__name__}, but got {type(spec).__name__}.")
        _check_types(key, spec)
    recipe, network, data, task = job.recipe, job.network, job.data, published.task
    assert recipe is not None
    assert data is not None
    assert isinstance(task, Training)
    for name in ("steps", "batch_size", "accumulate"):
        if getattr(recipe, name) < 1:
            raise ValueError(f"Expected `{name}` of Recipe in row '{key}' to be positive, but got {getattr(recipe, name)}.")
    if {network.scores, task.scores} == {"pixels", "pictures"}:
        raise ValueError(
            f"Expected `network` of row '{key}' to score {SCORED[task.scores]}, as in every table that {task.does}, "
            f"but got {type(network).__name__}, which scores {SCORED[network.scores]}."
        )
    if data.label and task.label and data.label != task.label:
        raise ValueError(
            f"Expected `data` of row '{key}' to have `{task.label}` in its batches, as in every table that {task.does}, "
            f"but got {type(data).__name__}, which has `{data.label}`."
        )
    network.check(f" of {type(network).__name__} in row '{key}'")
    data.check(f" of {type(data).__name__} in row '{key}'")
    _check_data(key, job)


def _check_types(key: str, spec: Any) -> None:
    """Check the fields of a spec, and of specs in it, against their declared types."""
    hints = get_type_hints(type(spec))
    for item in fields(spec):
        value, kind = getattr(spec, item.name), hints[item.name]
        if not fits(value, kind):
            raise ValueError(f"Expected `{item.name}` of {type(spec).__name__} in row '{key}' to be {_called(kind)}, but got {value!r}.")
        for part in value if isinstance(value, list | tuple) else (value,):
            if is_dataclass(part):
                _check_types(key, part)


def _check_data(key: str, job: Job) -> None:
    """Check that the data and the network have the same numbers of classes and channels."""
    data, network = job.data, job.network
    assert data is not None
    for name, value in data.known.items():
        found = getattr(network, name, value)  # a user's own network may lack it
        if found != value:
            raise ValueError(f"Expected `{name}` of the network in row '{key}' to be {value}, as in {data.title}, but got {found}.")


def fits(value: Any, kind: Any) -> bool:
    """Return whether a value has a field's declared type; an integer also passes for a float, and a list for a tuple."""
    if kind is Any:
        return True
    if get_origin(kind) is tuple:
        members = get_args(kind)
        if not isinstance(value, list | tuple):
            return False
        if members[-1] is not Ellipsis:
            return len(value) == len(members) and all(fits(member, each) for member, each in zip(value, members, strict=True))
        return all(fits(member, members[0]) for member in value)
    if get_origin(kind) is UnionType:
        return any(fits(value, member) for member in get_args(kind))
    return isinstance(value, int | float if kind is float else kind)


def _called(kind: Any) -> str:
    """Return the name of a declared type for a message."""
    if get_origin(kind) is UnionType:
        return " or ".join(map(_called, get_args(kind)))
    if kind is NoneType:
        return "None"
    return kind.__name__ if isinstance(kind, type) and not get_args(kind) else str(kind)

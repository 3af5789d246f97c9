"""Build a job's network, task and data from its specs, in the worker process."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
from torch import nn

from datamodules.cache import build_once
from lightning_modules.recipe import Optimization
from reproduce import specs
from reproduce.jobs.job import Job
from reproduce.own import files as own_files
from reproduce.plugins import name_of

MOST_WORKERS = 8  # largest number of processes that load data for a job on a GPU


def resolve(spec: specs.Spec) -> Callable[..., Any]:
    """Return the class or function that takes a spec's arguments.

    Raises:
        ValueError: There is no such class or function.
    """
    module, _, name = spec.target.partition(":")
    try:
        found: Callable[..., Any] = getattr(importlib.import_module(module), name)
    except (ModuleNotFoundError, AttributeError, ValueError) as error:
        if isinstance(error, ModuleNotFoundError) and not f"{module}.".startswith(f"{error.name}."):
            raise  # the module exists, but one of its imports does not
        raise ValueError(f"Expected `target` of {type(spec).__name__} to be 'module:name', but got {spec.target!r} ({error}).") from error
    return found


def build(spec: specs.Spec, *first: Any, **given: Any) -> Any:
    """Call the class or function that takes a spec's arguments.

    Args:
        spec: Spec with the arguments; a spec among them is passed as a dict of plain values.
        first: Positional arguments that come first.
        given: Values that the job adds if the target takes them; None is left out.
    """
    target = resolve(spec)
    taken = inspect.signature(target).parameters
    arguments = {
        name: dataclasses.asdict(value) if isinstance(value, specs.Spec) else value for name, value in spec.arguments_of_target.items()
    }
    arguments |= {name: value for name, value in given.items() if name in taken and value is not None}
    _check_arguments(spec, list(taken.values())[len(first) :], arguments.keys())
    return target(*first, **arguments)


def _check_arguments(spec: specs.Spec, taken: Sequence[inspect.Parameter], given: Collection[str]) -> None:
    """Check that the target of a spec accepts the given arguments."""
    variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    names, anything = [each.name for each in taken], any(each.kind in variable for each in taken)
    for name in given:
        if name not in names and not anything:
            raise ValueError(f"Expected the fields of {type(spec).__name__} to be arguments of {spec.target}, but it takes no `{name}`.")
    for each in taken:
        if each.default is each.empty and each.kind not in variable and each.name not in given:
            raise ValueError(f"Expected {type(spec).__name__}, or the job, to have `{each.name}`, which {spec.target} needs, but got none.")


def takes(spec: specs.Spec, name: str) -> bool:
    """Return whether the target of a spec has an argument with that name."""
    return name in inspect.signature(resolve(spec)).parameters


def build_network(spec: specs.Network) -> nn.Module:
    """Build the network that a spec describes."""
    if isinstance(spec, specs.OwnNetwork):
        network = own_files.build(spec, **({} if spec.num_classes is None else {"num_classes": spec.num_classes}))
        if not isinstance(network, nn.Module):
            raise ValueError(f"Expected `{spec.name}` in {spec.file} to return an nn.Module, but got {type(network).__name__}.")
        return network
    built: nn.Module = build(spec)
    return built


def optimization_of(job: Job) -> Optimization | None:
    """Return the optimisation settings of a job's network, or None if it is only evaluated."""
    if job.recipe is None:
        return None
    parts = {item.name: getattr(job.recipe, item.name) for item in dataclasses.fields(Optimization)}
    kept = job.start.frozen if job.start is not None else ()
    return Optimization(**parts | {"frozen": (*job.recipe.frozen, *kept)})


def build_task(job: Job) -> Any:
    """Build a job's network inside the LightningModule that trains and evaluates it.

    Raises:
        ValueError: The job has settings that the task does not take.
    """
    if job.inference is not None and not takes(job.task, "inference"):
        raise ValueError(f"Expected no `inference` in the job {job.slug}, as {job.task.name} takes none, but got {job.inference}.")
    return build(
        job.task, build_network(job.network),
        num_classes=getattr(job.network, "num_classes", None), optimization=optimization_of(job), inference=job.inference,
    )  # fmt: skip


def converted(job: Job, network: nn.Module) -> nn.Module:
    """Return the network that a job evaluates: `network`, or its conversion with the same weights."""
    return network if job.conversion is None else build(job.conversion, network)


def data_of(job: Job) -> specs.Data:
    """Return the data of a job that needs data.

    Raises:
        ValueError: The job has no data.
    """
    if job.data is None:
        raise ValueError(f"Expected `data` in the job {job.slug}, but got none.")
    return job.data


def recipe_of(job: Job) -> specs.Recipe:
    """Return the recipe of a job that needs a recipe.

    Raises:
        ValueError: The job has no recipe.
    """
    if job.recipe is None:
        raise ValueError(f"Expected `recipe` in the job {job.slug}, but got none.")
    return job.recipe


def batch_size_of(job: Job) -> int:
    """Return the batch size of a job, or of the training whose weights it evaluates; 1 if there is neither."""
    return job.recipe.batch_size if job.recipe is not None else next(map(batch_size_of, job.parents), 1)


def build_data(job: Job, progress: Callable[[int, int], None] | None = None) -> pl.LightningDataModule:
    """Build a job's datamodule; made-up data is written first, once for all jobs.

    Args:
        job: Job with data.
        progress: Function that is called with the prepared and the total amount of data.
    """
    data, steps = data_of(job), 1 if job.recipe is None else job.recipe.steps
    if isinstance(data, specs.OwnData) and job.recipe is not None and job.recipe.accumulate > 1:
        said = f"to be 1 with OwnData, which does not split a step's batch, but got {job.recipe.accumulate}"
        raise ValueError(f"Expected `accumulate` of {job.slug} {said}.")
    common: dict[str, Any] = {"batch_size": batch_size_of(job), "steps": steps, "seed": job.seed}
    if isinstance(data, specs.OwnData):
        root_given = {"root": data.root} if data.root else {}
        module: pl.LightningDataModule = own_files.build(data, **common, **root_given)
        _check_classes(job, module, f"`{data.name}` in {data.file}")
        return module
    cache, made = Path(job.runtime.cache), getattr(data, "made", None)
    # Worker processes keep a GPU from waiting for samples that are read one by one; on a processor they would take its cores.
    ahead = data.reads_ahead and job.runtime.accelerator == "cuda"
    built: pl.LightningDataModule = build(
        data, **common, root=Path(job.runtime.data_root) if made is None else made_up(made, cache), cache=cache,
        workers=min(job.runtime.threads, MOST_WORKERS) if ahead else 0, progress=progress,
    )  # fmt: skip
    _check_classes(job, built, type(data).__name__)
    return built


def _check_classes(job: Job, data: pl.LightningDataModule, what: str) -> None:
    """Check that data and network have the same number of classes; else the data would be scored with wrong classes."""
    wanted = getattr(job.network, "num_classes", None)
    found = getattr(data, "num_classes", None)
    if wanted is not None and found != wanted and (found is not None or isinstance(job.data, specs.OwnData)):
        raise ValueError(f"Expected {what} to have the network's `num_classes`, {wanted}, but got {found}.")


def made_up(spec: specs.Made, cache: Path) -> Path:
    """Write made-up data, once for all jobs; return its root."""
    name = "-".join(str(value) for value in dataclasses.asdict(spec).values())
    write = resolve(spec)
    return build_once(cache / f"made-{spec.kind or name_of(type(spec))}-{name}", lambda folder: write(folder, **spec.arguments_of_target))

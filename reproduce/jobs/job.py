"""A job: one run that needs computing time, and its identity."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import MISSING, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from reproduce.plugins import kind_of, name_of
from reproduce.specs import NOT_IDENTITY, Data, Inference, Network, Recipe, Runtime, Spec, Start, Task, Training, Weights

PLACES = ("runtime", "file", "root", "details")  # fields of a job or an error that tell where it ran: private


@dataclass(frozen=True)
class Job:
    """One run: its task, network, data, recipe, seed and start weights.

    A job with a `Training` task and without a recipe only evaluates its start weights.

    Args:
        task: Work of the worker process.
        slug: Readable first part of the run folder's name.
        network: Network that is trained, evaluated or measured.
        data: Data for training and evaluation.
        recipe: Settings of the training.
        seed: Seed of weights, data order and dropout.
        start: Source of the start weights; a bare job or file means a `Start` that takes all its weights.
        inference: Inference settings of the evaluation; None for one forward pass on the unchanged picture.
        conversion: Function from the network to the evaluated network with the same weights; its first argument is the network.
        precision: Lightning's name of the precision.
        revision: Revision of the method; a fix that changes its numbers raises it.
        runtime: Settings of the machine that runs the job.
    """

    task: Task
    slug: str = field(metadata=NOT_IDENTITY)
    network: Network
    data: Data | None = None
    recipe: Recipe | None = None
    seed: int = 0
    start: Start | None = None
    inference: Inference | None = None
    conversion: Spec | None = None
    precision: str = "32-true"
    revision: int = 1
    runtime: Runtime = field(default=Runtime(), metadata=NOT_IDENTITY)

    def __post_init__(self) -> None:
        if isinstance(self.start, Job | Weights):
            object.__setattr__(self, "start", Start(self.start))
        if self.inference == Inference():
            object.__setattr__(self, "inference", None)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the identity: 64 hexadecimal digits that change with every field that changes the result."""
        text = json.dumps(identity(self), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    @cached_property
    def name(self) -> str:
        """Name of the run folder."""
        return f"{self.slug}-s{self.seed}-{self.digest[:8]}"

    @property
    def parents(self) -> tuple[Job, ...]:
        """Jobs that must be done before this one."""
        return (self.start.source,) if self.start is not None and isinstance(self.start.source, Job) else ()

    @property
    def exclusive(self) -> bool:
        """Whether no other job may run at the same time."""
        return self.task.exclusive

    def with_runtime(self, change: Callable[[Job], Mapping[str, Any]]) -> Job:
        """Return the job, and the jobs that it starts from, with the runtime fields that `change` returns for each of them."""
        start = self.start
        if start is not None and isinstance(start.source, Job):
            start = dataclasses.replace(start, source=start.source.with_runtime(change))
        return dataclasses.replace(self, start=start, runtime=dataclasses.replace(self.runtime, **change(self)))

    @property
    def trains(self) -> bool:
        """Whether the job is a training; a measurement of training steps is not."""
        return isinstance(self.task, Training) and self.recipe is not None

    @property
    def evaluates(self) -> bool:
        """Whether the job ends with an evaluation, with or without a training before it."""
        return isinstance(self.task, Training)

    @property
    def weights(self) -> Weights | None:
        """Weight file at the beginning of the chain of jobs: this job's own, or that of its first ancestor."""
        source = self.start.source if self.start is not None else None
        return source.weights if isinstance(source, Job) else source

    @property
    def start_official(self) -> bool:
        """Whether the file in `weights` is a published one; also true without a file."""
        return self.weights is None or self.weights.verified


def evaluation(training: Job, slug: str, *, inference: Inference | None = None, conversion: Spec | None = None, **changes: Any) -> Job:
    """Return a job that evaluates the weights of a training in another way than the training does.

    Args:
        training: Training that gives the weights; any number of evaluations share one training.
        slug: Slug of the new job.
        inference: Scales, mirror images, tiles.
        conversion: Conversion of the network; the weights stay the same.
        changes: Changed fields of the network or of the data: `output_stride=8`, `evaluate="train"`.

    Raises:
        ValueError: A field in `changes` exists neither in the network nor in the data.
    """
    network, data = training.network, training.data
    of_network, of_data = ({item.name for item in dataclasses.fields(spec)} if spec else set() for spec in (network, data))
    for name, value in changes.items():
        if name in of_network:
            network = dataclasses.replace(network, **{name: value})
        elif data is not None and name in of_data - {"fingerprint", "made"}:
            data = dataclasses.replace(data, **{name: value})
        else:
            raise ValueError(f"Expected {type(network).__name__} or {type(data).__name__} to have `{name}`, but neither has it.")
    if data is not None and data != training.data and training.runtime.data_root:
        data, _ = data.identified(Path(training.runtime.data_root))  # for example of other splits
    return dataclasses.replace(
        training, slug=slug, network=network, data=data, recipe=None, start=Start(training), inference=inference, conversion=conversion
    )


def earlier(job: Job) -> Iterator[Job]:
    """Yield the job with lower revisions, of itself or of a job that it starts from; the highest revision first."""
    starts = [job.start]
    if job.start is not None and isinstance(job.start.source, Job):
        starts += [dataclasses.replace(job.start, source=source) for source in earlier(job.start.source)]
    for start in starts:
        for revision in range(job.revision, 0, -1):
            if (start, revision) != (job.start, job.revision):
                yield dataclasses.replace(job, start=start, revision=revision)


def in_order(jobs: Iterable[Job], done: Callable[[Job], bool] | None = None) -> list[Job]:
    """Return jobs and the jobs that they need, each once, parents first; a done job needs no other job."""
    ordered: dict[str, Job] = {}

    def visit(job: Job) -> None:
        if job.name not in ordered:
            for parent in () if done is not None and done(job) else job.parents:
                visit(parent)
            ordered[job.name] = job

    for job in jobs:
        visit(job)
    return list(ordered.values())


def counts(item: dataclasses.Field[Any]) -> bool:
    """Return whether a field can change a result."""
    return bool(item.metadata.get("identity", True))


def identity(value: Any, counts: Callable[[dataclasses.Field[Any]], bool] = counts) -> Any:
    """Return a value as plain data, without defaults and without fields that `counts` rejects; a parent job becomes its digest."""
    if isinstance(value, dict):
        return {str(key): identity(item, counts) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [identity(item, counts) for item in value]
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return value
    fields: dict[str, Any] = {"type": "Job" if isinstance(value, Job) else name_of(type(value))}
    for item in dataclasses.fields(value):
        content = getattr(value, item.name)
        if not counts(item) or (item.default is not MISSING and content == item.default):
            continue
        fields[item.name] = {"job": content.digest} if isinstance(content, Job) else identity(content, counts)
    return fields


def to_plain(value: Any) -> Any:
    """Return a spec as plain values that `from_plain` can read."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        kind = "Job" if isinstance(value, Job) else name_of(type(value))
        return {"type": kind} | {item.name: to_plain(getattr(value, item.name)) for item in dataclasses.fields(value)}
    if isinstance(value, list | tuple):
        return [to_plain(item) for item in value]
    return value


def from_plain(value: Any) -> Any:
    """Return the spec that `to_plain` wrote; an unknown field raises an error, a missing field takes its default."""
    if isinstance(value, dict):
        kind: Any = Job if value["type"] == "Job" else kind_of(value["type"])
        return kind(**{name: from_plain(item) for name, item in value.items() if name != "type"})
    if isinstance(value, list):
        return tuple(from_plain(item) for item in value)
    return value


def placeless(plain: Any) -> Any:
    """Return plain values of a job or an error without fields that tell where it ran; `from_plain` sets those to their defaults."""
    if isinstance(plain, dict):
        return {name: placeless(value) for name, value in plain.items() if name not in PLACES}
    return [placeless(value) for value in plain] if isinstance(plain, list) else plain

"""A job: one run that costs something, and its identity."""

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

PLACES = ("runtime", "file", "root", "details")  # of a job or an error: where it ran, which is nobody else's business


@dataclass(frozen=True)
class Job:
    """One run: what to do, with which network, data, recipe and seed, and from which weights it starts.

    A job whose task trains and that has no recipe evaluates the weights that it starts from.

    Args:
        task: what the worker does.
        slug: readable, the head of the run folder's name.
        network: what is trained, evaluated or measured.
        data: what it is trained and evaluated on.
        recipe: how it is trained.
        seed: of weights, data order and dropout.
        start: where its weights come from; a job or a file alone stands for a `Start` that takes all of it.
        inference: how the network is asked for its scores in the evaluation; None for once, as it is.
        conversion: a function from the network to the one that is evaluated, with the same weights; its first argument is the network.
        precision: Lightning's name.
        revision: of the method; a fix that changes its numbers moves it on.
        runtime: where it runs.
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
        """Sixty-four hexadecimal digits that change with every field that changes the result."""
        text = json.dumps(identity(self), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    @cached_property
    def name(self) -> str:
        """The run folder's name."""
        return f"{self.slug}-s{self.seed}-{self.digest[:8]}"

    @property
    def parents(self) -> tuple[Job, ...]:
        """The jobs that must be done before this one."""
        return (self.start.source,) if self.start is not None and isinstance(self.start.source, Job) else ()

    @property
    def exclusive(self) -> bool:
        """Whether nothing else may run beside it."""
        return self.task.exclusive

    def with_runtime(self, change: Callable[[Job], Mapping[str, Any]]) -> Job:
        """Return the job, and with it those that it starts from, with fields of their runtimes replaced by what `change` says of each."""
        start = self.start
        if start is not None and isinstance(start.source, Job):
            start = dataclasses.replace(start, source=start.source.with_runtime(change))
        return dataclasses.replace(self, start=start, runtime=dataclasses.replace(self.runtime, **change(self)))

    @property
    def trains(self) -> bool:
        """Whether it takes steps of a training that count."""
        return isinstance(self.task, Training) and self.recipe is not None

    @property
    def evaluates(self) -> bool:
        """Whether it ends with an evaluation: a training, or an evaluation alone."""
        return isinstance(self.task, Training)

    @property
    def weights(self) -> Weights | None:
        """The file that all began with: this job's, or that of the first job before it."""
        source = self.start.source if self.start is not None else None
        return source.weights if isinstance(source, Job) else source

    @property
    def start_official(self) -> bool:
        """Whether the file that all began with, if there is one, is a published one."""
        return self.weights is None or self.weights.verified


def evaluation(training: Job, slug: str, *, inference: Inference | None = None, conversion: Spec | None = None, **changes: Any) -> Job:
    """Return a job that evaluates a training's weights in another way than the training itself does.

    Args:
        training: whose weights; any number of evaluations cost one training.
        slug: of the new job.
        inference: scales, mirror images, tiles.
        conversion: of the network, its weights kept.
        changes: fields of the network or of the data that differ: `output_stride=8`, `evaluate="train"`.

    Raises:
        ValueError: neither the network nor the data has such a field.
    """
    network, data = training.network, training.data
    of_network, of_data = ({item.name for item in dataclasses.fields(spec)} if spec else set() for spec in (network, data))
    for name, value in changes.items():
        if name in of_network:
            network = dataclasses.replace(network, **{name: value})
        elif data is not None and name in of_data - {"fingerprint", "made"}:
            data = dataclasses.replace(data, **{name: value})
        else:
            raise ValueError(f"Expected {type(network).__name__} or {type(data).__name__} to have `{name}`, but neither has.")
    if data is not None and data != training.data and training.runtime.data_root:
        data, _ = data.identified(Path(training.runtime.data_root))  # of other splits, say
    return dataclasses.replace(
        training, slug=slug, network=network, data=data, recipe=None, start=Start(training), inference=inference, conversion=conversion
    )


def earlier(job: Job) -> Iterator[Job]:
    """Yield the job as it was before its method's revision moved on, or that of what it starts from; the newest first."""
    starts = [job.start]
    if job.start is not None and isinstance(job.start.source, Job):
        starts += [dataclasses.replace(job.start, source=source) for source in earlier(job.start.source)]
    for start in starts:
        for revision in range(job.revision, 0, -1):
            if (start, revision) != (job.start, job.revision):
                yield dataclasses.replace(job, start=start, revision=revision)


def in_order(jobs: Iterable[Job], done: Callable[[Job], bool] | None = None) -> list[Job]:
    """Return jobs and all that they need, each once, what is needed first; what is done needs nothing."""
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
    """Whether a field can change a result."""
    return bool(item.metadata.get("identity", True))


def identity(value: Any, counts: Callable[[dataclasses.Field[Any]], bool] = counts) -> Any:
    """Return what of a value counts: no defaults, no field that does not count, a parent job as its digest."""
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
    """Return a spec as plain values that `from_plain` reads back."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        kind = "Job" if isinstance(value, Job) else name_of(type(value))
        return {"type": kind} | {item.name: to_plain(getattr(value, item.name)) for item in dataclasses.fields(value)}
    if isinstance(value, list | tuple):
        return [to_plain(item) for item in value]
    return value


def from_plain(value: Any) -> Any:
    """Return the spec that `to_plain` wrote; an unknown field is an error, a missing one takes its default."""
    if isinstance(value, dict):
        kind: Any = Job if value["type"] == "Job" else kind_of(value["type"])
        return kind(**{name: from_plain(item) for name, item in value.items() if name != "type"})
    if isinstance(value, list):
        return tuple(from_plain(item) for item in value)
    return value


def placeless(plain: Any) -> Any:
    """Return a job's or an error's plain values without what names a machine's folders; read back, they take their defaults."""
    if isinstance(plain, dict):
        return {name: placeless(value) for name, value in plain.items() if name not in PLACES}
    return [placeless(value) for value in plain] if isinstance(plain, list) else plain

"""A job: one run that costs something, and its identity."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator
from dataclasses import MISSING, dataclass, field
from functools import cached_property
from typing import Any

from reproduce import specs
from reproduce.specs import NOT_IDENTITY, Data, InflationSweep, Network, Recipe, Runtime, Weights

SPECS: dict[str, Any] = {
    spec.__name__: spec
    for spec in (
        *(specs.AdaptiveVGG, specs.MultiPathVGG, specs.OwnNetwork),
        *(specs.NiN, specs.AllCNN, specs.CIFARResNet, specs.EfficientNetB0, specs.ToyCNN, specs.Jet),
        *(specs.MadeFaces, specs.Helen, specs.MadeScenes, specs.VOC, specs.MadeImages, specs.Images, specs.OwnData),
        *(specs.Weights, specs.Recipe, specs.InflationSweep, specs.Wandb, specs.Runtime),
    )
}
EXCLUSIVE_TASKS = frozenset({"cost", "speed"})  # what they measure is disturbed by whatever runs beside them


@dataclass(frozen=True)
class Job:
    """One run: what to do, with which network, data, recipe and seed, and from which weights it starts.

    Args:
        task: what the worker does: `segmentation` and `classification` train and evaluate; `describe` computes sizes on `meta` tensors;
            `cost` measures steps of a training, `speed` those of two networks in turn.
        slug: readable, the head of the run folder's name.
        network: what is trained or described.
        data: what it is trained and evaluated on.
        recipe: how it is trained.
        seed: of weights, data order and dropout.
        start: a file of weights, or a job whose result it starts from.
        precision: Lightning's name.
        revision: of the method; a fix that changes its numbers moves it on.
        sweep: at which factors a step is measured.
        against: the network that `speed` measures beside the job's own.
        runtime: where it runs.
    """

    task: str
    slug: str = field(metadata=NOT_IDENTITY)
    network: Network
    data: Data | None = None
    recipe: Recipe | None = None
    seed: int = 0
    start: Weights | Job | None = None
    precision: str = "32-true"
    revision: int = 1
    sweep: InflationSweep | None = None
    against: Network | None = None
    runtime: Runtime = field(default=Runtime(), metadata=NOT_IDENTITY)

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
        return (self.start,) if isinstance(self.start, Job) else ()

    @property
    def exclusive(self) -> bool:
        """Whether nothing else may run beside it."""
        return self.task in EXCLUSIVE_TASKS

    @property
    def start_official(self) -> bool:
        """Whether the start weights are the published file, by the digits of its sha256 that end its name."""
        if isinstance(self.start, Job):
            return self.start.start_official
        return self.start is None or self.start.sha256.startswith(self.start.name.partition(".")[0].rpartition("-")[2])


def earlier(job: Job) -> Iterator[Job]:
    """Yield the job as it was before its method's revision moved on, or that of what it starts from; the newest first."""
    starts = [job.start, *earlier(job.start)] if isinstance(job.start, Job) else [job.start]
    for start in starts:
        for revision in range(job.revision, 0, -1):
            if (start, revision) != (job.start, job.revision):
                yield dataclasses.replace(job, start=start, revision=revision)


def identity(value: Any) -> Any:
    """Return what of a value counts: no defaults, nothing marked `NOT_IDENTITY`, a parent job as its digest."""
    if isinstance(value, dict):
        return {str(key): identity(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [identity(item) for item in value]
    if not dataclasses.is_dataclass(value):
        return value
    fields: dict[str, Any] = {"type": type(value).__name__}
    for item in dataclasses.fields(value):
        content = getattr(value, item.name)
        if not item.metadata.get("identity", True) or (item.default is not MISSING and content == item.default):
            continue
        fields[item.name] = {"job": content.digest} if isinstance(content, Job) else identity(content)
    return fields


def to_plain(value: Any) -> Any:
    """Return a spec as plain values that `from_plain` reads back."""
    if dataclasses.is_dataclass(value):
        return {"type": type(value).__name__} | {item.name: to_plain(getattr(value, item.name)) for item in dataclasses.fields(value)}
    if isinstance(value, list | tuple):
        return [to_plain(item) for item in value]
    return value


def from_plain(value: Any) -> Any:
    """Return the spec that `to_plain` wrote; an unknown field is an error, a missing one takes its default."""
    if isinstance(value, dict):
        kind = (SPECS | {"Job": Job})[value["type"]]
        return kind(**{name: from_plain(item) for name, item in value.items() if name != "type"})
    if isinstance(value, list):
        return tuple(from_plain(item) for item in value)
    return value

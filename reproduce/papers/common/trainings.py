"""Trainings of a row: one a seed, in every profile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from reproduce.jobs.job import Job
from reproduce.specs import Data, Network, Recipe, Start, Training
from reproduce.table import Profile, Setting

Trainings = tuple[tuple[Job, ...], str]  # of one row, one a seed; and what is missing to run them
AnyNetwork = TypeVar("AnyNetwork", bound=Network)
AnyData = TypeVar("AnyData", bound=Data)


@dataclass(frozen=True)
class Scale(Generic[AnyNetwork, AnyData]):
    """What a profile makes of a published experiment.

    Args:
        network: of its rows, where they do not say otherwise.
        recipe: likewise.
        data: likewise.
        checkpoint_every: steps between checkpoints.
        log_every: steps between lines of the curve.
    """

    network: AnyNetwork
    recipe: Recipe
    data: AnyData
    checkpoint_every: int = 500
    log_every: int = 20


def seeded(setting: Setting, job: Job) -> tuple[Job, ...]:
    """Return a job once a seed, in the setting's precision; the stage that it starts from has its seed too."""
    return tuple(replace(_of_seed(job, seed), precision=setting.precision) for seed in range(setting.seeds))


def _of_seed(job: Job, seed: int) -> Job:
    start = job.start
    if start is not None and isinstance(start.source, Job):
        start = replace(start, source=_of_seed(start.source, seed))
    return replace(job, seed=seed, start=start)


def trainings(
    setting: Setting, scale: Scale[AnyNetwork, AnyData], task: Training, slug: str, revision: int, *,
    network: Network | None = None, recipe: Recipe | None = None, start: Start | None = None,
) -> Trainings:  # fmt: skip
    """Return the trainings of one row, one a seed, and what is missing to run them.

    Args:
        setting: what the user chose.
        scale: what its profile makes of the experiment.
        task: that is trained.
        slug: of the runs, without the profile.
        revision: of the method.
        network: the scale's where None.
        recipe: likewise.
        start: from which weights; random ones where None.

    Raises:
        DataError: the data root lacks the data.
    """
    data, missing = scale.data.identified(setting.data_root)
    runtime = replace(setting.runtime, checkpoint_every=scale.checkpoint_every, log_every=scale.log_every)
    job = Job(
        task,
        f"{slug}-{setting.profile}",
        network or scale.network,
        data,
        recipe or scale.recipe,
        start=start,
        revision=revision,
        runtime=runtime,
    )
    return seeded(setting, job), missing


Scales = Mapping[Profile, Scale[AnyNetwork, AnyData]]

"""Trainings of a row, one per seed, in every profile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from reproduce.jobs.job import Job
from reproduce.specs import Data, Network, Recipe, Start, Training
from reproduce.table import Profile, Setting

Trainings = tuple[tuple[Job, ...], str]  # jobs of one row, one per seed; and a text that names the missing data, or an empty one
AnyNetwork = TypeVar("AnyNetwork", bound=Network)
AnyData = TypeVar("AnyData", bound=Data)


@dataclass(frozen=True)
class Scale(Generic[AnyNetwork, AnyData]):
    """A published experiment at the size of a profile.

    Args:
        network: Network of the rows that set none.
        recipe: Recipe of the rows that set none.
        data: Data of the rows that set none.
        checkpoint_every: Steps between checkpoints.
        log_every: Steps between lines of the curve.
    """

    network: AnyNetwork
    recipe: Recipe
    data: AnyData
    checkpoint_every: int = 500
    log_every: int = 20


def seeded(setting: Setting, job: Job) -> tuple[Job, ...]:
    """Return a job once per seed, in the setting's precision; a job that it starts from gets the same seed."""
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
    """Return the trainings of one row, one per seed, and a text that names missing data.

    Args:
        setting: Choices of the user.
        scale: Experiment at the size of the setting's profile.
        task: Task that is trained.
        slug: Slug of the runs, without the profile.
        revision: Revision of the method.
        network: Network of the row; None for the scale's.
        recipe: Recipe of the row; None for the scale's.
        start: Start weights; None for random weights.

    Raises:
        DataError: The data root lacks the data.
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

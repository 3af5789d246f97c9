"""Trainings that take a second: everything of real jobs, made small."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from reproduce.jobs.job import Job
from reproduce.jobs.store import Store
from reproduce.papers.adaptive_rf.specs import AdaptiveVGG
from reproduce.papers.njet.specs import Jet, ToyCNN
from reproduce.specs import SGD, Classification, Group, Helen, Images, MadeFaces, MadeImages, Recipe, Runtime, Segmentation, Steps


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


# Where keywords lie that are no fields of the job, its recipe, its runtime or its network themselves.
PARTS = {
    **dict.fromkeys(("learning_rate", "momentum", "weight_decay"), "optimizer"),
    **dict.fromkeys(("milestones", "gamma"), "schedule"),
}
OF_F = {"factor_multiplier": "rate", "factor_start": "start", "factor_clip": "clip"}


def changed(job: Job, **changes: object) -> Job:
    """Replace fields of a job, its recipe and that one's parts, its runtime or its network."""
    for name, value in changes.items():
        recipe = job.recipe
        if recipe is not None and name in PARTS:
            part = PARTS[name]
            job = replace(job, recipe=replace(recipe, **{part: replace(getattr(recipe, part), **{name: value})}))
        elif recipe is not None and name in OF_F:
            job = replace(job, recipe=replace(recipe, groups=(replace(recipe.group("f"), **{OF_F[name]: value}),)))
        else:
            owner = next(part for part in ("", "recipe", "runtime", "network") if hasattr(getattr(job, part) if part else job, name))
            job = replace(job, **{owner: replace(getattr(job, owner), **{name: value})} if owner else {name: value})
    return job


@pytest.fixture(scope="session")
def tiny(cache: Path) -> Callable[..., Job]:
    """Builds a job on faces; keywords replace fields of the job, its recipe, its runtime or its network."""
    strides, flat = (2, 2, 1, 1, 1), (1,) * 5
    job = Job(
        Segmentation(),
        "tiny",
        AdaptiveVGG(11, 2, width=1 / 32, head_channels=4, strides=strides, dilations=flat, pool_dilations=flat, batch_norm=True),
        Helen(40, made=MadeFaces(exemplars=9, tuning=2, testing=3, size=64)),
        Recipe(12, 2, SGD(1e-4), Steps((10,)), (Group("f", 1.0, weight_decay=0.0, optional=True),)),
        runtime=Runtime(cache=str(cache), threads=1, checkpoint_every=4, log_every=1),
    )
    return partial(changed, job)


@pytest.fixture(scope="session")
def digits(cache: Path) -> Callable[..., Job]:
    """Builds a job on whole pictures, of N-Jet layers whose sigma moves enough for filters and maps to change their size; as `tiny`."""
    job = Job(
        Classification(),
        "digits",
        ToyCNN(10, layers=2, channels=4, jet=Jet(order=2, init="he", subsampling=4.0)),
        Images("mnist", made=MadeImages("mnist", train=45, test=13), padding=2),
        Recipe(12, 4, SGD(0.1), Steps((10,))),
        runtime=Runtime(cache=str(cache), threads=1, checkpoint_every=4, log_every=1),
    )
    return partial(changed, job)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "runs")

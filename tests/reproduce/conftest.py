"""Trainings that take a second: everything of real jobs, made small."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from reproduce.job import Job
from reproduce.specs import AdaptiveVGG, Helen, Images, Jet, MadeFaces, MadeImages, Recipe, Runtime, ToyCNN
from reproduce.store import Store


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def changed(job: Job, **changes: object) -> Job:
    """Replace fields of a job, its recipe, its runtime or its network."""
    for name, value in changes.items():
        part = next(part for part in ("", "recipe", "runtime", "network") if hasattr(getattr(job, part) if part else job, name))
        job = replace(job, **{part: replace(getattr(job, part), **{name: value})} if part else {name: value})
    return job


@pytest.fixture(scope="session")
def tiny(cache: Path) -> Callable[..., Job]:
    """Builds a job on faces; keywords replace fields of the job, its recipe, its runtime or its network."""
    strides, flat = (2, 2, 1, 1, 1), (1,) * 5
    job = Job(
        "segmentation",
        "tiny",
        AdaptiveVGG(11, 2, width=1 / 32, head_channels=4, strides=strides, dilations=flat, pool_dilations=flat, batch_norm=True),
        Helen(40, made=MadeFaces(exemplars=9, tuning=2, testing=3, size=64)),
        Recipe(steps=12, batch_size=2, learning_rate=1e-4, milestones=(10,), factor_multiplier=1.0),
        runtime=Runtime(cache=str(cache), threads=1, checkpoint_every=4, log_every=1),
    )
    return partial(changed, job)


@pytest.fixture(scope="session")
def digits(cache: Path) -> Callable[..., Job]:
    """Builds a job on whole pictures, of N-Jet layers whose sigma moves enough for filters and maps to change their size; as `tiny`."""
    job = Job(
        "classification",
        "digits",
        ToyCNN(10, layers=2, channels=4, jet=Jet(order=2, init="he", subsampling=4.0)),
        Images("mnist", made=MadeImages("mnist", train=45, test=13), padding=2),
        Recipe(steps=12, batch_size=4, learning_rate=0.1, milestones=(10,)),
        runtime=Runtime(cache=str(cache), threads=1, checkpoint_every=4, log_every=1),
    )
    return partial(changed, job)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "runs")

"""A training that takes a second: everything of a real job, made small."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from reproduce.job import Job
from reproduce.specs import AdaptiveVGG, Helen, MadeFaces, Recipe, Runtime
from reproduce.store import Store


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def tiny(cache: Path) -> Callable[..., Job]:
    """Builds a job; keywords replace fields of the job, its recipe or its runtime."""

    def build(**changes: object) -> Job:
        strides, flat = (2, 2, 1, 1, 1), (1,) * 5
        job = Job(
            "segmentation",
            "tiny",
            AdaptiveVGG(11, 2, width=1 / 32, head_channels=4, strides=strides, dilations=flat, pool_dilations=flat, batch_norm=True),
            Helen(40, made=MadeFaces(exemplars=9, tuning=2, testing=3, size=64)),
            Recipe(steps=12, batch_size=2, learning_rate=1e-4, milestones=(10,), factor_multiplier=1.0),
            runtime=Runtime(cache=str(cache), threads=1, checkpoint_every=4, log_every=1),
        )
        for name, value in changes.items():
            owner = next(owner for owner in (job, job.recipe, job.runtime, job.network) if hasattr(owner, name))
            if owner is job:
                job = replace(job, **{name: value})
            else:
                field = {Recipe: "recipe", Runtime: "runtime", AdaptiveVGG: "network"}[type(owner)]
                job = replace(job, **{field: replace(owner, **{name: value})})
        return job

    return build


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "runs")

"""The time of N-Jet NiN relative to NiN's, to compare with the paper's "≈ 2x slower"."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from datamodules.layouts.cifar import CIFAR10
from reproduce.jobs.job import Job
from reproduce.papers.njet.specs import NiN
from reproduce.papers.njet.trainings import NIN, NJET_NIN, REVISION, SCALES, shrunk, training_jobs
from reproduce.specs import SGD, Recipe, Speed, Start
from reproduce.table import Cell, Deviation, Setting, Table, Value
from reproduce.verdicts.claims import Claim

ROUNDS = 9  # steps of each network, in turn
Metrics = Mapping[str, Any]


def speed_jobs(setting: Setting, name: str, trained: Sequence[Job] = (), network: NiN = NJET_NIN) -> tuple[Job, ...]:
    """Return the jobs that time an N-Jet NiN in turn with NiN, one per seed.

    Args:
        setting: Choices of the user.
        name: Name of the row, for the slug.
        trained: Trainings whose weights, and so whose sigmas, the N-Jet NiN takes; if empty, `network` is timed as it starts.
        network: N-Jet NiN that is timed if `trained` is empty.
    """
    networks = [job.network for job in trained] or [shrunk(network, setting.profile)] * setting.seeds
    starts: Sequence[Job | None] = trained or [None] * setting.seeds
    recipe = Recipe(steps=ROUNDS, batch_size=SCALES[setting.profile].batch_size, optimizer=SGD(0.0, weight_decay=0.0))
    job = Job(
        Speed(shrunk(NIN, setting.profile), CIFAR10.shape), f"njet-speed-{name}-{setting.profile}", networks[0],
        recipe=recipe, revision=REVISION, precision=setting.precision, runtime=setting.runtime,
    )  # fmt: skip
    return tuple(
        replace(job, network=network, start=None if start is None else Start(start), seed=seed)
        for seed, (network, start) in enumerate(zip(networks, starts, strict=True))
    )


def step_seconds(metrics: Metrics) -> Value:
    """Return the median seconds of a step of the job's network."""
    return float(statistics.median(metrics["seconds"][0]))


def plain_seconds(metrics: Metrics) -> Value:
    """Return the median seconds of a step of the plain network."""
    return float(statistics.median(metrics["seconds"][1]))


def ratio(metrics: Metrics) -> Value:
    """Return the median over rounds of the step's time divided by the time of the plain network's step in that round."""
    return float(statistics.median(own / plain for own, plain in zip(*metrics["seconds"], strict=True)))


def cells(setting: Setting) -> list[Cell]:
    """Map rows to measurements: NiN, N-Jet NiN as it starts (also with dense kernels, or with poolings), and with learned sigmas."""
    jet = NJET_NIN.jet
    assert jet is not None
    trained, missing = training_jobs(setting, "njet-nin", NJET_NIN)
    start = speed_jobs(setting, "njet-nin-start")
    rows = {
        "njet-nin": (start, ""),
        "njet-nin-dense": (speed_jobs(setting, "njet-nin-dense", network=replace(NJET_NIN, jet=replace(jet, evaluation="dense"))), ""),
        "njet-nin-pooling": (
            speed_jobs(setting, "njet-nin-pooling", network=replace(NJET_NIN, pooling=True, jet=replace(jet, subsampling=None))),
            "",
        ),
        "njet-nin-learned": (speed_jobs(setting, "njet-nin-r-4", trained), missing),
    }
    found = [Cell("nin", "seconds", "timed", start, plain_seconds)]
    for row, (jobs, absent) in rows.items():
        found += [
            Cell(row, column, "timed", jobs, value, missing=absent) for column, value in (("seconds", step_seconds), ("ratio", ratio))
        ]
    return found


CLAIMS = (
    Claim(
        "twice-as-slow",
        "For the NiN architecture, our model is ≈ 2x slower than the baseline model",
        "section V",
        "a training step of N-Jet NiN with learned sigmas takes 1.5 to 2.5 times as long as one of NiN; the paper does not say what "
        "counts as approximate, nor on which device",
        lambda evidence: evidence.at_most_apart(("njet-nin-learned", "ratio"), 2.0, 0.5),
    ),
)


def deviations(setting: Setting) -> list[Deviation]:
    """Describe what was measured, and how."""
    width = shrunk(NIN, setting.profile).width
    texts = {
        "step": (
            f"A step is forward, loss, backward and SGD at a learning rate of zero, on {SCALES[setting.profile].batch_size} pictures of "
            f"noise with 32 x 32 pixels. Both networks are at {width:g} of their width, in {setting.precision}."
        ),
        "rounds": (
            f"One process per seed takes {ROUNDS} steps of each network in turn, while the command runs nothing else. The table shows "
            "medians of times, and the median of the rounds' ratios."
        ),
        "evaluation": (
            "Filters are separable, and are evaluated as separable filters if that is faster. The row `dense kernels` convolves with the "
            "whole kernel, as the authors' code does."
        ),
        "pooling": (
            "NiN has poolings. N-Jet NiN has safe subsampling at each of its three layers, and its maps stay larger. The row `poolings "
            "kept` has maps of NiN's sizes, and so shows the cost of the layers alone."
        ),
        "device": "The numbers are of the device named above. To measure on another device, use `runs rerun`.",
    }
    return [Deviation(id, text) for id, text in texts.items()]


TABLE = Table("njet.speed", cells, CLAIMS, deviations)

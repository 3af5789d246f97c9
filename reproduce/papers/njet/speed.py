"""N-Jet NiN's time beside NiN's: a comparison with the paper's "about 2 times slower"."""

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

ROUNDS = 9  # steps of either network, in turn
Metrics = Mapping[str, Any]


def speed_jobs(setting: Setting, name: str, trained: Sequence[Job] = (), network: NiN = NJET_NIN) -> tuple[Job, ...]:
    """Return the measurements of an N-Jet NiN beside NiN, one a seed.

    Args:
        setting: what the user chose.
        name: of the row.
        trained: whose weights, and so whose sigmas, it has; without any, a network as it starts.
        network: where none is trained.
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
    """Return the median of a step."""
    return float(statistics.median(metrics["seconds"][0]))


def plain_seconds(metrics: Metrics) -> Value:
    """Return the median of a step of the plain network beside it."""
    return float(statistics.median(metrics["seconds"][1]))


def ratio(metrics: Metrics) -> Value:
    """Return the median over rounds of a step's time over that of the plain network's step beside it."""
    return float(statistics.median(own / plain for own, plain in zip(*metrics["seconds"], strict=True)))


def cells(setting: Setting) -> list[Cell]:
    """Map rows to measurements: plain, N-Jet as it starts by either evaluation, and N-Jet with the sigmas that it learned."""
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
        "a training step of N-Jet NiN with learned sigmas takes 1.5 to 2.5 times as long as one of NiN; how near is approximate is not "
        "said, nor on which device",
        lambda evidence: evidence.within(("njet-nin-learned", "ratio"), 2.0, 0.5),
    ),
)


def deviations(setting: Setting) -> list[Deviation]:
    """List what was measured, and how."""
    width = shrunk(NIN, setting.profile).width
    texts = {
        "step": (
            f"A step is forward, loss, backward and SGD at a rate of zero, on {SCALES[setting.profile].batch_size} pictures of noise of "
            f"32 x 32 pixels; both networks at {width:g} of their width, {setting.precision}."
        ),
        "rounds": (
            f"{ROUNDS} steps of either network in turn in one process, beside which the command runs nothing else: medians, and the median "
            "of the rounds' ratios. A seed is such a process."
        ),
        "evaluation": (
            "Filters are separable, and evaluated as such where that is faster; `dense kernels` convolves with the whole kernel, as the "
            "authors' code does."
        ),
        "pooling": (
            "NiN has poolings; N-Jet NiN has safe subsampling at each of its three layers, whose maps stay larger. The row `poolings kept` "
            "has NiN's maps, and so shows what the layers alone cost."
        ),
        "device": "Of the device named above. `runs rerun` measures again, on another.",
    }
    return [Deviation(id, text) for id, text in texts.items()]


TABLE = Table("njet.speed", cells, CLAIMS, deviations)

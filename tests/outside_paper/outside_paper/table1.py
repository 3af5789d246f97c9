"""Table 1: the error of a training, of a second stage, and of that stage on other pictures."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from outside_paper.specs import RATE, Brightened, EnvelopeNet, PeriodRegression, Waves
from reproduce import figures
from reproduce.jobs.job import Job, evaluation
from reproduce.jobs.store import Store
from reproduce.papers.common.cells import plain_cells
from reproduce.papers.common.curves import curves, together
from reproduce.papers.common.deviations import listed
from reproduce.papers.common.trainings import Scale, Trainings, trainings
from reproduce.specs import SGD, Cosine, Group, Recipe, Start
from reproduce.table import Deviation, Profile, Setting, Table
from reproduce.verdicts.claims import Claim

if TYPE_CHECKING:
    from matplotlib.figure import Figure

REVISION = 1
RECIPE = Recipe(steps=60, batch_size=16, optimizer=SGD(0.05), schedule=Cosine(warmup=5), groups=(Group("rate", 2.0, weight_decay=0.0),))
SCALES: dict[Profile, Scale[EnvelopeNet, Waves]] = {
    "paper": Scale(EnvelopeNet(channels=16), replace(RECIPE, steps=2000), Waves(4096)),
    "small": Scale(EnvelopeNet(), replace(RECIPE, steps=300), Waves(512)),
    "demo": Scale(EnvelopeNet(), RECIPE, Waves(256), checkpoint_every=20, log_every=5),
}
EVALUATIONS = {"fine-noisy": ("noisy", None), "fine-dark": ("dark", None), "fine-bright": ("dark", Brightened(2.0))}  # split, conversion


def jobs(setting: Setting, row: str, column: str) -> Trainings | None:
    """Return the jobs of a row, one per seed, and a text that names missing data; None if the paper only quotes the row."""
    scale = SCALES[setting.profile]
    coarse = trainings(setting, scale, PeriodRegression(), "outside-coarse", REVISION)
    if row == "quoted":
        return None
    if row == "coarse":
        return coarse
    fine = tuple(_fine(job) for job in coarse[0])
    if row == "fine":
        return fine, coarse[1]
    split, conversion = EVALUATIONS[row]
    slug = f"outside-{row}-{setting.profile}"
    return tuple(evaluation(job, slug, conversion=conversion, evaluate=split) for job in fine), coarse[1]


def _fine(coarse: Job) -> Job:
    """Return the second stage of a training: a new, wider head on the frozen features of the first stage."""
    network = replace(coarse.network, hidden=32)
    start = Start(coarse, fresh=("head",), unused=("head",), frozen=("features",))
    return replace(coarse, slug=coarse.slug.replace("coarse", "fine"), network=network, start=start)


def figure(setting: Setting, store: Store) -> Figure | None:
    """Draw the rate of finished first-stage trainings against the step; return None if no training is done."""
    done = jobs(setting, "coarse", RATE.name)
    found = curves(done[0] if done else (), store, f"trajectory/{RATE.name}")
    if not found:
        return None
    panel = figures.trajectories.Panel(
        "Waves", [figures.trajectories.Trajectory("coarse", 0, *together(found.values()))], RATE.axis, "stage", start=RATE.start
    )
    return figures.trajectories.draw([panel], [figures.caption.of(setting.profile, found, store)])


def deviations(setting: Setting) -> list[Deviation]:
    """List the deviations of this table."""
    return listed(setting, {"waves": "The paper's waves were never published: ours are drawn from a seed."})


CLAIMS = (
    Claim(
        "noise-harms",
        "noise makes periods harder to see",
        "section 1",
        "the error on noisy waves exceeds that on clean ones",
        lambda evidence: evidence.greater(("fine-noisy", "mae"), ("fine", "mae")),
    ),
)

TABLE = Table("outside.table1", partial(plain_cells, "outside.table1", jobs), CLAIMS, deviations, figure=figure)

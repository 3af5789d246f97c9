"""Trainings of toy networks on MNIST: figure 5 and table V."""

from __future__ import annotations

from dataclasses import dataclass, replace

from reproduce.jobs.job import Job
from reproduce.papers.common.trainings import Trainings, seeded
from reproduce.papers.njet.specs import Jet, ToyCNN
from reproduce.papers.njet.trainings import REVISION, pictures
from reproduce.specs import Adam, Classification, Recipe, Steps
from reproduce.table import Profile, Setting


@dataclass(frozen=True)
class Scale:
    """The toy experiments at the size of a profile; none of these values is in the paper.

    Args:
        recipe: Recipe for pictures of every size.
        channels: Channels of every layer.
        made: Numbers of training and test pictures of a made-up set; None for the real one.
        every: Steps between checkpoints, and steps between lines of the curve.
    """

    recipe: Recipe
    channels: int = 16
    made: tuple[int, int] | None = None
    every: tuple[int, int] = (2000, 50)


def adam(learning_rate: float, steps: int, batch_size: int) -> Recipe:
    """Return a recipe for networks without batch norm; the learning rate falls after two thirds of the steps."""
    return Recipe(
        steps=steps,
        batch_size=batch_size,
        optimizer=Adam(learning_rate),
        schedule=Steps((round(steps * 2 / 3),)),
    )


FIGURE_5: dict[Profile, Scale] = {
    "paper": Scale(adam(0.01, 9380, 128), channels=32),
    "small": Scale(adam(0.01, 1875, 64), channels=16, every=(300, 15)),
    "demo": Scale(adam(0.01, 120, 32), channels=8, made=(960, 160), every=(60, 5)),
}
SEEDS, MORE_SEEDS = 3, "the paper prints a spread, but does not say of how many runs"  # of figure 5: at least, and why
# At a learning rate of 0.01, networks with filters of 7 x 7 do not train: all their ReLUs end at 0.
TABLE_5: dict[Profile, Scale] = {
    "paper": Scale(adam(0.005, 9380, 128), channels=32),
    "small": Scale(adam(0.005, 500, 16), channels=8, every=(100, 10)),
    "demo": Scale(adam(0.005, 60, 16), channels=4, made=(480, 64), every=(30, 5)),
}
READING = "network and recipe are our own reading: the paper describes neither"  # caveat of every toy network
TOY = ToyCNN(num_classes=10)
TOY_JET = Jet(order=3, init="he")


def toy_jobs(setting: Setting, scales: dict[Profile, Scale], name: str, network: ToyCNN, resized: float) -> Trainings:
    """Return the trainings of one toy network on resized digits, one per seed, and a text that names missing data."""
    scale = scales[setting.profile]
    data, missing = pictures(setting, "mnist", scale.made, scale=resized)
    runtime = replace(setting.runtime, checkpoint_every=scale.every[0], log_every=scale.every[1])
    network = replace(network, channels=scale.channels)
    slug = f"njet-{name}-x{resized:g}-{setting.profile}".replace(".", "-")
    return seeded(setting, Job(Classification(), slug, network, data, scale.recipe, revision=REVISION, runtime=runtime)), missing

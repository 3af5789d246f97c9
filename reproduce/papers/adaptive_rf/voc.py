"""The trainings behind the tables on augmented VOC 2012, in every profile."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from datamodules.layouts import voc
from reproduce.job import Job
from reproduce.papers.adaptive_rf.helen import Trainings, has_norm, seeded
from reproduce.specs import VOC, AdaptiveVGG, MadeScenes, Recipe
from reproduce.table import Profile, Setting

KERNEL_SIZE = 3  # of fc6 on VOC: 212 + 8 * 2 * dilation gives the printed receptive fields
MILESTONES = (2400, 4800, 7200)  # "with 3 steps"
APART = 200  # iterations between the two smaller steps that replace one of the learning rate
SMALLER_GAMMA = 0.32  # of each of them: twice it is about the original 0.1
FACTOR_CLIP = 10.0
BACKGROUND_WEIGHT = 0.5
# Of f in shrunk profiles; the recipe has 3e-3 with our base rate, at which f lay at its lower bound for a while, from random weights and
# an initial dilation of 4 in `small`; at this one it touches the bound. Chosen for that, and not for where f goes.
FACTOR_RATE = 5e-4
REVISION = 1  # of the method: moves when a fix changes its numbers


@dataclass(frozen=True)
class Scale:
    """What a profile makes of the published experiment."""

    network: AdaptiveVGG
    recipe: Recipe
    data: VOC
    apart: int = APART
    checkpoint_every: int = 500
    log_every: int = 20


def smaller_steps(milestones: tuple[int, ...], apart: int) -> tuple[int, ...]:
    """Replace each step of the learning rate by two, so many iterations apart.

    Source: Wei et al. 2017, section 4.2, trick (c). Not in paper: that the first of the two stands where the original stood.
    """
    return tuple(sorted(step for milestone in milestones for step in (milestone, milestone + apart)))


PAPER = Scale(
    AdaptiveVGG(num_classes=len(voc.CLASSES), dilation=0, kernel_size=KERNEL_SIZE, background_weight=BACKGROUND_WEIGHT),
    Recipe(
        steps=9600, batch_size=20, learning_rate=1e-8, milestones=smaller_steps(MILESTONES, APART), gamma=SMALLER_GAMMA,
        factor_multiplier=3e5, factor_clip=FACTOR_CLIP,
    ),
    VOC(crop=321),
)  # fmt: skip


def shrunk(
    width: float, head_channels: int, strides: tuple[int, ...], crop: int, steps: int, batch_size: int,
    made: MadeScenes | None = None,
) -> Scale:  # fmt: skip
    """Shrink the published experiment, but not its sweep: pool5 keeps 44 cells, more than the 41 that fc6's kernel has at dilation 20.

    The loss is a sum over pixels: the learning rate is that of a mean, over the pixels of a crop.
    """
    flat = (1,) * len(strides)
    network = replace(
        PAPER.network, width=width, head_channels=head_channels, strides=strides, dilations=flat, pool_dilations=flat, batch_norm=True,
        dropout=0.0,
    )  # fmt: skip
    share, rate = steps / PAPER.recipe.steps, 0.05 / crop**2
    apart = round(APART * share)
    recipe = replace(
        PAPER.recipe, steps=steps, batch_size=batch_size, learning_rate=rate, factor_multiplier=FACTOR_RATE / rate,
        milestones=smaller_steps(tuple(round(at * share) for at in MILESTONES), apart),
    )  # fmt: skip
    return Scale(network, recipe, VOC(crop, made=made), apart, checkpoint_every=50, log_every=5)


SCALES: dict[Profile, Scale] = {
    "paper": PAPER,
    "small": shrunk(1 / 8, 64, (2, 2, 1, 1, 1), 176, steps=400, batch_size=8),
    "demo": shrunk(
        1 / 16, 32, (2, 1, 1, 1, 1), 88, steps=300, batch_size=8,
        made=MadeScenes(train=60, val=24, size=112, sbd=60, shapes=2, hues=2),
    ),
}  # fmt: skip


def scenes(setting: Setting, scale: Scale) -> tuple[VOC, str]:
    """Return the pictures of a setting, and what is missing to have them."""
    data = scale.data
    if data.made is not None:
        return data, ""
    if setting.data_root is None:
        return data, "needs VOC 2012 and SBD: name the folder of the data sets by --data-root or REPRODUCE_DATA"
    return replace(data, fingerprint=_fingerprint(setting.data_root, data.train, data.evaluate)), ""


@lru_cache
def _fingerprint(root: Path, *splits: str) -> str:
    """Read the folders of VOC and SBD once a command: every row of every table asks for them."""
    return voc.find(root, *splits).fingerprint(*splits)


def training_jobs(setting: Setting, dilation: int, inflated: bool) -> Trainings:
    """Return the trainings of one row, one a seed, and what is missing to run them."""
    scale = SCALES[setting.profile]
    data, missing = scenes(setting, scale)
    name = f"{'modified' if inflated else 'baseline'}-{dilation}"
    network = replace(scale.network, dilation=dilation, inflated=inflated, norm=has_norm(setting, inflated))
    runtime = replace(setting.runtime, checkpoint_every=scale.checkpoint_every, log_every=scale.log_every)
    job = Job("segmentation", f"adaptive-rf-voc-{name}-{setting.profile}", network, data, scale.recipe, revision=REVISION, runtime=runtime)
    return seeded(setting, job), missing

"""Trainings for the tables on augmented VOC 2012, in every profile."""

from __future__ import annotations

from dataclasses import replace

from datamodules.layouts import voc
from reproduce.papers.adaptive_rf.helen import has_norm, of_f, start_of
from reproduce.papers.adaptive_rf.specs import AdaptiveVGG
from reproduce.papers.common import trainings as common
from reproduce.papers.common.trainings import Trainings
from reproduce.papers.common.voc import SCENES
from reproduce.specs import SGD, VOC, Recipe, Segmentation, Steps
from reproduce.table import Profile, Setting

KERNEL_SIZE = 3  # kernel size of fc6 on VOC: 212 + 8 * 2 * dilation gives the printed receptive fields
MILESTONES = (2400, 4800, 7200)  # "with 3 steps"
APART = 200  # iterations between the two smaller steps that replace one step of the learning rate
SMALLER_GAMMA = 0.32  # gamma of each smaller step: two of them make about the original 0.1
FACTOR_CLIP = 10.0
BACKGROUND_WEIGHT = 0.5
# Learning rate of f in shrunk profiles; the recipe gives 3e-3 with our base rate. At 3e-3, from random weights and an initial dilation of
# 4 in `small`, f stayed at its lower bound for a while; at this rate it only touches the bound. The rate was chosen to avoid this, not for
# the f that it gives.
FACTOR_RATE = 5e-4
REVISION = 1  # revision of the method: raised when a fix changes its numbers


Scale = common.Scale[AdaptiveVGG, VOC]


def smaller_steps(milestones: tuple[int, ...], apart: int) -> tuple[int, ...]:
    """Replace each step of the learning rate by two steps, `apart` iterations apart.

    Source: Wei et al. 2017, section 4.2, trick (c). Not in paper: the first of the two stands where the original stood.
    """
    return tuple(sorted(step for milestone in milestones for step in (milestone, milestone + apart)))


PAPER = Scale(
    AdaptiveVGG(num_classes=len(voc.CLASSES), dilation=0, kernel_size=KERNEL_SIZE, background_weight=BACKGROUND_WEIGHT),
    Recipe(
        steps=9600, batch_size=20, optimizer=SGD(1e-8), schedule=Steps(smaller_steps(MILESTONES, APART), SMALLER_GAMMA),
        groups=(of_f(3e5, clip=FACTOR_CLIP),),
    ),
    SCENES["paper"],
)  # fmt: skip


def apart_of(steps: int) -> int:
    """Return the number of iterations between two smaller steps, the same share of a training as in the published recipe."""
    return round(APART * steps / PAPER.recipe.steps)


def shrunk(width: float, head_channels: int, strides: tuple[int, ...], data: VOC, steps: int, batch_size: int) -> Scale:
    """Shrink the published experiment, but not its sweep: pool5 has 44 cells, more than the 41 that fc6 spans at dilation 20.

    The loss is a sum over pixels, so the learning rate is a rate for the mean loss divided by the pixels of a crop.
    """
    flat = (1,) * len(strides)
    network = replace(
        PAPER.network, width=width, head_channels=head_channels, strides=strides, dilations=flat, pool_dilations=flat, batch_norm=True,
        dropout=0.0,
    )  # fmt: skip
    share, rate = steps / PAPER.recipe.steps, 0.05 / data.crop**2
    milestones = smaller_steps(tuple(round(at * share) for at in MILESTONES), apart_of(steps))
    recipe = replace(
        PAPER.recipe, steps=steps, batch_size=batch_size, optimizer=SGD(rate), schedule=Steps(milestones, SMALLER_GAMMA),
        groups=(of_f(FACTOR_RATE / rate, clip=FACTOR_CLIP),),
    )  # fmt: skip
    return Scale(network, recipe, data, checkpoint_every=50, log_every=5)


SCALES: dict[Profile, Scale] = {
    "paper": PAPER,
    "small": shrunk(1 / 8, 64, (2, 2, 1, 1, 1), SCENES["small"], steps=400, batch_size=8),
    "demo": shrunk(1 / 16, 32, (2, 1, 1, 1, 1), SCENES["demo"], steps=300, batch_size=8),
}


def training_jobs(setting: Setting, dilation: int, inflated: bool) -> Trainings:
    """Return the trainings of one row, one per seed, and a text that names missing data."""
    scale = SCALES[setting.profile]
    name = f"{'modified' if inflated else 'baseline'}-{dilation}"
    network = replace(scale.network, dilation=dilation, inflated=inflated, norm=has_norm(setting, inflated))
    return common.trainings(
        setting, scale, Segmentation(), f"adaptive-rf-voc-{name}", REVISION,
        network=network, start=start_of(setting, network),
    )  # fmt: skip

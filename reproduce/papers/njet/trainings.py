"""Trainings for the tables of Pintea et al. 2021, in every profile."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from reproduce.jobs.job import Job
from reproduce.papers.common.trainings import Trainings, seeded
from reproduce.papers.njet.specs import AllCNN, CIFARResNet, EfficientNetB0, Jet, NiN, Published
from reproduce.specs import SGD, Classification, Images, MadeImages, Recipe, Steps
from reproduce.table import Profile, Setting

EPOCHS, FALLS = 90, (30, 60)  # epochs in the authors' code, and epochs after which the learning rate falls
BATCH = 128
R = 4.0  # r of safe subsampling
REVISION = 1  # revision of the method: raised when a fix changes its numbers
PADDING = 4  # pixels around a picture, before a crop
TRAINING_PICTURES = {"cifar10": 50_000, "cifar100": 50_000, "svhn": 73_257}
CLASSES = {"mnist": 10, "cifar10": 10, "cifar100": 100, "svhn": 10}


@dataclass(frozen=True)
class Scale:
    """The published experiments on CIFAR and SVHN at the size of a profile.

    Args:
        width: Width of the networks, as a share of the published width.
        depths: Depths of the ResNets, by published depth.
        repeats: Share of EfficientNet's blocks.
        steps: Number of steps instead of 90 epochs; None for 90 epochs.
        batch_size: Pictures per step.
        made: Numbers of training and test pictures of made-up sets; None for the real ones.
        every: Steps between checkpoints, and steps between lines of the curve.
    """

    width: float = 1.0
    depths: Mapping[int, int] = field(default_factory=dict)
    repeats: float = 1.0
    steps: int | None = None
    batch_size: int = BATCH
    made: tuple[int, int] | None = None
    every: tuple[int, int] = (2000, 50)


SCALES: dict[Profile, Scale] = {
    "paper": Scale(),
    "small": Scale(width=1 / 4, depths={32: 14, 110: 26}, repeats=0.5, steps=900, batch_size=64, every=(100, 10)),
    "demo": Scale(width=1 / 8, depths={32: 8, 110: 14}, repeats=0.3, steps=120, batch_size=32, made=(960, 160), every=(60, 5)),
}

NIN = NiN(num_classes=10)
ALL_CNN = AllCNN(num_classes=10)
RESNET_32 = CIFARResNet(num_classes=10, depth=32)
RESNET_110 = CIFARResNet(num_classes=10, depth=110)
EFFICIENTNET = EfficientNetB0(num_classes=10)
JET = Jet(order=3, subsampling=R)
DEEP_JET = Jet(order=2)  # for ResNet-110 and EfficientNet, which keep their strides
# The layer of the authors' code can subsample by another rule, but its N-Jet NiN does not use that.
CODE_JET = replace(JET, half_size_rule="code", subsampling=None, normalized=True)
NJET_NIN = replace(NIN, pooling=False, jet=JET)
NJET_ALL_CNN = replace(ALL_CNN, strided=False, jet=JET)
NJET_RESNET_32 = replace(RESNET_32, jet=JET)
NJET_RESNET_110 = replace(RESNET_110, jet=DEEP_JET)
NJET_EFFICIENTNET = replace(EFFICIENTNET, jet=DEEP_JET)


def shrunk(network: Published, profile: Profile) -> Published:
    """Return a published network at the size of a profile."""
    scale = SCALES[profile]
    if profile == "paper":
        return network
    if isinstance(network, CIFARResNet):
        # ResNets are thin already.
        return replace(network, width=min(1.0, 4 * scale.width), depth=scale.depths[network.depth])
    # With so few steps, dropout only harms.
    if isinstance(network, EfficientNetB0):
        return replace(network, width=scale.width, depth=scale.repeats, dropout=0.0, drop_connect=0.0)
    return replace(network, width=scale.width, dropout=0.0)


def pictures(setting: Setting, dataset: str, made: tuple[int, int] | None, *, scale: float = 1.0) -> tuple[Images, str]:
    """Return the pictures of a setting, and a text that names missing data. Training pictures of CIFAR are augmented; digits are not.

    Args:
        setting: Choices of the user.
        dataset: Name of a data set of `layouts.images.SETS`.
        made: Numbers of training and test pictures of a made-up set; None to read the real one.
        scale: Factor by which pictures are resized.
    """
    augmented = dataset.startswith("cifar")
    drawn = None if made is None else MadeImages(dataset, *made)
    data = Images(dataset, made=drawn, padding=PADDING if augmented else 0, flip=augmented, scale=scale)
    found: tuple[Images, str] = data.found(setting.data_root)
    return found


def recipe_of(profile: Profile, dataset: str) -> Recipe:
    """Return the recipe for a data set: that of the authors' code, or the same in fewer steps."""
    scale = SCALES[profile]
    epoch = math.ceil(TRAINING_PICTURES[dataset] / scale.batch_size)
    steps = scale.steps or EPOCHS * epoch
    schedule = Steps(tuple(round(steps * fall / EPOCHS) for fall in FALLS))
    return Recipe(steps=steps, batch_size=scale.batch_size, optimizer=SGD(0.1), schedule=schedule)


def training_jobs(setting: Setting, name: str, network: Published, dataset: str = "cifar10") -> Trainings:
    """Return the trainings of one published network on a data set, one per seed, and a text that names missing data."""
    scale = SCALES[setting.profile]
    data, missing = pictures(setting, dataset, scale.made)
    network = replace(shrunk(network, setting.profile), num_classes=CLASSES[dataset])
    slug = f"njet-{name}-{dataset}-{setting.profile}"
    runtime = replace(setting.runtime, checkpoint_every=scale.every[0], log_every=scale.every[1])
    recipe = recipe_of(setting.profile, dataset)
    return seeded(setting, Job(Classification(), slug, network, data, recipe, revision=REVISION, runtime=runtime)), missing

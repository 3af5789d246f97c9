"""The trainings behind the tables on Helen, in every profile."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from pathlib import Path

from datamodules.layouts import helen
from reproduce.job import Job
from reproduce.specs import AdaptiveVGG, Helen, MadeFaces, MultiPathVGG, Recipe, Weights
from reproduce.table import Profile, Setting

Trainings = tuple[tuple[Job, ...], str]  # of one row, one a seed; and what is missing to run them
KERNEL_SIZE = 4  # of fc6 on Helen: 212 + 8 * 3 * dilation gives the printed receptive fields
IMAGENET_VGG16 = "vgg16-397923af.pth"  # torchvision's file; the name ends in the first digits of its sha256
# Of f in shrunk profiles, times the pixels of a cell. From random weights f at the paper's own rate jumps between its bounds (equation 11
# grows with 1 / f^4), and still does at ten times this one. Chosen for that, and not for where f goes.
FACTOR_RATE = 2.4e-4
REVISION = 1  # of the method: moves when a fix changes its numbers


@dataclass(frozen=True)
class Scale:
    """What a profile makes of the published experiment."""

    network: AdaptiveVGG
    recipe: Recipe
    size: int
    made: MadeFaces | None = None
    checkpoint_every: int = 1000
    log_every: int = 50


PAPER = Scale(
    AdaptiveVGG(num_classes=len(helen.CLASSES), dilation=0, kernel_size=KERNEL_SIZE),
    Recipe(steps=55_000, batch_size=2, learning_rate=1e-7, milestones=(50_000,), factor_multiplier=6e4),
    size=500,
)


def shrunk(width: float, head_channels: int, strides: tuple[int, ...], size: int, recipe: Recipe, made: MadeFaces | None = None) -> Scale:
    """Shrink the published experiment, but not its sweep: pool5 keeps 62 cells, and receptive fields their share of the picture.

    Source: Wei et al. 2017 has 62 cells of 8 pixels, and 212 to 548 of 500 pixels. Halving the picture and the stride, without dilated
    convolutions, gives 100 to 268 of 248.
    """
    flat = (1,) * len(strides)
    network = replace(
        PAPER.network,
        width=width,
        head_channels=head_channels,
        strides=strides,
        dilations=flat,
        pool_dilations=flat,
        batch_norm=True,
        dropout=0.0,
    )
    # The step, and the late start of f, stay at their share of the training.
    recipe = replace(recipe, milestones=tuple(round(recipe.steps * at / PAPER.recipe.steps) for at in PAPER.recipe.milestones))
    return Scale(network, recipe, size, made, checkpoint_every=50, log_every=5)


def small_recipe(steps: int, batch_size: int, mean_rate: float, size: int, stride: int) -> Recipe:
    """Return a short recipe from random weights.

    The loss is a sum over pixels: the learning rate is that of a mean, over the pixels of a picture, and f's is chosen per pixel of a cell.
    """
    rate = mean_rate / size**2
    return Recipe(steps=steps, batch_size=batch_size, learning_rate=rate, factor_multiplier=FACTOR_RATE / stride**2 / rate)


SCALES: dict[Profile, Scale] = {
    "paper": PAPER,
    "small": shrunk(1 / 8, 64, (2, 2, 1, 1, 1), 248, small_recipe(800, 4, 0.2, 248, stride=4)),
    "demo": shrunk(
        1 / 16, 32, (2, 1, 1, 1, 1), 124, small_recipe(300, 4, 0.2, 124, stride=2), MadeFaces(exemplars=120, tuning=8, testing=32, size=160)
    ),
}


STRIDES: dict[Profile, int] = {profile: round(scale.size / 62) for profile, scale in SCALES.items()}  # pixels between cells of pool5


def faces(setting: Setting, scale: Scale) -> tuple[Helen, str]:
    """Return the faces of a setting, and what is missing to have them."""
    if scale.made is not None:
        return Helen(scale.size, made=scale.made), ""
    if setting.data_root is None:
        return Helen(scale.size), "needs Helen: name the folder of the data sets by --data-root or REPRODUCE_DATA"
    return Helen(scale.size, fingerprint=_fingerprint(setting.data_root)), ""


@lru_cache
def _fingerprint(root: Path) -> str:
    """Read the folders of Helen once a command: every row of every table asks for them."""
    return helen.find(root).fingerprint()


@lru_cache
def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def start_weights(setting: Setting) -> Weights | None:
    """Return the ImageNet weights that the published recipe starts from, or None for random ones."""
    if setting.profile != "paper" or setting.data_root is None:
        return None
    path = setting.data_root / "weights" / IMAGENET_VGG16
    return Weights(IMAGENET_VGG16, _sha256(path)) if path.exists() else None


def training_jobs(setting: Setting, dilation: int, inflated: bool, late: bool = False, gradient: str = "equation 11") -> Trainings:
    """Return the trainings of one row, one a seed, and what is missing to run them.

    Args:
        setting: what the user chose.
        dilation: of fc6, at the start.
        inflated: whether the receptive field is learned.
        late: whether f begins to move after 10,000 of 55,000 iterations.
        gradient: what f follows; see `lightning_modules.layers.inflation.InflationFactor`.
    """
    scale = SCALES[setting.profile]
    recipe = scale.recipe
    if late:
        recipe = replace(recipe, factor_start=round(recipe.steps * 10_000 / PAPER.recipe.steps))
    name = f"modified-{dilation}{'-late' if late else ''}" if inflated else f"baseline-{dilation}"
    name += "" if gradient == "equation 11" else f"-{gradient}"
    network = replace(scale.network, dilation=dilation, inflated=inflated, norm=has_norm(setting, inflated), gradient=gradient)
    return _on_faces(setting, name, network, recipe)


def multi_path_jobs(setting: Setting, name: str, dilations: tuple[int, ...], label_sets: tuple[tuple[int, ...], ...] = ()) -> Trainings:
    """Return the trainings of one row with several paths, which learn their receptive fields where there are label sets."""
    scale = SCALES[setting.profile]
    network = multi_path(scale.network, dilations, has_norm(setting, bool(label_sets)), label_sets)
    return _on_faces(setting, name, network, scale.recipe)


def multi_path(network: AdaptiveVGG, dilations: tuple[int, ...], norm: bool, label_sets: tuple[tuple[int, ...], ...] = ()) -> MultiPathVGG:
    """Give a network several paths; with a label set for each they learn their receptive fields."""
    kept = {item.name: getattr(network, item.name) for item in fields(MultiPathVGG) if hasattr(network, item.name)}
    own = {"path_dilations": dilations, "norm": norm, "inflated": bool(label_sets), "label_sets": label_sets}
    return MultiPathVGG(**kept | own)


def has_norm(setting: Setting, inflated: bool) -> bool:
    """Return whether a network has batch norm before fc6.

    In print a pair differs by it too, as far as the paper says. Shrunk, it does not: from random weights batch norm before fc6 is worth
    more than anything that the tables compare.
    """
    return inflated or setting.profile != "paper"


def _on_faces(setting: Setting, name: str, network: AdaptiveVGG | MultiPathVGG, recipe: Recipe) -> Trainings:
    scale = SCALES[setting.profile]
    data, missing = faces(setting, scale)
    runtime = replace(setting.runtime, checkpoint_every=scale.checkpoint_every, log_every=scale.log_every)
    job = Job("segmentation", f"adaptive-rf-{name}-{setting.profile}", network, data, recipe, revision=REVISION, runtime=runtime)
    return seeded(setting, job), missing


def seeded(setting: Setting, job: Job) -> tuple[Job, ...]:
    """Return a training once a seed, in the setting's precision and from its start weights."""
    start = start_weights(setting)
    return tuple(replace(job, seed=seed, start=start, precision=setting.precision) for seed in range(setting.seeds))

"""Trainings for the tables on Helen, in every profile."""

from __future__ import annotations

from dataclasses import fields, replace

from datamodules.layouts import helen
from reproduce.papers.adaptive_rf.specs import AdaptiveVGG, MultiPathVGG
from reproduce.papers.common import trainings as common
from reproduce.papers.common.starts import imagenet_vgg16
from reproduce.papers.common.trainings import Trainings
from reproduce.specs import SGD, Group, Helen, MadeFaces, Recipe, Segmentation, Start, Steps
from reproduce.table import Profile, Setting

KERNEL_SIZE = 4  # kernel size of fc6 on Helen: 212 + 8 * 3 * dilation gives the printed receptive fields
# Shrunk profiles train from random weights. These values were chosen so that every baseline of table 1 trains, with every seed.
MEAN_RATE = 0.2  # base rate, if the loss were the mean over pixels
CLIP_NORM = 0.5  # largest norm of the gradient of that mean
# Learning rate of f, times the square of the pixels of a cell. At four times this rate f reached its lower bound, from an initial dilation
# of 2 in the demo with one of five seeds, and from 8 in `small`; at the paper's 6e-3 it jumped from 0.5 to 1.7 in the demo. Equation 11
# grows with 1 / f^4. The rate was chosen to avoid this, not for the f that it gives.
FACTOR_RATE = 6e-3
NARROWEST = 8  # channels of conv1 in the demo: with 4 it trains to a lower F, in the same time
REVISION = 1  # revision of the method: raised when a fix changes its numbers
Scale = common.Scale[AdaptiveVGG, Helen]


def of_f(rate: float, start: int | None = None, clip: float | None = None) -> Group:
    """Return the parameter group of f: its rate as a multiple of the base rate, no weight decay. A network may lack f.

    Source: Wei et al. 2017, section 4.2.
    """
    return Group("f", rate, weight_decay=0.0, start=start, clip=clip, optional=True)


PAPER = Scale(
    AdaptiveVGG(num_classes=len(helen.CLASSES), dilation=0, kernel_size=KERNEL_SIZE),
    Recipe(steps=55_000, batch_size=2, optimizer=SGD(1e-7), schedule=Steps((50_000,)), groups=(of_f(6e4),)),
    Helen(size=500),
    checkpoint_every=1000,
    log_every=50,
)


def shrunk(width: float, head_channels: int, strides: tuple[int, ...], size: int, recipe: Recipe, made: MadeFaces | None = None) -> Scale:
    """Shrink the published experiment, but not its sweep: pool5 keeps 62 cells, receptive fields keep their share of the picture.

    Source: Wei et al. 2017 has 62 cells of 8 pixels, and receptive fields of 212 to 548 pixels in pictures of 500. With half the picture
    and half the stride, and without dilated convolutions, they are 100 to 268 pixels in pictures of 248.
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
        narrowest=NARROWEST,
        fc8_std=head_channels**-0.5,
    )
    return Scale(network, recipe, Helen(size, made=made), checkpoint_every=50, log_every=5)


def short_recipe(steps: int, size: int, stride: int) -> Recipe:
    """Return a short recipe for training from random weights on pictures of `size` pixels.

    The loss is a sum over pixels, so the base rate is `MEAN_RATE` divided by the pixels of a picture, and the gradient is clipped to
    `CLIP_NORM` times these pixels. The rate of f is `FACTOR_RATE` divided by the square of the pixels of a cell.
    """
    rate = MEAN_RATE / size**2
    # The learning rate falls after the same share of the training as in the paper.
    milestones = tuple(round(steps * at / PAPER.recipe.steps) for at in PAPER.recipe.milestones)
    return Recipe(
        steps=steps,
        batch_size=PAPER.recipe.batch_size,
        optimizer=SGD(rate),
        schedule=Steps(milestones),
        groups=(of_f(FACTOR_RATE / stride**4 / rate),),
        clip_norm=CLIP_NORM * size**2,
    )


SCALES: dict[Profile, Scale] = {
    "paper": PAPER,
    "small": shrunk(1 / 8, 64, (2, 2, 1, 1, 1), 248, short_recipe(2000, 248, stride=4)),
    "demo": shrunk(
        1 / 16, 32, (2, 1, 1, 1, 1), 124, short_recipe(550, 124, stride=2), MadeFaces(exemplars=120, tuning=8, testing=32, size=160)
    ),
}


STRIDES: dict[Profile, int] = {profile: round(scale.data.size / 62) for profile, scale in SCALES.items()}  # pixels between cells of pool5


def training_jobs(setting: Setting, dilation: int, inflated: bool, late: bool = False, gradient: str = "equation 11") -> Trainings:
    """Return the trainings of one row, one per seed, and a text that names missing data.

    Args:
        setting: Choices of the user.
        dilation: Initial dilation of fc6.
        inflated: Whether the receptive field is learned.
        late: Whether training of f starts late, after 10,000 of 55,000 iterations.
        gradient: Gradient that trains f; see `lightning_modules.layers.inflation.InflationLayer`.
    """
    scale = SCALES[setting.profile]
    recipe = scale.recipe
    if late:
        start = round(recipe.steps * 10_000 / PAPER.recipe.steps)
        recipe = replace(recipe, groups=tuple(replace(group, start=start) if group.name == "f" else group for group in recipe.groups))
    name = f"modified-{dilation}{'-late' if late else ''}" if inflated else f"baseline-{dilation}"
    name += "" if gradient == "equation 11" else f"-{gradient}"
    network = replace(scale.network, dilation=dilation, inflated=inflated, norm=has_norm(setting, inflated), gradient=gradient)
    return _on_faces(setting, name, network, recipe)


def multi_path_jobs(setting: Setting, name: str, dilations: tuple[int, ...], label_sets: tuple[tuple[int, ...], ...] = ()) -> Trainings:
    """Return the trainings of one row with several paths, one per seed, and a text that names missing data.

    With label sets, the paths learn their receptive fields.
    """
    scale = SCALES[setting.profile]
    network = multi_path(scale.network, dilations, has_norm(setting, bool(label_sets)), label_sets)
    return _on_faces(setting, name, network, scale.recipe)


def multi_path(network: AdaptiveVGG, dilations: tuple[int, ...], norm: bool, label_sets: tuple[tuple[int, ...], ...] = ()) -> MultiPathVGG:
    """Return a network with several paths; with one label set per path, the paths learn their receptive fields."""
    kept = {item.name: getattr(network, item.name) for item in fields(MultiPathVGG) if hasattr(network, item.name)}
    own = {"path_dilations": dilations, "norm": norm, "inflated": bool(label_sets), "label_sets": label_sets}
    return MultiPathVGG(**kept | own)


def has_norm(setting: Setting, inflated: bool) -> bool:
    """Return whether a network has batch norm before fc6.

    In print, only the modified network of a pair has it, as far as the paper says. In shrunk profiles both have it: from random weights,
    batch norm before fc6 has a larger effect than anything that the tables compare.
    """
    return inflated or setting.profile != "paper"


def _on_faces(setting: Setting, name: str, network: AdaptiveVGG | MultiPathVGG, recipe: Recipe) -> Trainings:
    scale, start = SCALES[setting.profile], start_of(setting, network)
    slug = f"adaptive-rf-{name}"
    return common.trainings(setting, scale, Segmentation(), slug, REVISION, network=network, recipe=recipe, start=start)


def start_of(setting: Setting, network: AdaptiveVGG | MultiPathVGG) -> Start | None:
    """Return the start from ImageNet's weights, which lack fc8, the batch norm before fc6 and f; None means random weights."""
    paths = [f"paths.{index}." for index in range(len(network.path_dilations))] if isinstance(network, MultiPathVGG) else [""]
    fresh = [f"{path}head.fc8" for path in paths]
    fresh += ["norm"] if network.norm else []
    fresh += [f"{path}factor" for path in paths] if network.inflated else []
    return imagenet_vgg16(setting, tuple(fresh))

"""The trainings behind the tables on Helen, in every profile."""

from __future__ import annotations

from dataclasses import fields, replace

from datamodules.layouts import helen
from reproduce.papers.adaptive_rf.specs import AdaptiveVGG, MultiPathVGG
from reproduce.papers.common import trainings as common
from reproduce.papers.common.starts import imagenet_vgg16
from reproduce.papers.common.trainings import Trainings
from reproduce.specs import SGD, Group, Helen, MadeFaces, Recipe, Segmentation, Start, Steps
from reproduce.table import Profile, Setting

KERNEL_SIZE = 4  # of fc6 on Helen: 212 + 8 * 3 * dilation gives the printed receptive fields
# Of f in shrunk profiles, times the pixels of a cell. From random weights f at the paper's own rate jumps between its bounds (equation 11
# grows with 1 / f^4), and still does at ten times this one. Chosen for that, and not for where f goes.
FACTOR_RATE = 2.4e-4
REVISION = 1  # of the method: moves when a fix changes its numbers
Scale = common.Scale[AdaptiveVGG, Helen]


def of_f(rate: float, start: int | None = None, clip: float | None = None) -> Group:
    """Return how f, where a network has it, is trained: at so many times the base rate, without decay.

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
    milestones = tuple(round(recipe.steps * at / PAPER.recipe.steps) for at in PAPER.recipe.milestones)
    return Scale(network, replace(recipe, schedule=Steps(milestones)), Helen(size, made=made), checkpoint_every=50, log_every=5)


def small_recipe(steps: int, batch_size: int, mean_rate: float, size: int, stride: int) -> Recipe:
    """Return a short recipe from random weights.

    The loss is a sum over pixels: the learning rate is that of a mean, over the pixels of a picture, and f's is chosen per pixel of a cell.
    """
    rate = mean_rate / size**2
    return Recipe(steps=steps, batch_size=batch_size, optimizer=SGD(rate), groups=(of_f(FACTOR_RATE / stride**2 / rate),))


SCALES: dict[Profile, Scale] = {
    "paper": PAPER,
    "small": shrunk(1 / 8, 64, (2, 2, 1, 1, 1), 248, small_recipe(800, 4, 0.2, 248, stride=4)),
    "demo": shrunk(
        1 / 16, 32, (2, 1, 1, 1, 1), 124, small_recipe(300, 4, 0.2, 124, stride=2), MadeFaces(exemplars=120, tuning=8, testing=32, size=160)
    ),
}


STRIDES: dict[Profile, int] = {profile: round(scale.data.size / 62) for profile, scale in SCALES.items()}  # pixels between cells of pool5


def training_jobs(setting: Setting, dilation: int, inflated: bool, late: bool = False, gradient: str = "equation 11") -> Trainings:
    """Return the trainings of one row, one a seed, and what is missing to run them.

    Args:
        setting: what the user chose.
        dilation: of fc6, at the start.
        inflated: whether the receptive field is learned.
        late: whether f begins to move after 10,000 of 55,000 iterations.
        gradient: what f follows; see `lightning_modules.layers.inflation.InflationLayer`.
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
    scale, start = SCALES[setting.profile], start_of(setting, network)
    slug = f"adaptive-rf-{name}"
    return common.trainings(setting, scale, Segmentation(), slug, REVISION, network=network, recipe=recipe, start=start)


def start_of(setting: Setting, network: AdaptiveVGG | MultiPathVGG) -> Start | None:
    """Return the stage from ImageNet's weights, which know neither the scores nor what is learned here; None for random ones."""
    paths = [f"paths.{index}." for index in range(len(network.path_dilations))] if isinstance(network, MultiPathVGG) else [""]
    fresh = [f"{path}head.fc8" for path in paths]
    fresh += ["norm"] if network.norm else []
    fresh += [f"{path}factor" for path in paths] if network.inflated else []
    return imagenet_vgg16(setting, tuple(fresh))

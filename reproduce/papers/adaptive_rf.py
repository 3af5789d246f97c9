"""Wei et al. 2017, "Learning Adaptive Receptive Fields for Deep Image Parsing Network"."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from datamodules.layouts import helen
from lightning_modules.layers.receptive_field import inflated_receptive_field
from reproduce.job import Job
from reproduce.papers.adaptive_rf_claims import BASELINES, MODIFIED, TABLE1_CLAIMS
from reproduce.published import load
from reproduce.specs import AdaptiveVGG, Helen, MadeFaces, Recipe, Weights
from reproduce.table import PRECISIONS, Cell, Deviation, Profile, Setting, Table, Value

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


def faces(setting: Setting, scale: Scale) -> tuple[Helen, str]:
    """Return the faces of a setting, and what is missing to have them."""
    if scale.made is not None:
        return Helen(scale.size, made=scale.made), ""
    if setting.data_root is None:
        return Helen(scale.size), "needs Helen: name the folder of the data sets by --data-root or REPRODUCE_DATA"
    return Helen(scale.size, fingerprint=helen.find(setting.data_root).fingerprint()), ""


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


def training_jobs(setting: Setting, dilation: int, inflated: bool, late: bool = False) -> tuple[tuple[Job, ...], str]:
    """Return the trainings of one row, one a seed, and what is missing to run them."""
    scale = SCALES[setting.profile]
    data, missing = faces(setting, scale)
    start = start_weights(setting)
    recipe = scale.recipe
    if late:
        recipe = replace(recipe, factor_start=round(recipe.steps * 10_000 / PAPER.recipe.steps))
    name = f"modified-{dilation}{'-late' if late else ''}" if inflated else f"baseline-{dilation}"
    # In print the pair differs by the batch norm too, as far as the paper says. Shrunk, it differs by f alone: from random weights batch
    # norm before fc6 is worth more than anything that the table compares.
    network = replace(scale.network, dilation=dilation, inflated=inflated, norm=inflated or setting.profile != "paper")
    runtime = replace(setting.runtime, checkpoint_every=scale.checkpoint_every, log_every=scale.log_every)
    jobs = tuple(
        Job(
            "segmentation", f"adaptive-rf-{name}-{setting.profile}", network,
            data, recipe, seed, start, setting.precision, revision=REVISION, runtime=runtime,
        )
        for seed in range(setting.seeds)
    )  # fmt: skip
    return jobs, missing


def _class_f(index: int, metrics: Mapping[str, Any]) -> Value:
    """Return a class's own F, from the confusion matrix."""
    matrix = metrics["confusion"]
    total = sum(matrix[index]) + sum(row[index] for row in matrix)
    return 2 * matrix[index][index] / total if total else None


def beside_table1(cells: Sequence[Cell]) -> list[Cell]:
    """Return what the json holds beside the printed columns: F of every class, of merged parts, of skin and of hair."""
    values: dict[str, Any] = {f"f_{part}": partial(_metric, f"f_{part}") for part in helen.PARTS}
    values |= {f"f_class_{name.replace(' ', '_')}": partial(_class_f, index) for index, name in enumerate(helen.CLASSES)}
    scores = [cell for cell in cells if cell.column == "f_score" and not cell.label]  # of published rows: own data may have other classes
    return [replace(cell, column=column, value=value) for cell in scores for column, value in values.items()]


def _metric(name: str, metrics: Mapping[str, Any]) -> Value:
    value: Value = metrics[name]
    return value


def _learned_receptive_field(extent: int, metrics: Mapping[str, Any]) -> Value:
    return float(inflated_receptive_field(metrics["f"], extent))


def table1_cells(setting: Setting) -> list[Cell]:
    """Map table 1 to jobs: the dilation sweep, and the networks that learn f from an initial dilation."""
    published = load("adaptive_rf.table1")
    cells: list[Cell] = []
    random = setting.profile == "paper" and start_weights(setting) is None
    caveat = "started from random weights" if random else ""
    for dilation in BASELINES:
        row = f"baseline-{dilation}"
        network = replace(PAPER.network, dilation=dilation, inflated=False, norm=False)
        size = Job("describe", f"adaptive-rf-{row}-sizes", network, revision=REVISION, runtime=setting.runtime)
        jobs, missing = training_jobs(setting, dilation, inflated=False)
        said: dict[str, Any] = {"missing": missing, "caveat": caveat}
        cells.append(Cell(row, "rf_fc6", "exact", (size,), partial(_metric, "receptive_field")))
        cells.append(Cell(row, "f_score", "trained", jobs, partial(_metric, "f_score"), **said))
    for row, dilation, late in MODIFIED:
        extent = (KERNEL_SIZE - 1) * dilation + 1
        printed = published.by_key[row, "f"].value
        assert isinstance(printed, float)  # a test holds the rows to the CSV
        audited = float(inflated_receptive_field(printed, extent))
        jobs, missing = training_jobs(setting, dilation, inflated=True, late=late)
        said = {"missing": missing, "caveat": caveat}
        cells.append(Cell(row, "f", "trained", jobs, partial(_metric, "f"), **said))
        cells.append(Cell(row, "rf_fc6", "exact", (), lambda _, audited=audited: audited, audit=True))  # type: ignore[misc]
        cells.append(Cell(row, "rf_fc6_learned", "trained", jobs, partial(_learned_receptive_field, extent), **said))
        cells.append(Cell(row, "f_score", "trained", jobs, partial(_metric, "f_score"), **said))
    return cells


# Where the paper is silent or contradicts itself, in every profile.
SILENT = {
    "gamma": "The paper names no gamma for its step: 0.1, Caffe's habit.",
    "factor-rate": "The learning rate of f is the base rate x 3e4 to 9e4; which row has which is not said: 6e4 for all.",
    "target-grid": ("F = 8.11 would end at 496 or 504 pixels: the label's own grid is sampled, F = (H_img - 1) / (H_pool5 - 1)."),
    "floor": "Equation 2 gives a real size: the floor.",
    "kink": ("At f = 1 every sample lies on a kink: the derivative there is the mean of the two one-sided ones; equation 5's is neither."),
    "border": "Beyond the last cell, features go on with its value; equation 4 would fade to zero.",
    "pooling": (
        "Poolings have 2x2 windows; pool4 and pool5 are padded to keep the 62 cells of pool3, and fc6 to keep its input's size, with zeros."
    ),
    "landmarks": (
        "Faces are aligned by the published 194 landmarks, brought to the resized picture by a scale fitted to its label maps and reduced "
        "to 5 points (the nose's: between its centroid and its lowest point); the paper uses the detector of Sun et al. 2013."
    ),
    "warping": "Labels: argmax of the maps, then the nearest one; colours bilinear, after averaging over areas where a face shrinks.",
    "normalisation": "Pictures are normalised by ImageNet's mean and deviation.",
    "equation-11": "Equation 11 prints V_fc7 where the interpolation layer stands after fc8: C is the number of classes there.",
    "formula-at-1": "Section 3.3's formula, taken literally, gives one stride (8 pixels) more at f = 1 than the kernel alone.",
    "augmentation": "No augmentation: the paper names none. Outside the photograph, ImageNet's mean colour and background.",
    "overall-f": (
        "F-score: true and false positives and negatives over all test pixels, added up over eyes, brows, nose, upper lip, inner "
        "mouth, lower lip and mouth (all three); the paper does not define it. Other definitions are in each result."
    ),
    "tolerances": "Tolerances for fewer than three seeds are ours: 0.01 for F, 0.2 for f, 16 pixels.",
}


def table1_deviations(setting: Setting) -> list[Deviation]:
    """List where table 1 knowingly differs from the paper."""
    texts = dict(SILENT)
    if setting.precision != PRECISIONS[0]:
        texts["precision"] = f"Trained in {setting.precision}; the paper does not say."
    if setting.profile == "paper":
        texts["baseline-norm"] = "Baselines have no batch norm before fc6; the paper does not say."
        texts["start-weights"] = "ImageNet weights of torchvision, fc6's 7x7 taps thinned to 4x4 as in DeepLab; the paper names none."
        if start_weights(setting) is None:
            texts["start-weights"] = (
                f"RANDOM weights, because there is no weights/{IMAGENET_VGG16} under the data root: `prepare vgg16` downloads it."
            )
    else:
        texts |= {f"{setting.profile}-{id}": text for id, text in _shrunk(SCALES[setting.profile]).items()}
    return [Deviation(id, text) for id, text in texts.items()]


def _shrunk(scale: Scale) -> dict[str, str]:
    """Say what a shrunk profile changes."""
    network, recipe = scale.network, scale.recipe
    texts = {
        "network": (
            f"VGG-16 at {network.width:g} of its width, fc6 and fc7 of {network.head_channels}; batch norm after every convolution, "
            "no dropout."
        ),
        "baseline-norm": "Baselines have the batch norm before fc6 too, so that a pair of rows differs by the learned f alone.",
        "start": "From random weights (He et al. 2015).",
        "size": (
            f"Pictures of {scale.size} pixels at a stride of {scale.size // 62}, without dilated convolutions: pool5 has the paper's 62 "
            "cells, so every dilation keeps its share of the picture."
        ),
        "recipe": (
            f"{recipe.steps} steps of {recipe.batch_size} faces instead of 55,000 of 2; base rate {recipe.learning_rate:.2g}; the step "
            "and the late start of f at their share of the training."
        ),
        "factor-rate": (
            f"The rate of f is {recipe.learning_rate * recipe.factor_multiplier:.2g} instead of 6e-3: from random weights f at the paper's "
            "rate jumps between its bounds."
        ),
        "receptive-field-scale": (
            "Receptive fields are those of the paper's network, also with our f, so that the column has one scale; the shrunk "
            "network's own are in metrics.jsonl."
        ),
    }
    if scale.made is not None:
        texts["data"] = f"{scale.made.exemplars} made-up faces to train on and {scale.made.testing} to test on, not Helen."
    return texts


TABLES = (Table("adaptive_rf.table1", table1_cells, TABLE1_CLAIMS, table1_deviations, beside_table1),)

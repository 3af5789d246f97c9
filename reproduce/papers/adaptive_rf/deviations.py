"""Where the tables of Wei et al. 2017 knowingly differ from the paper, or the paper is silent."""

from __future__ import annotations

from reproduce.papers.adaptive_rf.helen import IMAGENET_VGG16, SCALES, Scale, start_weights
from reproduce.table import PRECISIONS, Deviation, Setting

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


def helen_deviations(setting: Setting) -> list[Deviation]:
    """List where the tables on Helen knowingly differ from the paper."""
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

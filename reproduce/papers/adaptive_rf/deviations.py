"""Where the tables of Wei et al. 2017 knowingly differ from the paper, or the paper is silent."""

from __future__ import annotations

from collections.abc import Mapping

from reproduce.jobs.weights import IMAGENET_VGG16
from reproduce.papers.adaptive_rf import helen, voc
from reproduce.papers.adaptive_rf.specs import AdaptiveVGG
from reproduce.papers.common import voc as scenes
from reproduce.papers.common.deviations import listed
from reproduce.papers.common.starts import random_start
from reproduce.table import Deviation, Setting

# Where the paper is silent or contradicts itself, in every profile.
METHOD = {
    "pool5-extent": "Section 3.1 gives fc6 a receptive field of 212 pixels; it is pool5's, as section 3.3 and the printed sweeps say.",
    "target-grid": "F = 8.11 fits no size exactly: the label's own grid is sampled, F = (H_img - 1) / (H_pool5 - 1).",
    "pooling": (
        "Poolings have 2x2 windows; pool4 and pool5 are padded to keep the cells of pool3, and fc6 to keep its input's size, with zeros."
    ),
    "floor": "Equation 2 gives a real size: the floor.",
    "kink": "At f = 1 every sample lies on a kink: the derivative there is the mean of the two one-sided ones; equation 5's is neither.",
    "border": "Beyond the last cell, features go on with its value; equation 4 would fade to zero.",
    "equation-11": "Equation 11 prints V_fc7 where the interpolation layer stands after fc8: C is the number of classes there.",
    "formula-at-1": "Section 3.3's formula, taken literally, gives one stride (8 pixels) more at f = 1 than the kernel alone.",
    "normalisation": "Pictures are normalised by ImageNet's mean and deviation.",
}
HELEN = METHOD | {
    "gamma": "The paper names no gamma for its step: 0.1, Caffe's habit.",
    "factor-rate": "The learning rate of f is the base rate x 3e4 to 9e4; which row has which is not said: 6e4 for all.",
    "landmarks": (
        "Faces are aligned by the published 194 landmarks, brought to the resized picture by a scale fitted to its label maps and reduced "
        "to 5 points (the nose's: between its centroid and its lowest point); the paper uses the detector of Sun et al. 2013."
    ),
    "warping": "Labels: argmax of the maps, then the nearest one; colours bilinear, after averaging over areas where a face shrinks.",
    "augmentation": "No augmentation: the paper names none. Outside the photograph, ImageNet's mean colour and background.",
    "overall-f": (
        "F-score: true and false positives and negatives over all test pixels, added up over eyes, brows, nose, upper lip, inner "
        "mouth, lower lip and mouth (all three); the paper does not define it. Other definitions are in each result."
    ),
    "tolerances": "Tolerances for fewer than three seeds are ours: 0.01 for F, 0.2 for f, 16 pixels.",
}
VOC = METHOD | {
    "kernel": "fc6 is 3x3, by the printed receptive fields: 212 + 16 x dilation.",
    "pictures": scenes.DEVIATIONS["pictures"],
    "optimiser": "Momentum 0.9 and weight decay 5e-4, which the paper gives for faces.",
    "steps": (
        '"The original step" is replaced by two of a gamma of 0.32: each of the three is, the first of the two where it stood. Baselines '
        "have the same, so that a pair of rows differs by f alone."
    ),
    "clip": "The gradient of f is clipped to 10 either way: the paper names no bound. What f follows seldom is as steep.",
    "background-mask": (
        "Target pixels on the background count 0.5 in both shares of the gradient of f, and in no other gradient: the paper says less "
        "than 1."
    ),
    "augmentation": "Scale 0.5 to 2, crop, flip; padding is ImageNet's mean colour, ignored. The paper names cropping and shuffling.",
    "evaluation": scenes.DEVIATIONS["evaluation"],
    "tolerances": "Tolerances for fewer than three seeds are ours: 1 point of mean IoU, 0.2 for f, 24 pixels.",
}
VOC_PAPER = {
    "base-rate": "The paper names no base rate on VOC: 1e-8 of the summed loss, 1e-3 of its mean over a crop of 321; so f has 3e-3.",
    "milestones": '9,600 iterations "with 3 steps": at 2,400, 4,800 and 7,200; the smaller ones follow 200 iterations later.',
    "crop": (
        "Crops of 321 pixels, as in DeepLab; the paper crops at random and names no size. Pool5 has 40 cells of them, where fc6 spans 41 "
        "at dilation 20: no cell sees all of its taps within the crop."
    ),
}


def helen_deviations(setting: Setting) -> list[Deviation]:
    """List where the tables on Helen knowingly differ from the paper."""
    scale = helen.SCALES[setting.profile]
    size = (
        f"Pictures of {scale.data.size} pixels at a stride of {scale.data.size // 62}, without dilated convolutions: pool5 has the "
        "paper's 62 cells, so every dilation keeps its share of the picture."
    )
    recipe = (
        f"{scale.recipe.steps} steps of {scale.recipe.batch_size} faces instead of 55,000 of 2; base rate "
        f"{scale.recipe.optimizer.learning_rate:.2g}; the step and the late start of f at their share of the training."
    )
    faces = scale.data.made
    made = f"{faces.exemplars} made-up faces to train on and {faces.testing} to test on, not Helen." if faces else ""
    rate = scale.recipe.optimizer.learning_rate * scale.recipe.group("f").rate
    shrunk = _shrunk(scale.network, helen.STRIDES[setting.profile]) | {"size": size, "recipe": recipe}
    shrunk["factor-rate"] = f"The rate of f is {rate:.2g} instead of 6e-3: from random weights f at that rate jumps between its bounds."
    return _listed(setting, HELEN, shrunk, made)


def voc_deviations(setting: Setting) -> list[Deviation]:
    """List where the tables on VOC knowingly differ from the paper."""
    scale = voc.SCALES[setting.profile]
    size = (
        f"Crops of {scale.data.crop} pixels, without dilated convolutions: pool5 has 44 cells, more than the 41 that fc6's kernel spans at "
        "dilation 20."
    )
    rate, apart = scale.recipe.optimizer.learning_rate * scale.recipe.group("f").rate, voc.apart_of(scale.recipe.steps)
    recipe = (
        f"{scale.recipe.steps} steps of {scale.recipe.batch_size} crops instead of 9,600 of 20; base rate "
        f"{scale.recipe.optimizer.learning_rate:.2g}; steps at their share of the training, {apart} iterations apart."
    )
    shrunk = _shrunk(scale.network, round(scale.data.crop / 44)) | {"size": size, "recipe": recipe}
    shrunk["factor-rate"] = (
        f"The rate of f is {rate:.2g}, instead of 3e-3 with our base rate: from random weights, f at that rate lay at its lower bound for "
        "a while, from an initial dilation of 4 in the profile small; at this one it touches the bound there."
    )
    return _listed(setting, VOC | (VOC_PAPER if setting.profile == "paper" else {}), shrunk, scenes.made_up(scale.data))


def _listed(setting: Setting, silent: Mapping[str, str], shrunk: Mapping[str, str], made: str) -> list[Deviation]:
    """Put together what holds in every profile, in this one, and with these weights and this precision."""
    texts = dict(silent)
    if setting.profile == "paper":
        texts["baseline-norm"] = "Baselines have no batch norm before fc6; the paper does not say."
        texts["start-weights"] = "ImageNet weights of torchvision, fc6's 7x7 taps thinned as in DeepLab; the paper names none."
        if random_start(setting):
            texts["start-weights"] = (
                f"RANDOM weights, because there is no weights/{IMAGENET_VGG16.name} under the data root: `prepare vgg16` downloads it."
            )
    else:
        texts |= {f"{setting.profile}-{id}": text for id, text in shrunk.items()}
    if made:
        texts[f"{setting.profile}-data"] = made
    return listed(setting, texts)


def _shrunk(network: AdaptiveVGG, stride: int) -> dict[str, str]:
    """Say what a shrunk profile changes, whatever the data."""
    return {
        "network": (
            f"VGG-16 at {network.width:g} of its width, fc6 and fc7 of {network.head_channels}; batch norm after every convolution, "
            "no dropout."
        ),
        "baseline-norm": "Baselines have the batch norm before fc6 too, so that a pair of rows differs by the learned f alone.",
        "start": "From random weights (He et al. 2015).",
        "shares": (
            f"Pool5 has a stride of {stride}, not 8: equation 11 gives the inflation layer's share ({stride} / f)^2 times the weight that "
            "it would have over the pixels of the image, in print (8 / f)^2."
        ),
        "receptive-field-scale": (
            "Receptive fields are those of the paper's network, also with our f, so that the column has one scale; the shrunk "
            "network's own are in metrics.jsonl."
        ),
    }

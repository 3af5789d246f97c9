"""Deviations of the tables of Wei et al. 2017: known differences from the paper, and choices where the paper is silent."""

from __future__ import annotations

from collections.abc import Mapping

from datamodules.layouts.helen import OFFICIAL_COUNTS
from reproduce.jobs.weights import IMAGENET_VGG16
from reproduce.papers.adaptive_rf import helen, voc
from reproduce.papers.adaptive_rf.specs import AdaptiveVGG
from reproduce.papers.common import voc as scenes
from reproduce.papers.common.deviations import listed
from reproduce.papers.common.starts import random_start
from reproduce.table import Deviation, Setting

# In every profile: points on which the paper is silent or contradicts itself.
METHOD = {
    "pool5-extent": "Section 3.1 gives fc6 a receptive field of 212 pixels. That is pool5's, as section 3.3 and the printed sweeps say.",
    "target-grid": (
        "The paper's F = 8.11 fits 503 / 62: pooling that rounds up gives 63 cells of pool5 for 500 pixels, and they span 504. Our pooling "
        "rounds down, to 62 cells. We sample on the labels' grid: F = (H_img - 1) / (H_pool5 - 1), which is 499 / 61 = 8.18 for 500 pixels."
    ),
    "pooling": (
        "Pooling windows are 2x2. pool4 and pool5 are padded with zeros to keep the size of pool3's map, and fc6 to keep the size of its "
        "input."
    ),
    "floor": "Equation 2 gives a size that is not an integer: we take the floor.",
    "kink": (
        "At f = 1 every sample lies on a kink of the bilinear kernel. The derivative there is the mean of the two one-sided derivatives; "
        "equation 5 gives neither of them."
    ),
    "border": "Beyond the last cell, features keep its value; with equation 4 they would fade to zero.",
    "equation-11": "Equation 11 prints V_fc7, but the interpolation layer comes after fc8: C is the number of classes there.",
    "formula-at-1": "Section 3.3's formula is taken literally: at f = 1 it gives one stride (8 pixels) more than the kernel alone.",
    "normalisation": "Pictures are normalised by ImageNet's mean and standard deviation.",
}
HELEN = METHOD | {
    "gamma": "The paper names no gamma for its step of the learning rate: we use 0.1, which is usual in Caffe.",
    "factor-rate": (
        "The learning rate of f is 3e4 to 9e4 times the base rate. The paper does not say which row has which: we use 6e4 for all rows."
    ),
    "landmarks": (
        "Faces are aligned by the published 194 landmarks. A scale fitted to the label maps brings them to the resized picture; then they "
        "are reduced to 5 points (the nose's lies between its centroid and its lowest point). The paper uses the detector of Sun et al. "
        "2013."
    ),
    "warping": (
        "Labels are the argmax of the maps, then the nearest label. Colours are bilinear; if a face shrinks, they are first averaged over "
        "areas."
    ),
    "augmentation": "No augmentation: the paper names none. Pixels outside the photograph have ImageNet's mean colour and are background.",
    "tuning-faces": (
        f"The tuning faces ({OFFICIAL_COUNTS['tuning']} in Helen) are not used: no network is trained on them, and nothing is chosen by "
        "them. The paper says only that 100 faces are for testing."
    ),
    "overall-f": (
        "For the F-score, true and false positives and negatives are counted over all test pixels and added up over eyes, brows, nose, "
        "upper lip, inner mouth, lower lip and mouth (the last three together). The paper does not define it. Other definitions are in "
        "each result."
    ),
    "tolerances": "Tolerances for fewer than three seeds are ours: 0.01 for F, 0.2 for f, 16 pixels for receptive fields.",
}
VOC = METHOD | {
    "kernel": "fc6 is 3x3: this gives the printed receptive fields, 212 + 16 x dilation.",
    "pictures": scenes.DEVIATIONS["pictures"],
    "optimiser": "Momentum is 0.9 and weight decay 5e-4; the paper gives these values for faces.",
    "steps": (
        'Two steps with a gamma of 0.32 replace "the original step". We replace each of the three steps; the first of the two new steps '
        "stands where the original stood. Baselines have the same schedule, so that a pair of rows differs by f alone."
    ),
    "clip": "The gradient of f is clipped to the range -10 to 10: the paper names no bound. The gradient is seldom that large.",
    "background-mask": (
        "Target pixels on the background have weight 0.5 in both shares of the gradient of f, and weight 1 in all other gradients. The "
        "paper says that the weight is less than 1."
    ),
    "augmentation": (
        "Pictures are scaled by 0.5 to 2, cropped and flipped. Padding has ImageNet's mean colour, and its pixels are ignored. The paper "
        "names cropping and shuffling."
    ),
    "evaluation": scenes.DEVIATIONS["evaluation"],
    "tolerances": "Tolerances for fewer than three seeds are ours: 1 point of mean IoU, 0.2 for f, 24 pixels for receptive fields.",
}
VOC_PAPER = {
    "base-rate": (
        "The paper names no base rate on VOC. Ours is 1e-8 for the summed loss, which is 1e-3 for the mean loss over a crop of 321 "
        "pixels. So the rate of f is 3e-3."
    ),
    "base-rate-on-helen": (
        "Our base rate on VOC, 1e-8, is a tenth of the paper's 1e-7 on Helen, although momentum and weight decay are those that it gives "
        "for Helen."
    ),
    "milestones": (
        'The paper trains 9,600 iterations "with 3 steps". We put them at 2,400, 4,800 and 7,200; the second of each two smaller steps '
        "follows 200 iterations later."
    ),
    "crop": (
        "Crops have 321 pixels, as in DeepLab; the paper crops at random and names no size. Pool5 of a crop has 40 cells, but fc6 spans 41 "
        "at dilation 20: at no cell do all taps of the kernel lie within the crop."
    ),
}


def helen_deviations(setting: Setting) -> list[Deviation]:
    """List the deviations of the tables on Helen."""
    scale = helen.SCALES[setting.profile]
    texts = HELEN | {
        "aligned-crops": (
            f"The F-score is of the aligned crops of {scale.data.size} pixels: predictions are not brought back to the photographs, and "
            "what lies outside a crop does not count. The paper does not say where it counts."
        )
    }
    size = (
        f"Pictures have {scale.data.size} pixels, pool5 has a stride of {scale.data.size // 62} pixels, and no layer up to pool5 is "
        "dilated. So pool5 has 62 cells, as in the profile `paper`, and every dilation covers the same share of the picture."
    )
    recipe = (
        f"{scale.recipe.steps} steps instead of 55,000, also of {scale.recipe.batch_size} faces. The base rate is "
        f"{scale.recipe.optimizer.learning_rate:.2g}. The step of the learning rate and the late start of f come after the same share of "
        "the training as in the paper."
    )
    faces = scale.data.made
    made = f"{faces.exemplars} made-up faces to train on and {faces.testing} to test on, not Helen." if faces else ""
    shrunk = _shrunk(scale.network, helen.STRIDES[setting.profile]) | {"size": size, "recipe": recipe}
    rate = scale.recipe.optimizer.learning_rate * scale.recipe.group("f").rate
    shrunk["factor-rate"] = (
        f"The rate of f is {rate:.2g} instead of 6e-3: from random weights, f jumps at 6e-3, and at four times this rate it sometimes "
        "reaches its lower bound."
    )
    shrunk["clip"] = f"The gradient of all parameters together is clipped to a norm of {helen.CLIP_NORM} for the mean loss over a picture."
    return _listed(setting, texts, shrunk, made)


def voc_deviations(setting: Setting) -> list[Deviation]:
    """List the deviations of the tables on VOC."""
    scale = voc.SCALES[setting.profile]
    size = (
        f"Crops have {scale.data.crop} pixels, and no layer up to pool5 is dilated. So pool5 has 44 cells, more than the 41 that "
        "fc6's kernel spans at dilation 20."
    )
    rate, apart = scale.recipe.optimizer.learning_rate * scale.recipe.group("f").rate, voc.apart_of(scale.recipe.steps)
    recipe = (
        f"{scale.recipe.steps} steps of {scale.recipe.batch_size} crops instead of 9,600 steps of 20. The base rate is "
        f"{scale.recipe.optimizer.learning_rate:.2g}. The steps of the learning rate come after the same shares of the training as in the "
        f"profile `paper`; two smaller steps are {apart} iterations apart."
    )
    shrunk = _shrunk(scale.network, round(scale.data.crop / 44)) | {"size": size, "recipe": recipe}
    shrunk["factor-rate"] = (
        f"The rate of f is {rate:.2g}; the recipe gives 3e-3 with our base rate. At 3e-3, from random weights and an initial dilation of 4 "
        "in the profile `small`, f stayed at its lower bound for a while; at this rate it only touches the bound."
    )
    return _listed(setting, VOC | (VOC_PAPER if setting.profile == "paper" else {}), shrunk, scenes.made_up(scale.data))


def _listed(setting: Setting, silent: Mapping[str, str], shrunk: Mapping[str, str], made: str) -> list[Deviation]:
    """Join the deviations of every profile with those of this profile, its start weights and its precision."""
    texts = dict(silent)
    if setting.profile == "paper":
        texts["baseline-norm"] = "Baselines have no batch norm before fc6; the paper does not say whether they do."
        texts["start-weights"] = (
            "Training starts from torchvision's ImageNet weights; fc6 takes a subset of their 7x7 taps, as in DeepLab. The paper names no "
            "weights."
        )
        if random_start(setting):
            texts["start-weights"] = (
                f"RANDOM weights at the start, because the data root has no weights/{IMAGENET_VGG16.name}: `prepare vgg16` downloads it."
            )
    else:
        texts |= {f"{setting.profile}-{id}": text for id, text in shrunk.items()}
    if made:
        texts[f"{setting.profile}-data"] = made
    return listed(setting, texts)


def _shrunk(network: AdaptiveVGG, stride: int) -> dict[str, str]:
    """Return the deviations of a shrunk profile that do not depend on the data."""
    wider = network.narrowest > 64 * network.width  # than VGG-16's conv1 at this width
    least = f"but with at least {network.narrowest} channels, " if wider else ""
    return {
        "network": (
            f"The network is VGG-16 at {network.width:g} of its width, {least}with {network.head_channels} channels in fc6 and fc7, batch "
            "norm after every convolution and no dropout."
        ),
        "baseline-norm": "Baselines also have the batch norm before fc6, so that a pair of rows differs by the learned f alone.",
        "start": f"Training starts from random weights (He et al. 2015); the standard deviation of fc8 is {network.fc8_std:.2g}.",
        "shares": (
            f"Pool5 has a stride of {stride}, not 8. Equation 11 divides the inflation layer's share by the cells of its own map, not by "
            f"the pixels of the image. So the share is ({stride} / f)^2 times as large as if divided by pixels, and (8 / f)^2 times in the "
            "paper."
        ),
        "receptive-field-scale": (
            "Receptive fields are those of the paper's network, also with our f, so that the column has one scale. The receptive fields of "
            "the shrunk network are in metrics.jsonl."
        ),
    }

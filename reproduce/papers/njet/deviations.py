"""Deviations of the tables of Pintea et al. 2021: known differences from the paper, and choices where the paper is silent."""

from __future__ import annotations

from reproduce.papers.common.deviations import listed
from reproduce.papers.njet import toys
from reproduce.papers.njet.trainings import BATCH, EPOCHS, FALLS, PADDING, SCALES, recipe_of
from reproduce.table import Deviation, Setting

# In every profile.
LAYER = {
    "sigma": (
        "sigma = 2^scale with a learned scale that starts at 0, and alpha starts as N(0, 1), both as in the authors' code. The paper does "
        "not say."
    ),
    "filter-size": (
        "A filter has 2 ceil(k sigma) + 1 pixels, as in the paper. The half size of the authors' code is ceil(k sigma + 0.5): at sigma = 1 "
        "that is 7 x 7 instead of 5 x 5."
    ),
    "normalised": (
        "The sampled, clipped Gaussian is not normalised: it sums to 0.982 at k = 2 and sigma = 1. The authors' code normalises it to 1."
    ),
    "safe-subsampling": (
        "Safe subsampling reduces s cells to the nearest floor(s (1/2)^(sigma / r)) cells, before the convolution: experiment 2.1(A) names "
        '"the input feature maps". The authors\' code does so too, but divides s by max(1, 2^sigma / r).'
    ),
}
CIFAR = LAYER | {
    "recipe": (
        f"All networks train with SGD, momentum 0.9, weight decay 5e-4 (also on sigma's scale), batches of {BATCH} and a learning rate of "
        f"0.1, divided by 10 after {FALLS[0]} and {FALLS[1]} of {EPOCHS} epochs. This is the recipe of the authors' code for N-Jet NiN, "
        "but here every batch is full. The paper names no recipe."
    ),
    "augmentation": (
        f"CIFAR has crops of pictures padded by {PADDING} pixels, and flips, as in the authors' code. SVHN has no augmentation: digits "
        "have no mirror image."
    ),
    "pixel-values": (
        "CIFAR-10 is normalised by the mean and standard deviation of the authors' code, CIFAR-100 and SVHN by their own. The code takes "
        "CIFAR-10's for CIFAR-100."
    ),
    "initial-weights": "Plain convolutions start as in He et al. 2015, in the authors' code with torch's default. The paper does not say.",
    "split": (
        "Networks are trained on the training pictures (SVHN: without the extra pictures), and evaluated once, at the end, on all test "
        "pictures."
    ),
}
NETWORKS = {
    "nin": "NiN is as in the authors' code: batch norm and ReLU after every convolution, also after the last; no convolution has a bias.",
    "all-cnn": (
        "ALL-CNN is ALL-CNN-C of Springenberg et al. 2015, but with batch norm and so without biases: with alpha ~ N(0, 1) it does not "
        "train without batch norm."
    ),
    "resnet": "ResNets are the CIFAR ResNets of He et al. 2016 with shortcuts of option A, which are subsampled like the maps.",
    "efficientnet": (
        "EfficientNet-B0 for pictures of 32 pixels is our interpretation: the stem has stride 1, the stages have strides 1, 2, 2, "
        "2, 1, 2, 1. N-Jet layers replace the stem and the depthwise convolutions."
    ),
    "deep-strides": "ResNet-110 and EfficientNet have no safe subsampling, as in print. We assume that they keep their strides.",
}
WHICH = {
    "table1": ("nin",), "table2": ("nin",), "table3": ("nin",), "table4": ("all-cnn", "resnet", "efficientnet", "deep-strides"),
    "figure6": ("nin",), "figure7": ("nin",), "figure8": ("all-cnn",), "figure12": tuple(NETWORKS), "sigmas": tuple(NETWORKS),
}  # fmt: skip
# Deviations of a single table.
OWN = {
    "table1": {"fixed": "sigma is not learned. In the column `baseline`, networks keep NiN's poolings and have no safe subsampling."},
    "table2": {
        "time": (
            "The paper's run times were not found. We time a training step of the network with its final sigmas, in turn with a step of "
            "plain NiN, while nothing else of the command runs: see `njet.speed`."
        )
    },
    "table3": {
        "code": (
            "The row of the authors' code has the half size and the normalisation of that code, and no subsampling: the code's layer can "
            "subsample, but its N-Jet NiN does not use that. The published number is from the authors' public log, after the last epoch "
            "(the best epoch has 91.50), on CIFAR-10's test pictures. The log's percentages are of 50,000 training pictures; the code now "
            "holds out 5,000 of them. The log does not say the order. It is 3 here, as in the paper; the code's script had 4 when the log "
            "was added, and has 2 now."
        ),
        "code-polynomials": "The Hermite polynomials that the authors' code writes out, for orders 0 to 10, have no typos.",
    },
    "table4": {
        "parameters": (
            "In every profile, the parameters of the published network with 10 classes are computed; sigmas count. The printed numbers "
            "were not found."
        )
    },
    "figure6": {"sizes": "Of the figure's filter sizes only 3, 3, 3 was found; the others are our choice. NiN itself has 5, 5, 3."},
    "figure12": {"halves": 'The paper does not say which models "many" are: we test all five. A layer in the middle is in neither half.'},
    "sigmas": {"own": "This is our own comparison, from the trainings of tables III and IV: the paper shows no such curves."},
}
TOYS = LAYER | {
    "toy-network": (
        "A toy network has convolutions of equal width with bias and ReLU, then averages over a grid of 4 x 4, then a linear layer. The "
        'paper only says "2 and 4-layer toy architectures containing only convolutional layers followed by ReLU activations".'
    ),
    "toy-alpha": (
        "alpha starts with the energy of He et al. 2015, like plain filters: with N(0, 1) and without batch norm, features explode."
    ),
    "toy-recipe": "We use Adam without weight decay and divide its rate by 10 after two thirds of the steps. The paper names no recipe.",
    "resizing": "Pictures are normalised, then resized by bilinear interpolation without aligned corners. They are not augmented.",
}
FIGURE_5 = {
    "one-layer": "The toy network has one N-Jet layer, and so one sigma; figure 5(a), which shows the network, was not found.",
    "no-subsampling": "The network has no safe subsampling: the figure does not mention it.",
    "seeds": f"At least {toys.SEEDS} seeds run, even if fewer are asked for: {toys.MORE_SEEDS}.",
}
TABLE_5 = {
    "subsampling": (
        "N-Jet networks have safe subsampling with r = 4 before every layer; the others have none. Section IV applies it to all networks "
        "but the deepest."
    ),
    "filter-sizes": (
        "The filter sizes of the standard network were not found: 3, 5 and 7 are our choice. Deformable and atrous networks have 3 x 3."
    ),
}
NOT_FOUND = {
    "not-found": (
        "The body of the table, or the values of the figure, were not found: the paper's sentences about it are tested as claims."
    )
}


def cifar_deviations(table: str, setting: Setting) -> list[Deviation]:
    """List the deviations of a table on CIFAR or SVHN."""
    named = {name: NETWORKS[name] for name in WHICH[table]}
    printed = {} if table == "sigmas" else NOT_FOUND
    return _listed(setting, printed | OWN.get(table, {}) | named | CIFAR | _shrunk(setting))


def toy_deviations(table: str, setting: Setting) -> list[Deviation]:
    """List the deviations of a table on MNIST."""
    own, scales = (FIGURE_5, toys.FIGURE_5) if table == "figure5" else (TABLE_5, toys.TABLE_5)
    scale = scales[setting.profile]
    length = {
        "length": (
            f"{scale.channels} channels per layer, {scale.recipe.steps:,} steps of {scale.recipe.batch_size} pictures and an initial "
            f"learning rate of {scale.recipe.optimizer.learning_rate:g}, for digits of every size: none of these is in the paper."
        )
    }
    return _listed(setting, NOT_FOUND | own | TOYS | length)


def _shrunk(setting: Setting) -> dict[str, str]:
    if setting.profile == "paper":
        return {}
    scale, recipe = SCALES[setting.profile], recipe_of(setting.profile, "cifar10")
    depths = " and ".join(f"{short} layers instead of {depth}" for depth, short in scale.depths.items())
    return {
        f"{setting.profile}-network": (
            f"NiN, ALL-CNN and EfficientNet are at {scale.width:g} of their width, ResNets at {min(1.0, 4 * scale.width):g}, with "
            f"{depths}. EfficientNet has {scale.repeats:g} of its blocks, at least one per stage. No network has dropout, except ALL-CNN's "
            "0.2 on the picture."
        ),
        f"{setting.profile}-recipe": (
            f"{recipe.steps} steps of {recipe.batch_size} pictures; the learning rate falls after a third and after two thirds of them."
        ),
    }


def _listed(setting: Setting, texts: dict[str, str]) -> list[Deviation]:
    return listed(setting, texts, "Networks are trained and evaluated in {}; the paper does not name a precision.")

"""Table IV: N-Jet layers in ALL-CNN-C, ResNet-32, ResNet-110 and EfficientNet: accuracy and parameters."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from reproduce.papers.common.cells import plain_cells
from reproduce.papers.common.trainings import Trainings
from reproduce.papers.njet.cells import sizes
from reproduce.papers.njet.deviations import cifar_deviations
from reproduce.papers.njet.specs import Published
from reproduce.papers.njet.table3 import COMPARABLE
from reproduce.papers.njet.trainings import (
    ALL_CNN,
    EFFICIENTNET,
    NJET_ALL_CNN,
    NJET_EFFICIENTNET,
    NJET_RESNET_32,
    NJET_RESNET_110,
    RESNET_32,
    RESNET_110,
    training_jobs,
)
from reproduce.table import Setting, Table
from reproduce.verdicts.claims import Claim
from reproduce.verdicts.evidence import Evidence, difference
from reproduce.verdicts.logic import Finding, all_of

SETS = ("cifar10", "cifar100")
PAIRS: dict[str, tuple[Published, Published]] = {
    "all-cnn": (ALL_CNN, NJET_ALL_CNN),
    "resnet-32": (RESNET_32, NJET_RESNET_32),
    "resnet-110": (RESNET_110, NJET_RESNET_110),
    "efficientnet": (EFFICIENTNET, NJET_EFFICIENTNET),
}
DEEP = ("resnet-110", "efficientnet")  # with N-Jet layers of order 2


NETWORKS = {row: network for name, pair in PAIRS.items() for row, network in zip((name, f"njet-{name}"), pair, strict=True)}
READING = "the network is our own reading: the paper does not say how it is adapted to small pictures"
CAVEATS = {"efficientnet": READING, "njet-efficientnet": READING}


def jobs(setting: Setting, row: str, column: str) -> Trainings:
    """Return the job that computes a network's parameters, or its trainings on a data set."""
    return sizes(setting, row, NETWORKS[row]) if column == "parameters" else training_jobs(setting, row, NETWORKS[row], column)


def _each(names: tuple[str, ...], test: Callable[[str], Finding]) -> Finding:
    return all_of(*map(test, names))


def _more(evidence: Evidence, name: str) -> Finding:
    added = difference((f"njet-{name}", "parameters"), (name, "parameters"))
    return evidence.greater(added, 0.0)


def _fewer(evidence: Evidence, name: str) -> Finding:
    return evidence.greater((name, "parameters"), (f"njet-{name}", "parameters"))


def _similar(evidence: Evidence, name: str) -> Finding:
    return all_of(*(evidence.at_most_apart((f"njet-{name}", dataset), (name, dataset), COMPARABLE) for dataset in SETS))


CLAIMS = (
    Claim(
        "similar-accuracy",
        "Using our proposed N-Jet layers gives similar accuracy to the standard convolutional layers",
        "section IV, experiment 3.2(A)",
        f"for each of the four networks, on either set, the two accuracies are within {COMPARABLE:g} point; the paper does not say what "
        "counts as similar",
        lambda evidence: _each(tuple(PAIRS), partial(_similar, evidence)),
    ),
    Claim(
        "order-3-more-parameters",
        "For an approximation of order 3 in the N-Jet, there is a small increase in the number of parameters compared to the baseline, "
        "except for the EfficientNet which uses also kernel sizes larger than 3x3 px",
        "section IV, experiment 3.2(A)",
        "ALL-CNN and ResNet-32 have more parameters with N-Jet layers of order 3 than without; the paper does not say what counts as "
        "small, and EfficientNet of order 3 has no row",
        lambda evidence: _each(("all-cnn", "resnet-32"), partial(_more, evidence)),
    ),
    Claim(
        "order-2-fewer-parameters",
        "a Gaussian basis combination of order 2 is sufficient to obtain an accuracy comparable to the baseline models, while reducing the "
        "number of parameters",
        "section IV, experiment 3.2(A)",
        "with N-Jet layers of order 2, ResNet-110 and EfficientNet have fewer parameters than without, and on either set the two "
        "accuracies are "
        f"within {COMPARABLE:g} point",
        lambda evidence: all_of(*(_each(DEEP, partial(test, evidence)) for test in (_fewer, _similar))),
    ),
)

TABLE = Table("njet.table4", partial(plain_cells, "njet.table4", jobs, caveats=CAVEATS), CLAIMS, partial(cifar_deviations, "table4"))

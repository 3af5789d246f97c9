"""A finished run's network as a file that runs without this suite."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from lightning_modules import protocol
from lightning_modules.exporting import export
from reproduce.jobs.job import Job
from reproduce.specs import OwnData
from reproduce.worker import stages
from reproduce.worker.building import build_network, converted
from reproduce.worker.prediction import classes_of, load


@dataclass(frozen=True)
class Exported:
    """A written file.

    Args:
        difference: Largest difference between scores of the file and of the network, as a share of the largest score.
        output: Shape of the scores of one image.
        normalised: How images are normalised before they go in.
        classes: Names of the classes, in words.
        learned: Values of the learned quantities, in words; empty if there are none.
    """

    difference: float
    output: tuple[int, ...]
    normalised: str
    classes: str
    learned: str


class _WithPreprocessing(nn.Module):
    """A network behind the conversion from its data's normalisation to that of its start weights."""

    def __init__(self, network: nn.Module, seen: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.network, self.seen = network, seen

    def forward(self, image: Tensor) -> Tensor:
        """B C H W to scores."""
        scores: Tensor = self.network(self.seen(image))
        return scores


def export_run(job: Job, weights: Path, path: Path, format: str, shape: tuple[int, ...]) -> Exported:
    """Write the network of a run to a file, run the file, and compare the two.

    The file computes the scores of one pass. Scales, flips and tiles of the run's evaluation are not in it.

    Args:
        job: A training.
        weights: The run's weights.
        path: The file.
        format: "onnx" or "pt2".
        shape: C H W of an image. The file takes batches of any size, and images of this shape only.

    Raises:
        ValueError: The weights are another network's, the network cannot be exported, or the file differs from it.
    """
    network = build_network(job.network)
    load(network, weights)
    quantities = [quantity.name for quantity in protocol.quantities(network) if quantity.start is not None]
    found = {name: value for name, value in protocol.trajectory(network).items() if name.partition("_")[0] in quantities}
    network = converted(job, network).eval()
    normalisation = job.data.normalisation if job.data is not None else None
    seen = stages.preprocessing(job, normalisation)
    whole = network if seen is None else _WithPreprocessing(network, seen)
    example = torch.randn(2, *shape, generator=torch.Generator().manual_seed(0))
    with warnings.catch_warnings():  # torch's own use of what it deprecates
        warnings.filterwarnings("ignore", ".isinstance.treespec, LeafSpec.. is deprecated", FutureWarning)
        difference = export(whole, example, path, format)
    with torch.no_grad():
        output = tuple(whole(example).shape[1:])
    return Exported(
        difference,
        output,
        _said(job),
        ", ".join(classes_of(job)),
        ", ".join(f"{name} = {value:.4g}" for name, value in found.items()),
    )


def _said(job: Job) -> str:
    """Say how images are normalised before they go in."""
    if isinstance(job.data, OwnData):
        return f"as {job.data.title} normalises its images"
    found = job.data.normalisation if job.data is not None else None
    if found is None:
        return "RGB, normalised by ImageNet's mean and standard deviation"
    mean, std = (" ".join(f"{value:g}" for value in values) for values in found)
    return f"pixels / 255, less the mean {mean}, over the standard deviation {std}"

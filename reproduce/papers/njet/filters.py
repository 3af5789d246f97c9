"""The filters of a finished run's large convolutions, for figures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from lightning_modules.layers.njet import NJetConv2d
from reproduce.jobs.job import Job
from reproduce.worker.building import build_network
from reproduce.worker.prediction import load

Filter = NDArray[np.float32]


@torch.no_grad()
def large_filters(job: Job, weights: Path, number: int) -> list[tuple[float, list[Filter]]]:
    """Return sigma in pixels and the first filters of every convolution larger than 1 x 1, on its first input channel.

    Sigma is 0 if the layer is not an N-Jet layer. If a layer has several sigmas, it is the largest.

    Args:
        job: Job that trained the network.
        weights: File of the run's weights.
        number: Number of filters per layer.

    Raises:
        ValueError: The weights cannot be read, or belong to another network.
    """
    network = build_network(job.network)
    load(network, weights)
    found = []
    for layer in network.modules():
        if isinstance(layer, NJetConv2d):
            found.append((float(layer.sigma.max()), [*layer.kernel[:number, 0].numpy()]))
        elif isinstance(layer, nn.Conv2d) and max(layer.kernel_size) > 1:
            found.append((0.0, [*layer.weight[:number, 0].numpy()]))
    return found

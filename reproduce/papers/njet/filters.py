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
    """Return, of every convolution of more than 1 x 1 pixels, sigma in pixels and its first filters, as they are on its first channel.

    Sigma is 0 where it is no N-Jet layer; of several sigmas the largest.

    Args:
        job: that trained the network.
        weights: of its run.
        number: of filters a layer.

    Raises:
        ValueError: the weights cannot be read, or are another network's.
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

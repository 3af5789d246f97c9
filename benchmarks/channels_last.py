"""Measure a training step's two passes with channels last in memory, against torch's default layout.

python benchmarks/channels_last.py [--rounds COUNT] [--threads COUNT]

Both sides are the same network with the same weights, and take turns. Ratios are medians over the rounds. With one thread, CPU time is
counted, so that other programs matter little. The whole benchmark takes about three minutes on one core.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import sys
import time
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).parents[1]))

from reproduce.papers.adaptive_rf import helen, voc
from reproduce.papers.njet.specs import AllCNN, CIFARResNet, EfficientNetB0, Jet, NiN, ToyCNN
from reproduce.specs import Network
from reproduce.worker.building import build_network


def cases() -> list[tuple[str, Network, tuple[int, int, int, int]]]:
    """Return what is measured: a name, a network and the shape B C H W of a batch."""
    faces, scenes = helen.SCALES, voc.SCALES
    found: list[tuple[str, Network, tuple[int, int, int, int]]] = []
    for scales, profile, edge in ((faces, "demo", 124), (faces, "small", 248), (scenes, "demo", 88), (scenes, "small", 176)):
        scale = scales[profile]
        for inflated in (False, True):
            network = replace(scale.network, dilation=8, inflated=inflated, background_weight=1.0)
            learned = ", learned f" if inflated else ""
            found.append((f"VGG-16 at {network.width:g}{learned}, {edge} pixels", network, (scale.recipe.batch_size, 3, edge, edge)))
    for width in (0.125, 0.25, 1.0):
        for jet in (None, Jet()):
            layers = ", N-Jet" if jet else ""
            for name, network in (
                ("NiN", NiN(10, width=width, jet=jet, dropout=0.0)),
                ("ALL-CNN", AllCNN(10, width=width, jet=jet, dropout=0.0)),
                ("ResNet-32", CIFARResNet(10, width=width, jet=jet)),
            ):
                found.append((f"{name} at {width:g}{layers}", network, (16, 3, 32, 32)))
        found.append((f"EfficientNet-B0 at {width:g}", EfficientNetB0(10, width=width, dropout=0.0, drop_connect=0.0), (16, 3, 32, 32)))
    found += [("toy network", ToyCNN(10), (64, 1, 28, 28)), ("toy network, N-Jet", ToyCNN(10, jet=Jet()), (64, 1, 28, 28))]
    return found


def seconds(network: nn.Module, image: Tensor, threads: int) -> float:
    """Return the seconds of a forward and a backward pass."""
    clock = time.process_time if threads == 1 else time.perf_counter
    begun = clock()
    network(image).square().mean().backward()
    network.zero_grad()
    return clock() - begun


def measured(network: nn.Module, image: Tensor, options: argparse.Namespace) -> tuple[float, float]:
    """Return the median milliseconds of a step with torch's default layout, and the median ratio."""
    last, turned = copy.deepcopy(network).to(memory_format=torch.channels_last), image.contiguous(memory_format=torch.channels_last)
    pairs = [(seconds(network, image, options.threads), seconds(last, turned, options.threads)) for _ in range(options.rounds + 1)][
        1:
    ]  # the first round allocates
    return 1000 * statistics.median(first for first, _ in pairs), statistics.median(first / second for first, second in pairs)


def main() -> None:
    """Print one row per network."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print("| network | batch | default, ms | times as fast with channels last |\n| --- | --- | --- | --- |")
    for name, spec, shape in cases():
        torch.manual_seed(0)
        default, ratio = measured(build_network(spec).train(), torch.randn(shape), options)
        print(f"| {name} | {shape[0]} | {default:.1f} | {ratio:.2f} |", flush=True)


if __name__ == "__main__":
    main()

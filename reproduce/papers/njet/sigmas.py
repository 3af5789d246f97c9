"""Our own comparison: the sigma of every layer of every N-Jet network during training."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from reproduce import figures
from reproduce.jobs.store import Store
from reproduce.papers.common.curves import curves, together
from reproduce.papers.common.trainings import Trainings
from reproduce.papers.njet.cells import learned
from reproduce.papers.njet.deviations import cifar_deviations
from reproduce.papers.njet.specs import Published
from reproduce.papers.njet.trainings import NJET_ALL_CNN, NJET_EFFICIENTNET, NJET_NIN, NJET_RESNET_32, NJET_RESNET_110, training_jobs
from reproduce.table import Cell, Setting, Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NETWORKS: dict[str, tuple[str, Published]] = {
    "njet-nin": ("NiN", NJET_NIN),
    "njet-all-cnn": ("ALL-CNN", NJET_ALL_CNN),
    "njet-resnet-32": ("ResNet-32", NJET_RESNET_32),
    "njet-resnet-110": ("ResNet-110", NJET_RESNET_110),
    "njet-efficientnet": ("EfficientNet", NJET_EFFICIENTNET),
}


def trainings(setting: Setting, row: str) -> Trainings:
    """Return the trainings of a network on CIFAR-10: those of tables III and IV."""
    return training_jobs(setting, row, NETWORKS[row][1])


def cells(setting: Setting) -> list[Cell]:
    """Map the row of each network to the final sigmas of its layers."""
    return [learned(row, "sigmas", trainings(setting, row), "sigmas") for row in NETWORKS]


def figure(setting: Setting, store: Store) -> Figure | None:
    """Draw every layer's sigma against the training step, one panel per network; return None if no run is done."""
    panels, done = [], []
    for row, (title, network) in NETWORKS.items():
        jobs = [job for job in trainings(setting, row)[0] if store.run(job).done]
        if not jobs:
            continue
        done += jobs
        lines = []
        layer = 1
        while found := curves(jobs, store, f"trajectory/sigma_{layer}"):
            lines.append(figures.trajectories.Trajectory(str(layer), layer, *together(found.values())))
            layer += 1
        assert network.jet is not None
        panels.append(figures.trajectories.Panel(title, lines, "sigma in pixels", "layer", start=network.jet.sigma))
    return figures.trajectories.draw(panels, [figures.caption.of(setting.profile, done, store)]) if panels else None


TABLE = Table("njet.sigmas", cells, (), partial(cifar_deviations, "sigmas"), figure=figure)

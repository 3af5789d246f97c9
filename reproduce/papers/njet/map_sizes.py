"""Figures 7 and 8: learned and fixed sizes of feature maps, in NiN and in ALL-CNN."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from datamodules.layouts.cifar import CIFAR10
from reproduce import figures
from reproduce.jobs.store import Store
from reproduce.papers.njet.cells import learned, sizes
from reproduce.papers.njet.deviations import cifar_deviations
from reproduce.papers.njet.specs import Published
from reproduce.papers.njet.trainings import ALL_CNN, NIN, NJET_ALL_CNN, NJET_NIN, training_jobs
from reproduce.table import Cell, Setting, Table, Value, metric
from reproduce.verdicts.claims import Claim

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def largest_fall(metrics: Mapping[str, Any]) -> Value:
    """Return the largest ratio of the edge of a map to the edge of the next map; the picture counts as the first map."""
    heights = [CIFAR10.shape[1], *metrics["map_sizes"]]
    falls: float = max(before / after for before, after in pairwise(heights))
    return falls


def _cells(name: str, plain: Published, jet: Published, setting: Setting) -> list[Cell]:
    jobs, missing = training_jobs(setting, f"njet-{name}", jet)
    fixed, _ = sizes(setting, name, plain)
    return [
        Cell(name, "map_sizes", "exact", fixed, partial(metric, "map_sizes")),
        Cell(name, "largest_fall", "exact", fixed, largest_fall),
        learned(f"njet-{name}", "map_sizes", (jobs, missing), "map_sizes"),
        Cell(f"njet-{name}", "largest_fall", "trained", jobs, largest_fall, missing=missing),
    ]


def _figure(name: str, title: str, plain: Published, jet: Published, setting: Setting, store: Store) -> Figure | None:
    fixed, _ = sizes(setting, name, plain)
    jobs = [job for job in training_jobs(setting, f"njet-{name}", jet)[0] if store.run(job).done]
    results: list[Sequence[Sequence[float]]] = [
        [result["metrics"]["map_sizes"] for job in each if (result := store.run(job).result)] for each in (fixed, jobs)
    ]
    if not all(results):
        return None

    return figures.map_sizes.draw(
        [figures.map_sizes.MapSizes(title, results[0][0], results[1])], [figures.caption.of(setting.profile, jobs, store)]
    )


def table(number: int, name: str, title: str, plain: Published, jet: Published, claims: tuple[Claim, ...] = ()) -> Table:
    """Return the table of one of the two figures.

    Args:
        number: Number of the figure.
        name: Key of the plain network's row.
        title: Title of the network.
        plain: Network with the map sizes that its authors fixed.
        jet: Network with N-Jet layers.
        claims: Claims of the paper about the figure.
    """
    return Table(
        f"njet.figure{number}",
        partial(_cells, name, plain, jet),
        claims,
        partial(cifar_deviations, f"figure{number}"),
        figure=partial(_figure, name, title, plain, jet),
    )


SMOOTH = Claim(
    "continuous-and-smooth",
    "Applied at every layer, the safe-subsampling makes the subsampling continuous and smooth, compared to the baseline",
    "section IV, experiment 3.2(A)",
    "the largest fall in size from one map to the next is larger in ALL-CNN than in N-Jet ALL-CNN",
    lambda evidence: evidence.greater(("all-cnn", "largest_fall"), ("njet-all-cnn", "largest_fall")),
)
FIGURE_7 = table(7, "nin", "NiN", NIN, NJET_NIN)
FIGURE_8 = table(8, "all-cnn", "ALL-CNN", ALL_CNN, NJET_ALL_CNN, (SMOOTH,))

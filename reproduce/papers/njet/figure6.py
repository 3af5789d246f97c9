"""Figure 6: filter sizes of NiN, with its subsampling and without."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from reproduce import figures
from reproduce.jobs.job import Job
from reproduce.jobs.store import Store
from reproduce.papers.common.trainings import Trainings
from reproduce.papers.njet import cells as made
from reproduce.papers.njet.deviations import cifar_deviations
from reproduce.papers.njet.trainings import NIN, training_jobs
from reproduce.table import Cell, Setting, Table
from reproduce.verdicts.claims import Claim
from reproduce.verdicts.evidence import Evidence, difference, maximum, spread
from reproduce.verdicts.logic import Finding

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIZES = ((3, 3, 3), (5, 5, 3), (5, 5, 5), (7, 7, 7))
COLUMNS = {"subsampled": True, "full": False}  # whether the poolings stay


def trainings(setting: Setting, sizes: tuple[int, ...], pooling: bool) -> Trainings:
    """Return the trainings of NiN with filters of these sizes; for NiN itself they are those of table III."""
    if sizes == NIN.filter_sizes and pooling:
        return training_jobs(setting, "nin", NIN)
    name = f"nin-{_name(sizes)}{'' if pooling else '-full'}"
    return training_jobs(setting, name, replace(NIN, filter_sizes=sizes, pooling=pooling))


def cells(setting: Setting) -> list[Cell]:
    """Map the row of each choice of filter sizes to its trainings with poolings and without."""
    return [
        made.accuracy(_name(sizes), column, trainings(setting, sizes, pooling)) for sizes in SIZES for column, pooling in COLUMNS.items()
    ]


def _name(sizes: tuple[int, ...]) -> str:
    return "-".join(map(str, sizes))


def figure(setting: Setting, store: Store) -> Figure | None:
    """Draw both accuracies of every choice of filter sizes; return None if no run is done."""
    shown: list[figures.accuracy.Accuracies] = []
    done: list[Job] = []
    for sizes in SIZES:
        found: list[list[float]] = []
        for pooling in COLUMNS.values():
            results = {job: result for job in trainings(setting, sizes, pooling)[0] if (result := store.run(job).result)}
            done += results
            found.append([100 * result["metrics"]["accuracy"] for result in results.values()])
        shown.append(figures.accuracy.Accuracies(", ".join(map(str, sizes)), *found))
    return figures.accuracy.draw("NiN on CIFAR-10", shown, [figures.caption.of(setting.profile, done, store)]) if done else None


def _small_affected(evidence: Evidence) -> Finding:
    falls = {sizes: difference((_name(sizes), "subsampled"), (_name(sizes), "full")) for sizes in SIZES}
    return evidence.greater(falls.pop((3, 3, 3)), maximum(*falls.values()))


CLAIMS = (
    Claim(
        "small-filters-affected",
        "The smaller filter sizes, as in the case when all filter sizes are set to 3, are affected to a greater degree by the removal of "
        "the subsampling",
        "section IV, experiment 1.1(A)",
        "without subsampling, the network of 3 x 3 filters loses more accuracy than any other",
        _small_affected,
    ),
    Claim(
        "sizes-matter",
        "Selecting the correct filter sizes impacts the overall classification accuracy",
        "section IV, experiment 1.1(A)",
        "without subsampling, the highest and the lowest accuracy are more than 1 point apart",
        lambda evidence: evidence.greater(spread(*((_name(sizes), "full") for sizes in SIZES)), 1.0),
    ),
)

TABLE = Table("njet.figure6", cells, CLAIMS, partial(cifar_deviations, "figure6"), figure=figure)

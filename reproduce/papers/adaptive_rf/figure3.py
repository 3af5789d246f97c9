"""Figure 3: pictures of VOC segmented by networks of table 2, and faces segmented by networks of table 1 (supplementary figure 1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from datamodules.layouts import helen, voc
from reproduce import figures, worker
from reproduce.jobs.job import Job
from reproduce.jobs.store import Store
from reproduce.papers.adaptive_rf import figure2
from reproduce.papers.adaptive_rf.specs import AdaptiveVGG
from reproduce.specs import Network
from reproduce.table import Cell, Setting, Table
from reproduce.verdicts.claims import Claim
from reproduce.verdicts.logic import all_of, not_

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Part:
    """One data set's part of the figure.

    Args:
        name: Name of the data set.
        column: Column of its table that holds the networks' scores.
        rows: Rows of its table, in the order of the figure.
        classes: Names of the classes.
        pictures: Number of pictures that are shown.
    """

    name: str
    column: str
    rows: Sequence[str]
    classes: Sequence[str]
    pictures: int


SCENES = ("baseline-12", "modified-20", "baseline-20", "modified-4", "baseline-4")  # columns (c) to (g) in print
# Supplementary figure 1 was not found. Section 4.3.1 says that it shows the best manual network, a modified network, and the baseline of
# that modified network. In print, table 1's best baseline has dilation 4, and its best modified network has initial dilation 8.
FACES = ("baseline-4", "modified-8", "baseline-8")
PARTS = (
    Part("Helen", "f_score", FACES, helen.CLASSES, 3),
    Part("VOC", "mean_iou", SCENES, voc.CLASSES, 4),
)


def networks(setting: Setting) -> list[tuple[Part, list[Cell]]]:
    """Return each part with the cells of its networks' scores."""
    tables = figure2.table_cells(setting)
    scores = [{cell.row_key: cell for cell in tables[part.name] if cell.column == part.column} for part in PARTS]
    return [(part, [found[row] for row in part.rows]) for part, found in zip(PARTS, scores, strict=True)]


def cells(setting: Setting) -> list[Cell]:
    """Return the score of each network of the figure over the whole split, as in its table."""
    return [replace(cell, row_key=f"{part.name.lower()}-{cell.row_key}") for part, found in networks(setting) for cell in found]


def figure(setting: Setting, store: Store) -> Figure | None:
    """Draw pictures segmented by the finished networks of the first seed; leave out networks whose weights were not imported."""
    found = [(part, [cell.jobs[0] for cell in scores]) for part, scores in networks(setting)]
    done = [(part, [job for job in jobs if store.run(job).done and store.run(job).weights.exists()]) for part, jobs in found]
    done = [(part, jobs) for part, jobs in done if jobs]
    if not done:
        return None

    boards = [board(part, jobs, store) for part, jobs in done]
    said = figures.caption.of(setting.profile, [job for _, jobs in done for job in jobs], store)
    return figures.segmentations.draw(boards, ["Pictures are evenly spaced in the list of the evaluated split.", said])


def board(part: Part, jobs: Sequence[Job], store: Store) -> figures.segmentations.Board:
    """Segment the pictures of one data set with each network."""
    titles = [title(job.network) for job in jobs]
    return figures.segmentations.Board(
        part.name,
        ("truth", *titles),
        worker.prediction.examples(jobs, store, part.pictures),
        part.classes,
        figures.overlay.colours_of(part.classes),
    )


def title(network: Network) -> str:
    """Return a network's name on two lines."""
    assert isinstance(network, AdaptiveVGG)
    return f"modified,\ninitial dilation {network.dilation}" if network.inflated else f"baseline,\ndilation {network.dilation}"


CLAIMS = (
    Claim(
        "modified-improve",
        "Results in (d) and (e), (f) and (g) show the improvements brought by our method.",
        "caption of figure 3",
        "over the whole split, the modified networks of initial dilation 20 and 4 each exceed their baseline",
        lambda evidence: all_of(
            *(evidence.greater((f"voc-modified-{start}", "mean_iou"), (f"voc-baseline-{start}", "mean_iou")) for start in (20, 4))
        ),
    ),
    Claim(
        "small-start-falls-short",
        "with improper initial receptive field, performances of modified models are improved but still not compatible with the best "
        "manually designed model",
        "caption of figure 3",
        "over the whole split, the modified network of initial dilation 4 exceeds its baseline, but not the baseline of dilation 12, which "
        "the caption calls the best",
        lambda evidence: all_of(
            evidence.greater(("voc-modified-4", "mean_iou"), ("voc-baseline-4", "mean_iou")),
            not_(evidence.greater(("voc-modified-4", "mean_iou"), ("voc-baseline-12", "mean_iou"))),
        ),
    ),
    Claim(
        "faces-improve",
        "Results in Figure 1(d) and (e) show the improvements brought by our method.",
        "section 4.3.1, of supplementary figure 1",
        "over the whole split, the modified network of initial dilation 8 exceeds its baseline; the figure itself was not found",
        lambda evidence: evidence.greater(("helen-modified-8", "f_score"), ("helen-baseline-8", "f_score")),
    ),
)

TABLE = Table("adaptive_rf.figure3", cells, CLAIMS, figure2.deviations, figure=figure)

"""Table 2: the dilation sweep on augmented VOC 2012, and the networks that learn f from an initial dilation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from datamodules.layouts import voc as layout
from reproduce.papers.adaptive_rf.deviations import voc_deviations
from reproduce.papers.adaptive_rf.sweep import baseline_cells, modified_cells, plain
from reproduce.papers.adaptive_rf.voc import KERNEL_SIZE, PAPER, REVISION, training_jobs
from reproduce.table import Cell, Setting, Table, Value, percent
from reproduce.verdicts.claims import Claim
from reproduce.verdicts.evidence import Evidence, Maximum, maximum
from reproduce.verdicts.logic import Finding, all_of, not_

BASELINES = (4, 6, 8, 10, 12, 14, 16, 18, 20)
MODIFIED = (4, 6, 16, 18, 20)
LARGE = (16, 18, 20)
SMALL = (4, 6)


def cells(setting: Setting) -> list[Cell]:
    """Map table 2 to jobs: the dilation sweep, and the networks that learn f from an initial dilation."""
    score = Cell("", "mean_iou", "trained", (), partial(percent, "mean_iou"), metric="mean_iou")
    baselines = [
        (f"baseline-{dilation}", plain(PAPER.network, dilation), training_jobs(setting, dilation, inflated=False)) for dilation in BASELINES
    ]
    modified = [(f"modified-{dilation}", dilation, training_jobs(setting, dilation, inflated=True)) for dilation in MODIFIED]
    return [
        *baseline_cells(setting, "adaptive-rf-voc", REVISION, score, baselines),
        *modified_cells(setting, "adaptive_rf.table2", KERNEL_SIZE, score, modified),
    ]


def _class_iou(index: int, metrics: Mapping[str, Any]) -> Value | None:
    matrix = metrics["confusion"]
    union = sum(matrix[index]) + sum(row[index] for row in matrix) - matrix[index][index]
    return 100 * matrix[index][index] / union if union else None


def beside(cells: Sequence[Cell]) -> list[Cell]:
    """Return the cells that only the json shows: IoU of every class, and the other scores of the confusion matrix."""
    values: dict[str, Any] = {name: partial(percent, name) for name in ("pixel_accuracy", "mean_accuracy", "frequency_weighted_iou")}
    values |= {f"iou_class_{name.replace(' ', '_')}": partial(_class_iou, index) for index, name in enumerate(layout.CLASSES)}
    scores = [
        cell for cell in cells if cell.column == "mean_iou" and not cell.label
    ]  # published rows only: a user's data may have other classes
    return [replace(cell, column=column, value=value) for cell in scores for column, value in values.items()]


def _improved(evidence: Evidence, dilations: Sequence[int]) -> Finding:
    return all_of(*(evidence.greater((f"modified-{dilation}", "mean_iou"), (f"baseline-{dilation}", "mean_iou")) for dilation in dilations))


def _best_baseline() -> Maximum:
    return maximum(*((f"baseline-{dilation}", "mean_iou") for dilation in BASELINES))


CLAIMS = (
    Claim(
        "large-improve",
        "Modified models with initial dilation values of 16, 18 and 20 witness noticeable performance improvement",
        "section 4.3.1",
        "the modified models of dilation 16, 18 and 20 each exceed their baseline",
        lambda evidence: _improved(evidence, LARGE),
    ),
    Claim(
        "large-surpass-manual",
        "models with large initial dilation values perform better than the optimal baseline model",
        "section 4.3.1",
        "the modified models of dilation 16, 18 and 20 each exceed every baseline",
        lambda evidence: all_of(*(evidence.greater((f"modified-{dilation}", "mean_iou"), _best_baseline()) for dilation in LARGE)),
    ),
    Claim(
        "small-improve",
        "The modified models with small initial dilation values have improved parsing accuracy",
        "section 4.3.1",
        "the modified models of dilation 4 and 6 each exceed their baseline",
        lambda evidence: _improved(evidence, SMALL),
    ),
    Claim(
        "small-stay-behind",
        "but still perform worse than the best manually designed one",
        "section 4.3.1",
        "neither the modified model of dilation 4 nor that of 6 exceeds the best baseline",
        lambda evidence: all_of(*(not_(evidence.greater((f"modified-{dilation}", "mean_iou"), _best_baseline())) for dilation in SMALL)),
    ),
    Claim(
        "large-shrink",
        "Modified models with initial dilation values of 16, 18 and 20 (...) their receptive fields are regulated to an optimal range",
        "section 4.3.1",
        "only the direction: from each of these dilations f exceeds 1, which shrinks the receptive field; the paper names no optimal range",
        lambda evidence: all_of(*(evidence.greater((f"modified-{dilation}", "f"), 1.0) for dilation in LARGE)),
    ),
    Claim(
        "dilation-12-best",
        "baseline model with dilation value of 12(with best manually selected receptive field)",
        "caption of figure 3",
        "the baseline of dilation 12 exceeds every other baseline",
        lambda evidence: evidence.greater(
            ("baseline-12", "mean_iou"), maximum(*((f"baseline-{dilation}", "mean_iou") for dilation in BASELINES if dilation != 12))
        ),
    ),
)

TABLE = Table("adaptive_rf.table2", cells, CLAIMS, voc_deviations, beside)

"""The confusion matrix that every score derives from, of pixels or of whole pictures, and the scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torchmetrics import Metric


class ConfusionMatrix(Metric):
    """Pixels or pictures by true class (rows) and predicted class (columns), over a whole split and all ranks.

    Own code because torchmetrics' `MeanIoU` averages over images and knows no ignore index, and its confusion matrix forms one-hot
    tensors of a gigabyte an image under deterministic algorithms.

    Args:
        num_classes: background included.
        ignore_index: the label of pixels that count nowhere.
    """

    full_state_update = False
    matrix: Tensor

    def __init__(self, num_classes: int, ignore_index: int = 255) -> None:
        super().__init__()
        self.num_classes, self.ignore_index = num_classes, ignore_index
        self.add_state("matrix", torch.zeros(num_classes, num_classes, dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, prediction: Tensor, mask: Tensor) -> None:
        """Count B H W predicted classes, or B, against as many labels.

        Raises:
            ValueError: they have different shapes, or one of them is no class: it would be counted in another's row.
        """
        if prediction.shape != mask.shape:
            raise ValueError(f"Expected as many predictions as labels, {tuple(mask.shape)}, but got {tuple(prediction.shape)}.")
        counted = mask != self.ignore_index
        truth, found = mask[counted].long(), prediction[counted].long()
        for what, classes in (("labels", truth), ("predictions", found)):
            if len(classes) and not (int(classes.min()) >= 0 and int(classes.max()) < self.num_classes):
                wrong = classes[(classes < 0) | (classes >= self.num_classes)][0]
                raise ValueError(f"Expected {what} to be classes from 0 to {self.num_classes - 1}, but got {int(wrong)}.")
        pairs = truth * self.num_classes + found
        self.matrix += torch.bincount(pairs, minlength=self.num_classes**2).reshape(self.num_classes, self.num_classes)

    def compute(self) -> Tensor:
        """Return the matrix, int64."""
        return self.matrix


def _ratio(numerator: Tensor, denominator: Tensor) -> float | None:
    """Return the quotient, or None where there is nothing to divide by."""
    return float(numerator.double() / denominator.double()) if int(denominator) else None


def segmentation_scores(matrix: Tensor) -> dict[str, float | None]:
    """Return pixel accuracy, mean accuracy, mean IoU and frequency weighted IoU.

    Source: Long et al. 2015, section 5, "Metrics". A class that is in neither labels nor predictions is left out of the means, and
    `classes_counted` says how many were left in.

    Args:
        matrix: C C, true by predicted class.
    """
    matrix = matrix.double()
    hits, truth, predicted = matrix.diag(), matrix.sum(1), matrix.sum(0)
    union = truth + predicted - hits
    iou, accuracy = hits[union > 0] / union[union > 0], hits[truth > 0] / truth[truth > 0]
    return {
        "pixel_accuracy": _ratio(hits.sum(), matrix.sum()),
        "mean_accuracy": float(accuracy.mean()) if len(accuracy) else None,
        "mean_iou": float(iou.mean()) if len(iou) else None,
        "frequency_weighted_iou": _ratio((truth[union > 0] * iou).sum(), matrix.sum()),
        "classes_counted": float(len(iou)),
    }


def classification_scores(matrix: Tensor) -> dict[str, float | None]:
    """Return the accuracy, and its mean over classes that have pictures.

    Args:
        matrix: C C, true by predicted class.
    """
    matrix = matrix.double()
    hits, truth = matrix.diag(), matrix.sum(1)
    each = hits[truth > 0] / truth[truth > 0]
    return {"accuracy": _ratio(hits.sum(), matrix.sum()), "mean_accuracy": float(each.mean()) if len(each) else None}


def f_scores(matrix: Tensor, groups: Mapping[str, Sequence[int]]) -> dict[str, float | None]:
    """Return each group's F, its classes merged: 2 TP / (2 TP + FP + FN) over the pixels of the whole split.

    Args:
        matrix: C C, true by predicted class.
        groups: classes to be merged, by the group's name.
    """
    return {name: overall_f(matrix, [members]) for name, members in groups.items()}


def overall_f(matrix: Tensor, groups: Sequence[Sequence[int]]) -> float | None:
    """Return one F from the true positives, false positives and false negatives of several groups added up.

    Args:
        matrix: C C, true by predicted class.
        groups: classes to be merged; a class may be in several groups and then counts in each.
    """
    hits = both = torch.zeros((), dtype=torch.int64, device=matrix.device)
    for members in groups:
        index = torch.tensor(members, device=matrix.device)
        hits = hits + matrix[index][:, index].sum()
        both = both + matrix[index].sum() + matrix[:, index].sum()
    return _ratio(2 * hits, both)

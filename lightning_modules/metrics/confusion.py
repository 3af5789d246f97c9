"""The confusion matrix of pixels or of whole pictures, and the scores, which are all computed from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torchmetrics import Metric


class ConfusionMatrix(Metric):
    """Number of pixels or pictures by true class (rows) and predicted class (columns), over a whole split and all ranks.

    This is our own code because torchmetrics' `MeanIoU` averages over images and has no ignore index, and because its confusion matrix
    creates one-hot tensors of a gigabyte per image under deterministic algorithms.

    Args:
        num_classes: Number of classes, background included.
        ignore_index: Label of pixels that are not counted.
    """

    full_state_update = False
    matrix: Tensor

    def __init__(self, num_classes: int, ignore_index: int = 255) -> None:
        super().__init__()
        self.num_classes, self.ignore_index = num_classes, ignore_index
        self.add_state("matrix", torch.zeros(num_classes, num_classes, dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, prediction: Tensor, mask: Tensor) -> None:
        """Add predicted classes, B H W or B, and labels of the same shape.

        Raises:
            ValueError: The shapes differ, or a label or a prediction is not a class; it would be counted in a wrong row.
        """
        if prediction.shape != mask.shape:
            raise ValueError(f"Expected predictions in the shape of the labels, {tuple(mask.shape)}, but got {tuple(prediction.shape)}.")
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
    """Return the quotient, or None if the denominator is 0."""
    return float(numerator.double() / denominator.double()) if int(denominator) else None


def segmentation_scores(matrix: Tensor) -> dict[str, float | None]:
    """Return pixel accuracy, mean accuracy, mean IoU and frequency weighted IoU.

    Source: Long et al. 2015, section 5, "Metrics". Mean IoU leaves out classes that are in neither labels nor predictions;
    `classes_counted` is the number of the remaining classes. Mean accuracy leaves out classes that are not in labels.

    Args:
        matrix: Confusion matrix C C, true by predicted class.
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
    """Return the accuracy, and the mean accuracy over classes that have pictures.

    Args:
        matrix: Confusion matrix C C, true by predicted class.
    """
    matrix = matrix.double()
    hits, truth = matrix.diag(), matrix.sum(1)
    each = hits[truth > 0] / truth[truth > 0]
    return {"accuracy": _ratio(hits.sum(), matrix.sum()), "mean_accuracy": float(each.mean()) if len(each) else None}


def f_scores(matrix: Tensor, groups: Mapping[str, Sequence[int]]) -> dict[str, float | None]:
    """Return the F-score of each group of merged classes: 2 TP / (2 TP + FP + FN) over the pixels of the whole split.

    Args:
        matrix: Confusion matrix C C, true by predicted class.
        groups: Classes to merge, by group name.
    """
    return {name: overall_f(matrix, [members]) for name, members in groups.items()}


def overall_f(matrix: Tensor, groups: Sequence[Sequence[int]]) -> float | None:
    """Return one F-score from the summed true positives, false positives and false negatives of several groups.

    Args:
        matrix: Confusion matrix C C, true by predicted class.
        groups: Classes to merge, per group; a class may be in several groups and then counts in each.
    """
    hits = both = torch.zeros((), dtype=torch.int64, device=matrix.device)
    for members in groups:
        index = torch.tensor(members, device=matrix.device)
        hits = hits + matrix[index][:, index].sum()
        both = both + matrix[index].sum() + matrix[:, index].sum()
    return _ratio(2 * hits, both)

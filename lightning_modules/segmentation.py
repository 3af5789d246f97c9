"""Semantic segmentation: the task for every network that labels pixels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from lightning_modules import protocol
from lightning_modules.confusion_task import ConfusionTask
from lightning_modules.example import Example
from lightning_modules.inference import Inference, resized
from lightning_modules.metrics.confusion import f_scores, overall_f, segmentation_scores
from lightning_modules.over_ranks import sum_over_ranks
from lightning_modules.recipe import Optimization

REDUCTIONS = ("batch", "mean", "sum")


class SemanticSegmentation(ConfusionTask):
    """Train a network with cross entropy; evaluate it with one confusion matrix over the split, at the size of the labels.

    Args:
        network: Network that maps B 3 H W to scores B num_classes h w. If it `uses_labels`, it also gets the labels B H W in training.
        num_classes: Number of classes, background included.
        optimization: Optimiser, schedule and groups; None if the network is only evaluated.
        inference: How the evaluation computes scores; see `Task`.
        reduction: Reduction of the cross entropy over labelled pixels. "batch": sum divided by the batch size, as in Wei et al. 2017,
            section 4.2 ("normalized by batch size"). "mean": mean over the pixels of all ranks; if several batches make a step, the mean
            of their means. "sum": sum over the pixels of all ranks and of all batches of a step.
        ignore_index: Label of pixels that count neither in the loss nor in the scores.

    Raises:
        ValueError: `reduction` is unknown.
    """

    label, axes = "mask", "B H W"

    def __init__(
        self,
        network: nn.Module | Mapping[str, Any],
        num_classes: int,
        optimization: Optimization | Mapping[str, Any] | None = None,
        inference: Inference | Mapping[str, Any] | None = None,
        reduction: str = REDUCTIONS[0],
        ignore_index: int = 255,
    ) -> None:
        if reduction not in REDUCTIONS:
            raise ValueError(f"Expected `reduction` to be {' or '.join(map(repr, REDUCTIONS))}, but got {reduction!r}.")
        super().__init__(network, num_classes, optimization, inference, reduction=reduction, ignore_index=ignore_index)
        self.reduction = reduction

    def loss(self, batch: Mapping[str, Any]) -> Tensor:
        """Return the cross entropy of a batch, reduced as `reduction` says."""
        mask: Tensor = batch["mask"]
        guided = protocol.uses_labels(self.network)
        scores: Tensor = self.network(batch["image"], mask) if guided else self(batch["image"])
        scores = resized(self.classes_of(scores), (mask.shape[-2], mask.shape[-1]))
        # Summed here, because torch's own sum over score maps is not deterministic on a GPU.
        total = functional.cross_entropy(scores.float(), mask, ignore_index=self.ignore_index, reduction="none").sum()
        # DDP averages the gradients of ranks. Ranks have equal parts of the batch, so this is the gradient of the whole batch's loss.
        if self.reduction == "batch":
            return total / len(mask)
        world = sum_over_ranks(torch.ones((), device=mask.device))
        if self.reduction == "mean":
            return total * world / sum_over_ranks((mask != self.ignore_index).sum().to(total.dtype)).clamp(min=1)
        return total * world * (self.trainer.accumulate_grad_batches if self._trainer else 1)

    def log_loss(self, loss: Tensor, batch: Mapping[str, Any]) -> None:
        """Log the loss of a step and, if `reduction` is "batch", also the loss per pixel."""
        mask = batch["mask"]
        summed = self.reduction == "batch"
        self.log("train/loss", loss, batch_size=len(mask), prog_bar=not summed)
        if summed:
            self.log("train/loss_per_pixel", loss / mask[0].numel(), batch_size=len(mask), prog_bar=True)

    def outputs(self, batch: Mapping[str, Any]) -> Tensor:
        """Return scores B num_classes H W at the size of the labels; without labels, at the size of the picture."""
        like: Tensor = batch.get("mask", batch["image"])
        return resized(self.classes_of(self.scored(batch["image"])), (like.shape[-2], like.shape[-1]))

    def scores_of(self, matrix: Tensor) -> dict[str, Any]:
        """Return the `segmentation_scores` of a confusion matrix."""
        return segmentation_scores(matrix)

    def results(self, data: Any) -> dict[str, Any]:
        """Return the scores and the F-scores, of each part and over all parts; no F-scores if the data sets `parts = None`."""
        parts, own = {}, {str(index): (index,) for index in range(1, self.num_classes)}
        # Without the data's `parts` or `counted`, take every class but the first, the background.
        merged = getattr(data, "parts", own)
        if merged is not None:
            matrix = self.confusion.cpu()
            parts = {f"f_{part}": value for part, value in f_scores(matrix, merged).items()}
            parts["f_score"] = overall_f(matrix, list(getattr(data, "counted", own).values()))
            parts["f_score_all_foreground"] = overall_f(matrix, list(own.values()))
        return super().results(data) | parts

    def example(self, image: NDArray[np.uint8], label: Tensor, prediction: Tensor, names: tuple[str, ...]) -> Example:
        """Return a picture with its true and its predicted mask."""
        masks = {"ground truth": label.byte().numpy(), "prediction": prediction.byte().numpy()}
        return Example(image, masks=masks, classes=names)

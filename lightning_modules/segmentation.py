"""Semantic segmentation: the task that trains and evaluates every network that labels pixels."""

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
    """Train a network on cross entropy; evaluate it by one confusion matrix over the split, at the labels' own size.

    Args:
        network: B 3 H W to scores B num_classes h w. One that `uses_labels` also gets the labels B H W in training.
        num_classes: background included.
        optimization: optimiser, schedule, groups; None where it is only evaluated.
        inference: how scores are asked for in the evaluation.
        reduction: of the cross entropy over labelled pixels. "batch": their sum over the batch size, as in Wei et al. 2017, section 4.2
            ("normalized by batch size"). "mean": their mean, over all ranks; where several batches make a step, the mean of their means.
            "sum": their sum, over all ranks and batches of a step.
        ignore_index: the label of pixels that count neither in the loss nor in the scores.

    Raises:
        ValueError: the reduction is unknown.
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
        """Return the cross entropy of a batch, reduced."""
        mask: Tensor = batch["mask"]
        guided = protocol.uses_labels(self.network)
        scores: Tensor = self.network(batch["image"], mask) if guided else self(batch["image"])
        scores = resized(self.classes_of(scores), (mask.shape[-2], mask.shape[-1]))
        # Summed here: torch has no deterministic sum of its own on a GPU where scores are maps.
        total = functional.cross_entropy(scores.float(), mask, ignore_index=self.ignore_index, reduction="none").sum()
        # DDP averages the gradients of ranks, which have equal parts of the batch: together they follow the loss of the whole batch.
        if self.reduction == "batch":
            return total / len(mask)
        world = sum_over_ranks(torch.ones((), device=mask.device))
        if self.reduction == "mean":
            return total * world / sum_over_ranks((mask != self.ignore_index).sum().to(total.dtype)).clamp(min=1)
        return total * world * (self.trainer.accumulate_grad_batches if self._trainer else 1)

    def log_loss(self, loss: Tensor, batch: Mapping[str, Any]) -> None:
        """Log the loss of a step and, where it is a sum over a picture, the loss per pixel."""
        mask = batch["mask"]
        summed = self.reduction == "batch"
        self.log("train/loss", loss, batch_size=len(mask), prog_bar=not summed)
        if summed:
            self.log("train/loss_per_pixel", loss / mask[0].numel(), batch_size=len(mask), prog_bar=True)

    def outputs(self, batch: Mapping[str, Any]) -> Tensor:
        """Return scores B num_classes H W at the labels' own size; without labels, at the picture's."""
        like: Tensor = batch.get("mask", batch["image"])
        return resized(self.classes_of(self.scored(batch["image"])), (like.shape[-2], like.shape[-1]))

    def scores_of(self, matrix: Tensor) -> dict[str, Any]:
        """Return `segmentation_scores`."""
        return segmentation_scores(matrix)

    def results(self, data: Any) -> dict[str, Any]:
        """Return the scores and, unless the data says by `parts = None` that it has none, F of parts and over all of them."""
        parts, own = {}, {str(index): (index,) for index in range(1, self.num_classes)}
        # Data that does not say what F is taken of: every class but the first, the background.
        merged = getattr(data, "parts", own)
        if merged is not None:
            matrix = self.confusion.cpu()
            parts = {f"f_{part}": value for part, value in f_scores(matrix, merged).items()}
            parts["f_score"] = overall_f(matrix, list(getattr(data, "counted", own).values()))
            parts["f_score_all_foreground"] = overall_f(matrix, list(own.values()))
        return super().results(data) | parts

    def example(self, image: NDArray[np.uint8], label: Tensor, prediction: Tensor, names: tuple[str, ...]) -> Example:
        """Return a picture, the classes of its pixels, and the predicted ones."""
        masks = {"ground truth": label.byte().numpy(), "prediction": prediction.byte().numpy()}
        return Example(image, masks=masks, classes=names)

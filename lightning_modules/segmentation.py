"""Semantic segmentation: the task that trains and evaluates every network that labels pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from lightning_modules.evaluation import ConfusionTask
from lightning_modules.layers.inflation import InflationFactor
from lightning_modules.metrics.confusion import ConfusionMatrix, segmentation_scores
from lightning_modules.over_ranks import mean_over_ranks


class SemanticSegmentation(ConfusionTask):
    """Train a network on summed cross entropy by SGD; evaluate it by one confusion matrix over the split.

    Source: Wei et al. 2017, section 4.2, for the loss ("normalized by batch size") and the treatment of f.

    Args:
        network: B 3 H W to scores B num_classes h w; a method `trajectory()` of it, where there is one, is logged as the loss is. One that
            `uses_labels` also gets the labels B H W in training.
        num_classes: background included.
        learning_rate: of the summed loss over the batch size; a mean over pixels would take H W times as much.
        momentum: of SGD.
        weight_decay: of every parameter but inflation factors.
        milestones: optimiser steps after which the learning rate is multiplied by `gamma`.
        gamma: the learning rate's factor at a milestone.
        factor_multiplier: learning rate of inflation factors over `learning_rate`.
        factor_start: optimiser steps before inflation factors begin to move.
        factor_clip: the most that the gradient of an inflation factor may be, either way; the paper's trick (a), which names no bound.
        ignore_index: the label of pixels that count neither in the loss nor in the scores.
    """

    def __init__(
        self,
        network: nn.Module,
        num_classes: int,
        learning_rate: float,
        momentum: float = 0.9,
        weight_decay: float = 5e-4,
        milestones: Sequence[int] = (),
        gamma: float = 0.1,
        factor_multiplier: float = 6e4,
        factor_start: int = 0,
        factor_clip: float | None = None,
        ignore_index: int = 255,
    ) -> None:
        super().__init__()
        if factor_clip is not None and not factor_clip > 0:
            raise ValueError(f"Expected `factor_clip` to be positive, but got {factor_clip}.")
        self.save_hyperparameters(ignore=["network"])
        self.network = network
        self.confusion = ConfusionMatrix(num_classes, ignore_index)

    def forward(self, image: Tensor) -> Tensor:
        """B 3 H W to scores B num_classes h w."""
        scores: Tensor = self.network(image)
        return scores

    def _shared_step(self, batch: dict[str, Any], stage: str) -> Tensor:
        """Score a batch at its labels' own size; in training return the loss, in evaluation count into the confusion matrix."""
        mask: Tensor = batch["mask"]
        guided = stage == "train" and getattr(self.network, "uses_labels", False)
        scores: Tensor = self.network(batch["image"], mask) if guided else self(batch["image"])
        if scores.shape[-2:] != mask.shape[-2:]:
            scores = functional.interpolate(scores, size=mask.shape[-2:], mode="bilinear", align_corners=True)
        if stage in ("val", "test"):
            self.confusion.update(scores.argmax(1), mask)
        if stage != "train":
            return scores
        ignored = self.hparams["ignore_index"]
        # DDP averages the gradients of ranks, which have equal parts of the batch: together they follow the loss of the whole batch.
        # Summed here: torch has no deterministic sum of its own on a GPU where scores are maps.
        loss = functional.cross_entropy(scores.float(), mask, ignore_index=ignored, reduction="none").sum() / len(mask)
        whole = mean_over_ranks(loss.detach())
        self.log("train/loss", whole, batch_size=len(mask))
        self.log("train/loss_per_pixel", whole / mask[0].numel(), batch_size=len(mask), prog_bar=True)
        return loss

    def training_step(self, batch: dict[str, Any]) -> Tensor:
        """Return the loss of a batch."""
        return self._shared_step(batch, "train")

    def validation_step(self, batch: dict[str, Any]) -> None:
        """Count a batch."""
        self._shared_step(batch, "val")

    def test_step(self, batch: dict[str, Any]) -> Tensor:
        """Count a batch, and return its scores, B num_classes H W, for callbacks that show them."""
        return self._shared_step(batch, "test")

    def predict_step(self, batch: dict[str, Any]) -> Tensor:
        """Return the class of each pixel at the labels' own size, B H W, as the evaluation counts it."""
        return self._shared_step(batch, "predict").argmax(1)

    def scores(self, matrix: Tensor) -> dict[str, float | None]:
        """Return `segmentation_scores`."""
        return segmentation_scores(matrix)

    def _factors(self) -> list[InflationFactor]:
        return [module for module in self.network.modules() if isinstance(module, InflationFactor)]

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Log f with the gradient that it is about to follow, or hold it still before `factor_start`."""
        for factor in self._factors():
            # Each rank recorded its own, of the scaled loss where the precision is half; f's gradient itself is reduced and unscaled here.
            factor.shares.copy_(mean_over_ranks(factor.shares) / self._loss_scale())
        trajectory: dict[str, float] = getattr(self.network, "trajectory", dict)()
        self.log_dict({f"trajectory/{name}": value for name, value in trajectory.items()})
        bound = self.hparams["factor_clip"]
        for factor in self._factors():
            if bound is not None and factor.value.grad is not None:
                factor.value.grad.clamp_(-bound, bound)
        if self.global_step < self.hparams["factor_start"]:
            for factor in self._factors():
                factor.value.grad = None  # SGD then leaves the value and its momentum alone

    def _loss_scale(self) -> float:
        scaler = getattr(self._trainer.precision_plugin, "scaler", None) if self._trainer else None
        return scaler.get_scale() if scaler else 1.0

    def configure_optimizers(self) -> Any:
        """Return SGD, with inflation factors in a group of their own, and its steps."""
        options = self.hparams
        factors = self._factors()
        learned = {factor.value for factor in factors}
        groups: list[dict[str, Any]] = [{"params": [parameter for parameter in self.network.parameters() if parameter not in learned]}]
        if factors:
            rate = options["learning_rate"] * options["factor_multiplier"]
            groups.append({"params": list(learned), "lr": rate, "weight_decay": 0.0})
        optimizer = torch.optim.SGD(groups, lr=options["learning_rate"], momentum=options["momentum"], weight_decay=options["weight_decay"])
        for factor in factors:
            optimizer.register_step_post_hook(lambda *_, factor=factor: factor.clamp_())
        schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, list(options["milestones"]), options["gamma"])
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

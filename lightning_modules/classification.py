"""Image classification: the task that trains and evaluates every network that labels whole pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from lightning_modules.evaluation import ConfusionTask
from lightning_modules.layers.njet import update_sizes
from lightning_modules.metrics.confusion import ConfusionMatrix, classification_scores
from lightning_modules.over_ranks import mean_over_ranks

OPTIMIZERS = ("sgd", "adam")


class ImageClassification(ConfusionTask):
    """Train a network on cross entropy, the mean over a batch; evaluate it by one confusion matrix over the split.

    N-Jet layers change their size after each step, as their sigma says.
    Not in paper: the optimiser of Pintea et al. 2021. SGD with momentum, and weight decay on every parameter, sigma's among them, is what
    the authors' code does.

    Args:
        network: B C H W to scores B num_classes; a method `trajectory()` of it, where there is one, is logged as the loss is.
        num_classes: of the pictures.
        learning_rate: at the start.
        momentum: of SGD; Adam has its own.
        weight_decay: of every parameter.
        milestones: optimiser steps after which the learning rate is multiplied by `gamma`.
        gamma: the learning rate's factor at a milestone.
        optimizer: one of `OPTIMIZERS`.

    Raises:
        ValueError: the optimiser is unknown.
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
        optimizer: str = OPTIMIZERS[0],
    ) -> None:
        super().__init__()
        if optimizer not in OPTIMIZERS:
            raise ValueError(f"Expected `optimizer` to be one of {', '.join(OPTIMIZERS)}, but got {optimizer!r}.")
        self.save_hyperparameters(ignore=["network"])
        self.network = network
        self.confusion = ConfusionMatrix(num_classes)

    def forward(self, image: Tensor) -> Tensor:
        """B C H W to scores B num_classes."""
        scores: Tensor = self.network(image)
        return scores

    def training_step(self, batch: dict[str, Any]) -> Tensor:
        """Return the loss of a batch."""
        loss = functional.cross_entropy(self(batch["image"]).float(), batch["label"])
        # Ranks have equal parts of the batch: the mean of their means is the batch's, and so are the gradients that DDP averages.
        self.log("train/loss", mean_over_ranks(loss.detach()), batch_size=len(batch["label"]), prog_bar=True)
        return loss

    def validation_step(self, batch: dict[str, Any]) -> None:
        """Count a batch."""
        self._count(batch)

    def test_step(self, batch: dict[str, Any]) -> Tensor:
        """Count a batch, and return its scores, B num_classes, for callbacks that show them."""
        return self._count(batch)

    def _count(self, batch: dict[str, Any]) -> Tensor:
        scores: Tensor = self(batch["image"])
        self.confusion.update(scores.argmax(1), batch["label"])
        return scores

    def predict_step(self, batch: dict[str, Any]) -> Tensor:
        """Return the class of each picture, B."""
        scores: Tensor = self(batch["image"])
        return scores.argmax(1)

    def scores(self, matrix: Tensor) -> dict[str, float | None]:
        """Return `classification_scores`."""
        return classification_scores(matrix)

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Log what the network learns besides weights, with the values that the step's gradients are of."""
        trajectory: dict[str, float] = getattr(self.network, "trajectory", dict)()
        self.log_dict({f"trajectory/{name}": value for name, value in trajectory.items()})

    def configure_optimizers(self) -> Any:
        """Return the optimiser, after whose steps filters follow their sigma, and its schedule."""
        options = self.hparams
        rate, decay = options["learning_rate"], options["weight_decay"]
        optimizer: torch.optim.Optimizer
        if options["optimizer"] == "sgd":
            optimizer = torch.optim.SGD(self.network.parameters(), lr=rate, momentum=options["momentum"], weight_decay=decay)
        else:
            optimizer = torch.optim.Adam(self.network.parameters(), lr=rate, weight_decay=decay)
        optimizer.register_step_post_hook(lambda *_: update_sizes(self.network))
        schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, list(options["milestones"]), options["gamma"])
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

"""Image classification: the task that trains and evaluates every network that labels whole pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from lightning_modules.confusion_task import ConfusionTask
from lightning_modules.example import Example
from lightning_modules.inference import Inference
from lightning_modules.metrics.confusion import classification_scores
from lightning_modules.recipe import Optimization


class ImageClassification(ConfusionTask):
    """Train a network on cross entropy, the mean over a batch; evaluate it by one confusion matrix over the split.

    Args:
        network: B C H W to scores B num_classes.
        num_classes: of the pictures.
        optimization: optimiser, schedule, groups; None where it is only evaluated.
        inference: how scores are asked for in the evaluation.
    """

    axes = "B"

    def __init__(
        self,
        network: nn.Module | Mapping[str, Any],
        num_classes: int,
        optimization: Optimization | Mapping[str, Any] | None = None,
        inference: Inference | Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(network, num_classes, optimization, inference)

    def loss(self, batch: Mapping[str, Any]) -> Tensor:
        """Return the mean cross entropy of a batch."""
        return functional.cross_entropy(self._one_a_picture(self(batch["image"])).float(), batch["label"])

    def outputs(self, batch: Mapping[str, Any]) -> Tensor:
        """Return scores, B num_classes."""
        return self._one_a_picture(self.scored(batch["image"]))

    def _one_a_picture(self, scores: Tensor) -> Tensor:
        if self.classes_of(scores).dim() != 2:
            raise ValueError(f"Expected the network's scores to be B {self.num_classes}, one row a picture, but got {tuple(scores.shape)}.")
        return scores

    def scores_of(self, matrix: Tensor) -> dict[str, Any]:
        """Return `classification_scores`."""
        return classification_scores(matrix)

    def example(self, image: NDArray[np.uint8], label: Tensor, prediction: Tensor, names: tuple[str, ...]) -> Example:
        """Return a picture, its class and the predicted one in words."""
        return Example(image, f"{names[label]}, predicted {names[prediction]}")

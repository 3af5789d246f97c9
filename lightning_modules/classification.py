"""Image classification: the task for every network that labels whole pictures."""

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
    """Train a network with the mean cross entropy of a batch; evaluate it with one confusion matrix over the split.

    Args:
        network: Network that maps B C H W to scores B num_classes.
        num_classes: Number of classes.
        optimization: Optimiser, schedule and groups; None if the network is only evaluated.
        inference: How the evaluation computes scores; see `Task`.
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
            raise ValueError(
                f"Expected the network's scores to be B {self.num_classes}, one row per picture, but got {tuple(scores.shape)}."
            )
        return scores

    def scores_of(self, matrix: Tensor) -> dict[str, Any]:
        """Return the `classification_scores` of a confusion matrix."""
        return classification_scores(matrix)

    def example(self, image: NDArray[np.uint8], label: Tensor, prediction: Tensor, names: tuple[str, ...]) -> Example:
        """Return a picture with a caption that names its true and its predicted class."""
        return Example(image, f"{names[label]}, predicted {names[prediction]}")

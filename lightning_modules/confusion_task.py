"""The base class of tasks that are evaluated with a confusion matrix: each pixel or each picture has one class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from lightning_modules.example import Example, pictures_of
from lightning_modules.inference import Inference
from lightning_modules.metrics.confusion import ConfusionMatrix
from lightning_modules.recipe import Optimization
from lightning_modules.task import Task


class ConfusionTask(Task):
    """A task whose metric is one confusion matrix over the split; the matrix stays in `confusion`.

    A subclass defines the `axes` of its labels, `loss`, `outputs` (B classes ...), `scores_of` and `example`.

    Args:
        network: Network to train.
        num_classes: Number of classes of labels and scores.
        optimization: Optimiser, schedule and groups; see `Task`.
        inference: How the evaluation computes scores; see `Task`.
        options: Options of the subclass; the option `ignore_index` is the label that is not counted.
    """

    axes: ClassVar[str]  # axes of the labels, in letters
    confusion: Tensor

    def __init__(
        self,
        network: nn.Module | Mapping[str, Any],
        num_classes: int,
        optimization: Optimization | Mapping[str, Any] | None = None,
        inference: Inference | Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(network, optimization, inference, num_classes=num_classes, **options)
        self.num_classes, self.ignore_index = num_classes, int(options.get("ignore_index", -1))
        self.metric = ConfusionMatrix(num_classes, self.ignore_index)

    def check(self, batch: Mapping[str, Any]) -> None:
        """Check that labels have the right shape and are known classes; see `Task`."""
        super().check(batch)
        labels, image = batch.get(self.label), batch["image"]
        if labels is None:  # a prediction needs no labels
            return
        if labels.dim() != len(self.axes.split()) or len(labels) != len(image):
            raise ValueError(
                f"Expected `{self.label}` of a batch to be {self.axes} with the same B as `image`, {len(image)}, "
                f"but got shape {tuple(labels.shape)}."
            )
        if labels.is_floating_point():
            raise ValueError(f"Expected `{self.label}` of a batch to be whole numbers, but got {labels.dtype}; convert it by `.long()`.")
        if not self.looks(labels):
            return
        beyond = labels[(labels != self.ignore_index) & ((labels < 0) | (labels >= self.num_classes))]
        if len(beyond):
            raise ValueError(
                f"Expected `{self.label}` of a batch to hold classes from 0 to {self.num_classes - 1}, or {self.ignore_index} if "
                f"ignored, but got {int(beyond[0])}."
            )

    def classes_of(self, scores: Tensor) -> Tensor:
        """Return scores, B classes ..., after checking their number of classes.

        Raises:
            ValueError: The number of classes is wrong; the confusion matrix would count in wrong rows.
        """
        if scores.dim() < 2 or scores.shape[1] != self.num_classes:
            raise ValueError(
                f"Expected the network's scores to have {self.num_classes} channels, one per class, but got shape {tuple(scores.shape)}; "
                "correct the network's `num_classes`, or the data's."
            )
        return scores

    def update(self, outputs: Tensor, batch: Mapping[str, Any]) -> None:
        """Update the confusion matrix with the classes of the highest scores."""
        self.metric.update(self.predicted(outputs), batch[self.label])

    def predicted(self, outputs: Tensor) -> Tensor:
        """Return the class of the highest score: B classes ... to B ..."""
        return outputs.argmax(1)

    def scores(self, computed: Tensor) -> dict[str, Any]:
        """Store the confusion matrix, true by predicted class, in `confusion`, and return its scores."""
        self.confusion = computed.clone()
        return self.scores_of(computed)

    def scores_of(self, matrix: Tensor) -> dict[str, Any]:
        """Return the scores of a confusion matrix."""
        raise NotImplementedError(f"{type(self).__name__} has no `scores_of`.")

    def kept(self) -> dict[str, Any]:
        """Return the confusion matrix, true by predicted class, and the number of labelled pixels or pictures in it."""
        return {"confusion": self.confusion.cpu().tolist(), "counted": int(self.confusion.sum())}

    def examples(self, batch: Mapping[str, Any], outputs: Tensor, data: Any, number: int) -> Sequence[Example]:
        """Return the first `number` pictures with their labels and predictions; see `Task`."""
        names, images = names_of(data, self.num_classes), pictures_of(data, batch["image"][:number])
        labels, found = batch[self.label][:number].cpu(), self.predicted(outputs[:number]).cpu()
        return [self.example(image, label, each, names) for image, label, each in zip(images, labels, found, strict=True)]

    def example(self, image: NDArray[np.uint8], label: Tensor, prediction: Tensor, names: tuple[str, ...]) -> Example:
        """Return one picture with its label and its prediction; `names` are the names of the classes."""
        raise NotImplementedError(f"{type(self).__name__} has no `example`.")


def names_of(data: Any, number: int) -> tuple[str, ...]:
    """Return the class names of a datamodule; numbered names if it has none."""
    return tuple(getattr(data, "classes", ())) or tuple(f"class {index}" for index in range(number))

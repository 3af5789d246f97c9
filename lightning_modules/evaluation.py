"""What every task does with the confusion matrix of a split."""

from __future__ import annotations

from lightning.pytorch import LightningModule
from torch import Tensor

from lightning_modules.metrics.confusion import ConfusionMatrix


class ConfusionTask(LightningModule):
    """A task whose evaluation counts into `confusion`; at a split's end its scores are logged, and the matrix stays in `last_confusion`."""

    confusion: ConfusionMatrix
    last_confusion: Tensor
    last_images: Tensor

    def scores(self, matrix: Tensor) -> dict[str, float | None]:
        """Return what is logged of a confusion matrix, true by predicted class."""
        raise NotImplementedError

    def on_validation_epoch_end(self) -> None:
        """Log the scores of the split."""
        self._log_scores("val")

    def on_test_epoch_end(self) -> None:
        """Log the scores of the split."""
        self._log_scores("test")

    def _log_scores(self, stage: str) -> None:
        self.last_confusion, self.last_images = self.confusion.compute()
        self.confusion.reset()
        # The matrix is every rank's: nothing is left to be reduced, but Lightning warns where it is not said.
        scores = {f"{stage}/{name}": value for name, value in self.scores(self.last_confusion).items() if value is not None}
        self.log_dict(scores, sync_dist=True)

"""The base class of all tasks: train a network with the parts of a recipe, and evaluate it with the task's metric."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torchmetrics import Metric

from lightning_modules import protocol
from lightning_modules.example import Example
from lightning_modules.hyperparameters import built, described, made, plain
from lightning_modules.inference import Inference
from lightning_modules.optimization import Treatment, freeze, optimizer_of, schedule_of, treatments
from lightning_modules.over_ranks import mean_over_ranks
from lightning_modules.recipe import Optimization


class Count(Metric):
    """Number of samples in an evaluation, over all ranks."""

    full_state_update = False
    samples: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("samples", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, samples: int) -> None:
        """Add the number of samples in a batch."""
        self.samples += samples

    def compute(self) -> Tensor:
        """Return the number of samples, int64."""
        return self.samples


class Task(LightningModule):
    """Train a network and evaluate it; subclasses define the loss and the metric.

    A subclass sets `metric`, a metric of torchmetrics, and overrides `loss`, `outputs`, `update` and `scores`. It may also override
    `check`, `predicted`, `examples` and `kept`. Batches are dicts with `image`, B C H W; the other keys depend on the task.

    Args:
        network: Network to train; see `protocol` for its optional methods.
        optimization: Optimiser, schedule and groups; None if the network is only evaluated.
        inference: How the evaluation computes scores; None for one forward pass of the unchanged picture.
        options: Options of the subclass, stored as hyperparameters.

    All arguments are stored as hyperparameters, as plain values. `__init__` also accepts these plain values, so `load_from_checkpoint`
    needs only the path, unless the network is not in `lightning_modules.networks`.

    Raises:
        ValueError: The network cannot be built from its hyperparameters.
    """

    metric: Metric
    label: ClassVar[str] = "label"  # key of the labels in a batch

    def __init__(
        self,
        network: nn.Module | Mapping[str, Any],
        optimization: Optimization | Mapping[str, Any] | None = None,
        inference: Inference | Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        super().__init__()
        self.network: nn.Module = built(network)
        self.optimization: Optimization | None = made(optimization) if isinstance(optimization, Mapping) else optimization
        self.inference: Inference = (made(inference) if isinstance(inference, Mapping) else inference) or Inference()
        recipe = {"optimization": plain(optimization), "inference": plain(inference)}
        self.save_hyperparameters({**options, "network": described(self.network), **recipe})
        self.counted = Count()
        self.measured: dict[str, Any] = {}
        self.samples = 0
        self._losses: list[Tensor] = []
        self._treated: dict[Treatment, list[nn.Parameter]] = {}
        self.seen: Callable[[Tensor], Tensor] | None = None  # converts the data's preprocessing to the network's, if they differ
        self.memory_format = torch.preserve_format
        freeze(self.network, self.optimization.frozen if self.optimization else ())

    # What a subclass may override.

    def loss(self, batch: Mapping[str, Any]) -> Tensor:
        """Return the loss of a batch, a scalar."""
        raise NotImplementedError(f"{type(self).__name__} has no `loss`.")

    def outputs(self, batch: Mapping[str, Any]) -> Tensor:
        """Return the network's outputs for a batch, in the form that `update` takes."""
        return self.scored(batch["image"])

    def update(self, outputs: Tensor, batch: Mapping[str, Any]) -> None:
        """Update the metric with a batch."""
        self.metric.update(outputs, batch[self.label])

    def scores(self, computed: Any) -> dict[str, Any]:
        """Return the scores of a split by name, from what the metric computed; a score is None if there was nothing to measure."""
        return {name: float(value) for name, value in computed.items()}

    def results(self, data: Any) -> dict[str, Any]:
        """Return the scores of the last evaluation, and the network's learned values and sizes; see `protocol`.

        Args:
            data: Datamodule; it may define how classes are merged and which shape pictures have.
        """
        found = self.measured | protocol.learned(self.network)
        shape = getattr(data, "shape", None)
        return found | (protocol.sizes(self.network, tuple(shape)) if shape is not None else {})

    def kept(self) -> dict[str, Any]:
        """Return plain values that a run's result stores beside its scores, so that other scores can be computed from them later."""
        return {}

    def check(self, batch: Mapping[str, Any]) -> None:
        """Check shape and content of a batch before it is used.

        Checking the content of a tensor waits for the GPU, so it is done only if `looks` returns true.

        Raises:
            ValueError: A tensor of the batch has the wrong shape or content.
        """
        image = batch["image"]
        if image.dim() != 4:
            raise ValueError(f"Expected `image` of a batch to be B C H W, but got shape {tuple(image.shape)}: {image.dim()} axes, not 4.")

    def looks(self, tensor: Tensor) -> bool:
        """Return whether to check the content of a batch's tensor: on a GPU only in evaluations and before a training's first step."""
        return tensor.device.type == "cpu" or not self.training or not self._treated

    def predicted(self, outputs: Tensor) -> Tensor:
        """Return the prediction, from `outputs`."""
        return outputs

    def examples(self, batch: Mapping[str, Any], outputs: Tensor, data: Any, number: int) -> Sequence[Example]:
        """Return the first `number` samples of an evaluation batch as examples to look at."""
        return []

    # What all tasks share.

    def forward(self, image: Tensor) -> Tensor:
        """Return the network's scores for pictures B C H W."""
        scores: Tensor = self.network(image)
        return scores

    def scored(self, image: Tensor) -> Tensor:
        """Return the evaluation's scores for pictures B C H W, computed by `inference`."""
        return self.inference(self, image)

    def setup(self, stage: str) -> None:
        """Put the weights into the network's memory format; here, because the device is known now."""
        self.memory_format = protocol.memory_format(self.network, self.trainer.strategy.root_device)
        self.network.to(memory_format=self.memory_format)  # type: ignore[call-overload]  # torch's annotations lack this overload

    def teardown(self, stage: str) -> None:
        """Put the weights back into torch's own format: the trained task then computes exactly what one from its checkpoint does."""
        if self.memory_format is torch.channels_last:
            self.network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]  # as in `setup`
        self.memory_format = torch.preserve_format

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Set frozen normalisation layers to evaluation mode; per batch, because layers may be set to training mode or replaced."""
        for name in self.optimization.frozen if self.optimization else ():
            for norm in protocol.named_norms(self.network, name):
                norm.eval()

    def _as_seen(self, batch: Mapping[str, Any]) -> Mapping[str, Any]:
        image = batch["image"] if self.seen is None else self.seen(batch["image"])
        return {**batch, "image": image.to(memory_format=self.memory_format)}

    def training_step(self, batch: dict[str, Any]) -> Tensor:
        """Return the loss of a batch."""
        self.check(batch)
        loss = self.loss(self._as_seen(batch))
        # If several batches make one step, their mean is logged. Ranks have equal parts of a batch, so the mean of their means is the
        # mean of the batch.
        self._losses.append(mean_over_ranks(loss.detach()))
        trainer = self._trainer
        if trainer is None or len(self._losses) == trainer.accumulate_grad_batches or trainer.is_last_batch:
            self.log_loss(torch.stack(self._losses).mean() if len(self._losses) > 1 else self._losses[0], batch)
            self._losses.clear()
        return loss

    def log_loss(self, loss: Tensor, batch: Mapping[str, Any]) -> None:
        """Log the loss of a step."""
        self.log("train/loss", loss, batch_size=len(batch["image"]), prog_bar=True)

    def validation_step(self, batch: dict[str, Any], batch_idx: int = 0) -> None:
        """Update the metric with a batch."""
        self._count(batch, batch_idx)

    def test_step(self, batch: dict[str, Any], batch_idx: int = 0) -> Tensor:
        """Update the metric with a batch, and return the network's outputs for callbacks that show them."""
        return self._count(batch, batch_idx)

    def _count(self, batch: dict[str, Any], batch_idx: int) -> Tensor:
        outputs = self._finite_outputs(batch, batch_idx)
        self.update(outputs, batch)
        self.counted.update(len(batch["image"]))
        return outputs

    def predict_step(self, batch: dict[str, Any], batch_idx: int = 0) -> Tensor:
        """Return the prediction for a batch; the batch needs no labels."""
        return self.predicted(self._finite_outputs(batch, batch_idx))

    def _finite_outputs(self, batch: dict[str, Any], batch_idx: int) -> Tensor:
        """Return the outputs for a batch of an evaluation.

        Raises:
            FloatingPointError: An output is not finite; `argmax` would hide that.
        """
        self.check(batch)
        outputs = self.outputs(self._as_seen(batch))
        finite = torch.isfinite(outputs)
        if not finite.all():
            first = int((~finite).nonzero()[0][0])
            names = batch.get("name")
            named = "" if names is None else f", {names[first]!r}"
            raise FloatingPointError(
                f"Expected finite outputs of the network, but {int((~finite).sum()):,} of {finite.numel():,} in batch {batch_idx} are not, "
                f"the first in its image {first}{named}; its weights may not be finite: lower the learning rate."
            )
        return outputs

    def on_validation_epoch_end(self) -> None:
        """Log the scores of the split."""
        self._finish("val")

    def on_test_epoch_end(self) -> None:
        """Log the scores of the split."""
        self._finish("test")

    def _finish(self, stage: str) -> None:
        self.measured, self.samples = self.scores(self.metric.compute()), int(self.counted.compute())
        self.metric.reset()
        self.counted.reset()
        # The metric is already the same on all ranks. `sync_dist` changes nothing, but Lightning warns without it.
        shown = {f"{stage}/{name}": value for name, value in self.measured.items() if isinstance(value, int | float)}
        self.log_dict(shown, sync_dist=True)

    def on_before_zero_grad(self, optimizer: torch.optim.Optimizer) -> None:
        """Call `protocol.before_gradients`; this also happens after a step that half precision skipped."""
        protocol.before_gradients(self.network)

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Log the values that the network learns beside its weights, with this step's gradients; then drop and clip gradients."""
        assert self.optimization is not None
        scaler = getattr(self._trainer.precision_plugin, "scaler", None) if self._trainer else None
        protocol.before_step(self.network, scaler.get_scale() if scaler else 1.0)
        values = protocol.trajectory(self.network)
        protocol.check_bounds(self.network, values)
        self.log_dict({f"trajectory/{name}": value for name, value in values.items()})
        self._treated = self._treated or treatments(self.network, self.optimization.groups)
        for treatment, parameters in self._treated.items():
            for parameter in parameters:
                if parameter.grad is None:
                    continue
                if treatment.clip is not None:
                    parameter.grad.clamp_(-treatment.clip, treatment.clip)
                if self.global_step < (treatment.start or 0):
                    parameter.grad = None  # the optimiser then changes neither the value nor its momentum
        if self.optimization.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.optimization.clip_norm)

    def configure_optimizers(self) -> Any:
        """Return the optimiser and its schedule; after each step the optimiser calls `protocol.after_step`."""
        if self.optimization is None:
            return None
        optimizer = optimizer_of(self.network, self.optimization)
        optimizer.register_step_post_hook(lambda *_: protocol.after_step(self.network))
        steps = self.trainer.max_steps if self._trainer else -1
        schedule = schedule_of(optimizer, self.optimization.schedule, steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

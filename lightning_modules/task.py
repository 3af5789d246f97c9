"""What every task does: a network, trained by a recipe's parts and evaluated by its own metrics."""

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
    """How many samples an evaluation saw, over all ranks."""

    full_state_update = False
    samples: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("samples", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, samples: int) -> None:
        """Count a batch."""
        self.samples += samples

    def compute(self) -> Tensor:
        """Return the number of samples, int64."""
        return self.samples


class Task(LightningModule):
    """Train a network and evaluate it; a task of its own says by which loss and by which metric.

    A task has a `metric` of torchmetrics, and overrides `loss`, `outputs`, `update` and `scores`; `check`, `predicted`, `examples` and
    `kept` where it has something to say. Batches are dicts with `image`, B C H W; the rest is the task's.

    Args:
        network: what is trained; see `protocol` for what it may say of itself.
        optimization: how; None where it is only evaluated.
        inference: how the network is asked for its scores when it is evaluated; None for once, as it is.
        options: of the task, kept as hyperparameters.

    All of these are hyperparameters, as plain values, and plain values are taken as well: `load_from_checkpoint` needs no more than the
    path, unless the network is not one of `lightning_modules.networks`.

    Raises:
        ValueError: the network cannot be built from its hyperparameters.
    """

    metric: Metric
    label: ClassVar[str] = "label"  # the key of a batch that has what is to be predicted

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
        self.seen: Callable[[Tensor], Tensor] | None = None  # how pictures are brought to the network, where not as the data has them
        freeze(self.network, self.optimization.frozen if self.optimization else ())

    # What a task says of itself.

    def loss(self, batch: Mapping[str, Any]) -> Tensor:
        """Return the loss of a batch, a scalar."""
        raise NotImplementedError(f"{type(self).__name__} has no `loss`.")

    def outputs(self, batch: Mapping[str, Any]) -> Tensor:
        """Return what the network makes of a batch, as the metric takes it."""
        return self.scored(batch["image"])

    def update(self, outputs: Tensor, batch: Mapping[str, Any]) -> None:
        """Count a batch into the metric."""
        self.metric.update(outputs, batch[self.label])

    def scores(self, computed: Any) -> dict[str, Any]:
        """Return the numbers of a split by name, from what the metric computed; None where there is nothing to be measured."""
        return {name: float(value) for name, value in computed.items()}

    def results(self, data: Any) -> dict[str, Any]:
        """Return what the last evaluation measured, and what the network has learned beside its weights.

        Args:
            data: the datamodule, which may say more of the scores: how classes are merged, which shape pictures have.
        """
        found = self.measured | protocol.learned(self.network)
        shape = getattr(data, "shape", None)
        return found | (protocol.sizes(self.network, tuple(shape)) if shape is not None else {})

    def kept(self) -> dict[str, Any]:
        """Return plain values that a run's result holds beside its numbers, so that others can be had of them."""
        return {}

    def check(self, batch: Mapping[str, Any]) -> None:
        """Refuse a batch that the task would misread, before it is computed with.

        To look into a tensor, a GPU has to be waited for: content is looked at where `looks` says so.

        Raises:
            ValueError: a tensor of it has the wrong shape or content.
        """
        image = batch["image"]
        if image.dim() != 4:
            raise ValueError(f"Expected `image` of a batch to be B C H W, but got shape {tuple(image.shape)}: {image.dim()} axes, not 4.")

    def looks(self, tensor: Tensor) -> bool:
        """Whether the content of a tensor of a batch is looked at: on a GPU in evaluations and in the first batch of a training."""
        return tensor.device.type == "cpu" or not self.training or not self._treated

    def predicted(self, outputs: Tensor) -> Tensor:
        """Return what is predicted, from `outputs`."""
        return outputs

    def examples(self, batch: Mapping[str, Any], outputs: Tensor, data: Any, number: int) -> Sequence[Example]:
        """Return the first samples of a batch of the evaluation as pictures to be looked at."""
        return []

    # What all tasks do.

    def forward(self, image: Tensor) -> Tensor:
        """Return the network's scores of pictures B C H W."""
        scores: Tensor = self.network(image)
        return scores

    def scored(self, image: Tensor) -> Tensor:
        """Return the scores of pictures B C H W as the evaluation asks for them."""
        return self.inference(self, image)

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Let frozen normalisations keep their statistics, whoever put the network into training, or other ones in their place."""
        for name in self.optimization.frozen if self.optimization else ():
            for norm in protocol.named_norms(self.network, name):
                norm.eval()

    def _as_seen(self, batch: Mapping[str, Any]) -> Mapping[str, Any]:
        return batch if self.seen is None else {**batch, "image": self.seen(batch["image"])}

    def training_step(self, batch: dict[str, Any]) -> Tensor:
        """Return the loss of a batch."""
        self.check(batch)
        loss = self.loss(self._as_seen(batch))
        # Of several batches that make one step the log has the mean. Ranks have equal parts of the batch: the mean of their means is its
        # own.
        self._losses.append(mean_over_ranks(loss.detach()))
        trainer = self._trainer
        if trainer is None or len(self._losses) == trainer.accumulate_grad_batches or trainer.is_last_batch:
            self.log_loss(torch.stack(self._losses).mean() if len(self._losses) > 1 else self._losses[0], batch)
            self._losses.clear()
        return loss

    def log_loss(self, loss: Tensor, batch: Mapping[str, Any]) -> None:
        """Log the loss of a step."""
        self.log("train/loss", loss, batch_size=len(batch["image"]), prog_bar=True)

    def validation_step(self, batch: dict[str, Any]) -> None:
        """Count a batch."""
        self._count(batch)

    def test_step(self, batch: dict[str, Any]) -> Tensor:
        """Count a batch, and return the network's outputs for callbacks that show them."""
        return self._count(batch)

    def _count(self, batch: dict[str, Any]) -> Tensor:
        self.check(batch)
        outputs = self.outputs(self._as_seen(batch))
        self.update(outputs, batch)
        self.counted.update(len(batch["image"]))
        return outputs

    def predict_step(self, batch: dict[str, Any]) -> Tensor:
        """Return what is predicted for a batch; it needs no labels."""
        self.check(batch)
        return self.predicted(self.outputs(self._as_seen(batch)))

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
        # The metric is every rank's: nothing is left to be reduced, but Lightning warns where it is not said.
        shown = {f"{stage}/{name}": value for name, value in self.measured.items() if isinstance(value, int | float)}
        self.log_dict(shown, sync_dist=True)

    def on_before_zero_grad(self, optimizer: torch.optim.Optimizer) -> None:
        """Tell the network that the gradients of another step come, also after one that half precision left out."""
        protocol.before_gradients(self.network)

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Log what the network learns besides weights, with the gradients that it is about to follow; hold and clip these."""
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
                    parameter.grad = None  # the optimiser then leaves the value and its momentum alone
        if self.optimization.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.optimization.clip_norm)

    def configure_optimizers(self) -> Any:
        """Return the optimiser, after whose steps the network's parts look after themselves, and its schedule."""
        if self.optimization is None:
            return None
        optimizer = optimizer_of(self.network, self.optimization)
        optimizer.register_step_post_hook(lambda *_: protocol.after_step(self.network))
        steps = self.trainer.max_steps if self._trainer else -1
        schedule = schedule_of(optimizer, self.optimization.schedule, steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

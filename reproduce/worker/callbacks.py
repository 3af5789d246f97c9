"""Logger and callbacks of a job's Trainer: curves, progress, RNG states, checkpoints, and a resumable stop."""

from __future__ import annotations

import json
import random
import re
import signal
import time
from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers.logger import Logger
from lightning.pytorch.utilities import rank_zero_only

from lightning_modules import protocol
from reproduce.jobs.store import write_atomically
from reproduce.wandb_.mirror import Mirror
from reproduce.worker.checkpoints import checkpoint_path, checkpoints, remove


class JsonLines(Logger):
    """Write metrics to `metrics.jsonl`, one line per `every` steps, and mirror them.

    A resumed run drops the lines of steps that it repeats. The lines depend on the steps alone, not on interruptions.
    """

    def __init__(self, path: Path, mirror: Mirror, every: int, steps: int) -> None:
        super().__init__()
        self.path, self.mirror, self.every, self.steps = path, mirror, every, steps

    @property
    def name(self) -> str:
        """Lightning's name for the logger."""
        return "jsonl"

    @property
    def version(self) -> str:
        """Constant version, because there is one file per run."""
        return "0"

    @rank_zero_only
    def truncate(self, step: int) -> None:
        """Keep the lines before `step`; drop also a line that a crash cut short."""
        if not self.path.exists():
            return
        kept = []
        for line in self.path.read_text().splitlines():
            try:
                if json.loads(line)["step"] < step:
                    kept.append(line)
            except json.JSONDecodeError:
                break
        write_atomically(self.path, "".join(f"{line}\n" for line in kept))

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Append a line of an evaluation, or of every `every`-th training step.

        Lightning also logs the step at which a training is stopped. Such a line would make the curve depend on interruptions.
        """
        line = {"step": step} | {name: value for name, value in metrics.items() if name != "epoch"}
        if all(name.startswith(("test/", "val/")) for name in line if name != "step"):
            line["step"] = self.steps  # Lightning's step is one less after a resume from the last step's checkpoint
        elif step is None or (step + 1) % self.every:
            return
        with self.path.open("a") as file:
            file.write(json.dumps(line) + "\n")
        self.mirror.line(line)

    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Do nothing, because `job.json` contains them."""


class Progress(Callback):
    """Write `progress.json` about twice per second for the display, and keep the seconds of each stage for forecasts."""

    def __init__(self, path: Path, steps: int) -> None:
        self.path, self.steps, self.last = path, steps, 0.0
        self.begun = time.monotonic()
        self.ends: list[float] = []
        self.timing: dict[str, float] = {}
        self.marks: dict[str, Any] = {}  # written with every state

    @rank_zero_only
    def write(self, stage: str, **values: Any) -> None:
        """Write a state immediately."""
        self.last = time.monotonic()
        write_atomically(self.path, json.dumps({"stage": stage, "steps": self.steps, **self.marks, **values}))

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Store the seconds until the data was ready."""
        self.timing["data_seconds"] = time.monotonic() - self.begun

    def prepared(self, done: int, total: int) -> None:
        """Write how much of the data is prepared."""
        if time.monotonic() - self.last > 0.5:
            self.write(f"data {done}/{total}")

    @rank_zero_only
    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Write the step and the loss."""
        if whole_step(trainer, batch_idx):
            self._stepped(trainer)

    def _stepped(self, trainer: Trainer) -> None:
        # End times of the first and the latest step; the first step does not count, because it includes setup that happens once.
        self.ends = [*self.ends[:1], time.monotonic()]
        self.timing["steps"] = self.timing.get("steps", -1) + 1
        if time.monotonic() - self.last > 0.5 or trainer.global_step == self.steps:
            self.write("train", step=trainer.global_step, **self._losses(trainer))

    def _losses(self, trainer: Trainer) -> dict[str, float]:
        """Return the loss to show: the loss per pixel if it is logged, because a sum over pixels says nothing."""
        metrics = trainer.callback_metrics
        name = "loss_per_pixel" if "train/loss_per_pixel" in metrics else "loss"
        return {name: float(metrics[f"train/{name}"])}

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Store the seconds per step."""
        if self.timing.get("steps"):
            self.timing["step_seconds"] = (self.ends[-1] - self.ends[0]) / self.timing["steps"]

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Store the start time of the evaluation."""
        self.timing.setdefault("data_seconds", time.monotonic() - self.begun)
        self.begun = time.monotonic()

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Store the seconds of the evaluation and the evaluated share; a probe evaluates only a part."""
        self.timing["test_seconds"] = time.monotonic() - self.begun
        self.timing["test_share"] = sum(trainer.num_test_batches) / len(trainer.test_dataloaders)  # type: ignore[arg-type, operator]  # one loader

    @rank_zero_only
    def on_test_batch_end(self, trainer: Trainer, *args: Any) -> None:
        """Write that the evaluation is running."""
        if time.monotonic() - self.last > 0.5:
            self.write("test", step=trainer.global_step)


class Mirrored(Callback):
    """Start a job's mirror when its training starts, and pass it the first samples of the evaluation."""

    def __init__(self, mirror: Mirror) -> None:
        self.mirror = mirror

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the mirror; the lines of repeated steps are already dropped."""
        self.mirror.begin()

    def on_test_batch_end(self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, *args: Any) -> None:
        """Pass the task's examples of a batch to the mirror."""
        if self.mirror.wanted and hasattr(pl_module, "examples"):
            task: Any = pl_module
            self.mirror.keep(task.examples(batch, outputs, trainer.datamodule, self.mirror.wanted))  # type: ignore[attr-defined]


class RandomStates(Callback):
    """Checkpoint RNG states, as plain types, so that a resumed run equals an uninterrupted one.

    With several ranks, no RNG state is saved. Each rank is seeded again at every step, from the job's seed, its rank and the step.
    """

    def __init__(self, seed: int) -> None:
        self.seed, self.alone = seed, True
        self.restored: dict[str, Any] = {}

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Store whether this rank is the only one."""
        self.alone = trainer.world_size == 1

    def state_dict(self) -> dict[str, Any]:
        """Return the RNG states of torch, its CUDA devices, numpy and Python."""
        if not self.alone:
            return {}
        name, keys, *rest = np.random.get_state(legacy=True)
        return {
            "torch": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
            "numpy": [name, np.asarray(keys).tolist(), *rest],
            "python": list(random.getstate()),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Keep the states until the first step, because Lightning draws random numbers before it."""
        self.restored = state_dict

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Restore the states before the first step, or with several ranks seed every step."""
        if not self.alone:
            part = batch_idx % trainer.accumulate_grad_batches
            source = np.random.SeedSequence((self.seed, trainer.global_rank, trainer.global_step, *([part] if part else [])))
            torch.manual_seed(int(source.generate_state(1)[0]))
            return
        if not self.restored:
            return
        states, self.restored = self.restored, {}
        torch.set_rng_state(states["torch"])
        if torch.cuda.is_available() and len(states["cuda"]) == torch.cuda.device_count():
            torch.cuda.set_rng_state_all(states["cuda"])
        name, keys, *rest = states["numpy"]
        np.random.set_state((name, np.array(keys, dtype=np.uint32), *rest))
        version, internal, gauss = states["python"]
        random.setstate((version, tuple(internal), gauss))


class ResumableStop(Callback):
    """Stop after `steps` further steps, or on SIGTERM, with a checkpoint from which the same command resumes."""

    def __init__(self, folder: Path, steps: int) -> None:
        self.folder, self.steps, self.begun, self.asked = folder, steps, 0, False

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Store the first step of this process, and handle SIGTERM."""
        self.begun = trainer.global_step
        signal.signal(signal.SIGTERM, self._ask)

    def _ask(self, *_: Any) -> None:
        self.asked = True

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Stop if a stop is due; all ranks stop at the same step, even if the signal reached only one rank."""
        due = self.asked or 0 < self.steps <= trainer.global_step - self.begun
        # Never stop between the parts of a step, because a checkpoint does not contain their gradients.
        if whole_step(trainer, batch_idx) and trainer.strategy.reduce_boolean_decision(due, all=False):
            trainer.should_stop = True

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the checkpoint of the last step, whatever ended the training."""
        path = checkpoint_path(self.folder, trainer.global_step)
        if not trainer.strategy.broadcast(path.exists()):  # the first rank decides: all save, or none
            trainer.save_checkpoint(path)
        if trainer.is_global_zero:
            for old in checkpoints(self.folder)[2:]:
                remove(old)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # later work restarts from this checkpoint: SIGTERM may kill at once


class Checkpoints(ModelCheckpoint):
    """Save a checkpoint every `every` steps and keep the two newest; save none between the parts of a step, as it could not be resumed."""

    CHECKPOINT_EQUALS_CHAR = "-"

    def __init__(self, folder: Path, every: int) -> None:
        super().__init__(
            folder, "{step:08d}", monitor="step", mode="max", save_top_k=2, every_n_train_steps=every, save_on_train_epoch_end=False
        )

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Store the step from which the training resumes; its checkpoint already exists."""
        super().on_train_start(trainer, pl_module)
        self._last_global_step_saved = trainer.global_step

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Save only after a complete step."""
        if whole_step(trainer, batch_idx):
            super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)


class FiniteLoss(Callback):
    """Stop a training when its loss is not finite; the message gives the step and the learned quantities."""

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Check the loss of every batch, as the mean over ranks, so that all ranks stop."""
        loss = trainer.strategy.reduce(outputs["loss"].detach().clone(), reduce_op="mean")
        if torch.isfinite(loss):
            return
        learned = ""
        for quantity in protocol.quantities(pl_module.network):  # type: ignore[arg-type]
            found = [value for key, value in trainer.callback_metrics.items() if re.fullmatch(f"trajectory/{quantity.pattern}", key)]
            if quantity.start is not None and found:
                learned += f" with {quantity.name} = {', '.join(f'{float(value):.3f}' for value in found)}"
        groups = getattr(getattr(pl_module, "optimization", None), "groups", ())
        faster = [f"the `rate` of '{group.name}'" for group in groups if group.rate > 1]
        raise FloatingPointError(
            f"Expected a finite training loss, but got {float(loss)} at step {trainer.global_step}{learned}: "
            f"lower {' or '.join(['`learning_rate`', *faster])}."
        )


def whole_step(trainer: Trainer, batch_idx: int) -> bool:
    """Return whether the optimiser took a step with this batch; a step may need several batches."""
    return (batch_idx + 1) % trainer.accumulate_grad_batches == 0

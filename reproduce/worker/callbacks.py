"""What a job's Trainer carries: curves, progress, random states, and a stop that can be resumed."""

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
from reproduce.worker.checkpoints import checkpoint_path, checkpoints


class JsonLines(Logger):
    """Write metrics to `metrics.jsonl`, a line a step, and mirror them; on resuming, drop the lines of steps that will be taken again."""

    def __init__(self, path: Path, mirror: Mirror) -> None:
        super().__init__()
        self.path, self.mirror = path, mirror

    @property
    def name(self) -> str:
        """Lightning's name for the logger."""
        return "jsonl"

    @property
    def version(self) -> str:
        """There is one file a run, hence one version."""
        return "0"

    @rank_zero_only
    def truncate(self, step: int) -> None:
        """Keep the lines before `step`; a line cut short by a crash goes too."""
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
        """Append a line."""
        line = {"step": step} | {name: value for name, value in metrics.items() if name != "epoch"}
        with self.path.open("a") as file:
            file.write(json.dumps(line) + "\n")
        self.mirror.line(line)

    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Do nothing: `job.json` holds them."""


class Progress(Callback):
    """Write `progress.json` about twice a second, for whoever watches, and keep how long each stage took, for whoever plans."""

    def __init__(self, path: Path, steps: int) -> None:
        self.path, self.steps, self.last = path, steps, 0.0
        self.begun = time.monotonic()
        self.ends: list[float] = []
        self.timing: dict[str, float] = {}
        self.marks: dict[str, Any] = {}  # written with every state

    @rank_zero_only
    def write(self, stage: str, **values: Any) -> None:
        """Write a state now."""
        self.last = time.monotonic()
        write_atomically(self.path, json.dumps({"stage": stage, "steps": self.steps, **self.marks, **values}))

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note that the data is there."""
        self.timing["data_seconds"] = time.monotonic() - self.begun

    def aligned(self, done: int, total: int) -> None:
        """Write how much of the data is made ready."""
        if time.monotonic() - self.last > 0.5:
            self.write(f"data {done}/{total}")

    @rank_zero_only
    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Write the step and the loss."""
        if whole_step(trainer, batch_idx):
            self._stepped(trainer)

    def _stepped(self, trainer: Trainer) -> None:
        # Where the first step ended and where the latest did: the first also pays for what is set up once.
        self.ends = [*self.ends[:1], time.monotonic()]
        self.timing["steps"] = self.timing.get("steps", -1) + 1
        if time.monotonic() - self.last > 0.5 or trainer.global_step == self.steps:
            self.write("train", step=trainer.global_step, **self._losses(trainer))

    def _losses(self, trainer: Trainer) -> dict[str, float]:
        """Return the loss to be shown; a sum over pixels says nothing, so there it is the loss per pixel."""
        metrics = trainer.callback_metrics
        name = "loss_per_pixel" if "train/loss_per_pixel" in metrics else "loss"
        return {name: float(metrics[f"train/{name}"])}

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note how long a step took."""
        if self.timing.get("steps"):
            self.timing["step_seconds"] = (self.ends[-1] - self.ends[0]) / self.timing["steps"]

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note when the evaluation began."""
        self.timing.setdefault("data_seconds", time.monotonic() - self.begun)
        self.begun = time.monotonic()

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note how long the evaluation took, and how much of it was done: a probe does a part."""
        self.timing["test_seconds"] = time.monotonic() - self.begun
        self.timing["test_share"] = sum(trainer.num_test_batches) / len(trainer.test_dataloaders)  # type: ignore[arg-type, operator]  # one loader

    @rank_zero_only
    def on_test_batch_end(self, trainer: Trainer, *args: Any) -> None:
        """Write that the evaluation goes on."""
        if time.monotonic() - self.last > 0.5:
            self.write("test", step=trainer.global_step)


class Mirrored(Callback):
    """Start a job's mirror where its training starts, and hand it the first samples of the evaluation."""

    def __init__(self, mirror: Mirror) -> None:
        self.mirror = mirror

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start it: the lines of steps that will be taken again are gone by now."""
        self.mirror.begin()

    def on_test_batch_end(self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, *args: Any) -> None:
        """Hand over what of a batch the task shows."""
        if self.mirror.wanted and hasattr(pl_module, "examples"):
            task: Any = pl_module
            self.mirror.keep(task.examples(batch, outputs, trainer.datamodule, self.mirror.wanted))  # type: ignore[attr-defined]


class RandomStates(Callback):
    """Carry the random states in the checkpoint, as plain types, so that a resumed run draws what the undisturbed one draws.

    Several ranks carry none: each is seeded at every step by the job's seed, its rank and the step, so that none draws another's numbers.
    """

    def __init__(self, seed: int) -> None:
        self.seed, self.alone = seed, True
        self.restored: dict[str, Any] = {}

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Note whether there are other ranks."""
        self.alone = trainer.world_size == 1

    def state_dict(self) -> dict[str, Any]:
        """Return the states of torch, its CUDA devices, numpy and Python."""
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
        """Keep the states until the first step: what Lightning does before it draws numbers too."""
        self.restored = state_dict

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Put the states back before the first step, or seed every step."""
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
    """Stop after so many further steps, or on SIGTERM, with a checkpoint from which the same command goes on."""

    def __init__(self, folder: Path, steps: int) -> None:
        self.folder, self.steps, self.begun, self.asked = folder, steps, 0, False

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note where this process begins, and listen."""
        self.begun = trainer.global_step
        signal.signal(signal.SIGTERM, self._ask)

    def _ask(self, *_: Any) -> None:
        self.asked = True

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Stop where it is time; a signal may have reached one rank only, and all stop at the same step."""
        due = self.asked or 0 < self.steps <= trainer.global_step - self.begun
        # Never between the parts of a step: their gradients are in no checkpoint.
        if whole_step(trainer, batch_idx) and trainer.strategy.reduce_boolean_decision(due, all=False):
            trainer.should_stop = True

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the checkpoint of the last step, whatever made it the last."""
        path = checkpoint_path(self.folder, trainer.global_step)
        if not trainer.strategy.broadcast(path.exists()):  # as the first rank sees it: all save, or none
            trainer.save_checkpoint(path)
        if trainer.is_global_zero:
            for old in checkpoints(self.folder)[2:]:
                old.unlink()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # what follows begins again from this checkpoint: nothing is to be waited for


class Checkpoints(ModelCheckpoint):
    """Keep the two newest checkpoints, one every so many steps, and none between the parts of a step: it could not be gone on from."""

    CHECKPOINT_EQUALS_CHAR = "-"

    def __init__(self, folder: Path, every: int) -> None:
        super().__init__(
            folder, "{step:08d}", monitor="step", mode="max", save_top_k=2, every_n_train_steps=every, save_on_train_epoch_end=False
        )

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note from which step the training goes on: its checkpoint is there."""
        super().on_train_start(trainer, pl_module)
        self._last_global_step_saved = trainer.global_step

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Save where a step is whole."""
        if whole_step(trainer, batch_idx):
            super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)


class FiniteLoss(Callback):
    """Stop a training whose loss is no number, and say when, with what it learned until then."""

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Look at every step's loss: the mean over ranks, so that all stop."""
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
    """Whether the optimiser took a step with this batch: several may make one."""
    return (batch_idx + 1) % trainer.accumulate_grad_batches == 0

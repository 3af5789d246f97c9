"""Measure the cost of training steps at fixed inflation factors, in the process of a job."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from lightning_modules.layers.inflation import InflationLayer
from reproduce.jobs.job import Job
from reproduce.jobs.store import Run, Store
from reproduce.papers.adaptive_rf.specs import StepCost
from reproduce.specs import Segmentation
from reproduce.wandb_.mirror import Mirror
from reproduce.worker import building, training
from reproduce.worker.callbacks import FiniteLoss, Progress
from reproduce.worker.machine import peak_memory, reset_peak_memory


class Stopwatch(Callback):
    """Set f before each step of a sweep, and measure the step: forward, backward and optimiser, without data loading.

    Memory and time are measured in separate rounds. In the memory round, freed memory is given back before each step, so that the peak is
    that of the step alone; this makes the step slower.

    Args:
        factor: Inflation factor of the network.
        sweep: Factors and number of rounds.
        accelerator: Lightning's name of the accelerator.
    """

    def __init__(self, factor: InflationLayer, sweep: StepCost, accelerator: str) -> None:
        if not factor.minimum <= sweep.factors[0] <= sweep.factors[-1] <= factor.maximum:
            raise ValueError(f"Expected `factors` to be within {factor.minimum:g} and {factor.maximum:g}, but got {sweep.factors}.")
        self.factor, self.sweep, self.accelerator = factor, sweep, accelerator
        self.schedule = (sweep.factors[0], *sweep.factors * (1 + sweep.rounds))
        self.begun, self.baseline, self.method = 0.0, 0.0, ""
        self.memory: list[float] = []
        self.seconds: dict[float, list[float]] = {value: [] for value in sweep.factors}

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Record the memory in use before the first step."""
        self.method = reset_peak_memory(self.accelerator)
        self.baseline = self._peak()

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Set f and start to measure."""
        with torch.no_grad():
            self.factor.value.fill_(self.schedule[trainer.global_step])
        if self._for_memory(trainer.global_step):
            reset_peak_memory(self.accelerator)
        self.begun = self._now()

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Record the time or the peak memory of the step."""
        seconds, step = self._now() - self.begun, trainer.global_step - 1
        if self._for_memory(step):
            self.memory.append(self._peak())
        elif step > 0:
            self.seconds[self.schedule[step]].append(seconds)

    def _for_memory(self, step: int) -> bool:
        return 0 < step <= len(self.sweep.factors)

    def _now(self) -> float:
        if self.accelerator == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()

    def _peak(self) -> float:
        peak = peak_memory(self.accelerator)
        return peak.get("device_mib", peak["host_mib"])


@training.quiet()
def step_cost(job: Job, run: Run, store: Store, mirror: Mirror) -> dict[str, Any]:
    """Take training steps at the factors of the job's task, with a learning rate of zero, and return their cost.

    An interrupted job starts again from the beginning, because all compared steps are measured in one process.
    """
    spec, recipe, sweep = building.data_of(job), building.recipe_of(job), job.task
    assert isinstance(sweep, StepCost)
    pl.seed_everything(job.seed, verbose=False)
    progress = Progress(run.folder / "progress.json", recipe.steps)
    task, data = building.build_task(replace(job, task=Segmentation())), building.build_data(job, progress.prepared)
    factor = getattr(task.network, "factor", None)
    if not isinstance(factor, InflationLayer):
        raise ValueError(f"Expected the network of {job.slug} to have an inflation factor, but got {job.network}.")
    stopwatch = Stopwatch(factor, sweep, job.runtime.accelerator)
    trainer = pl.Trainer(
        accelerator=job.runtime.accelerator, devices=1, precision=job.precision,  # type: ignore[arg-type]  # Lightning's literals
        max_steps=job.runtime.probe or sweep.steps, max_epochs=-1, limit_val_batches=0, num_sanity_val_steps=0,
        use_distributed_sampler=False, logger=False, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
        callbacks=[stopwatch, FiniteLoss(), progress], default_root_dir=run.folder, deterministic=True,
    )  # fmt: skip
    trainer.fit(task, datamodule=data)
    metrics = {
        "seconds": list(stopwatch.seconds.values()),
        "memory_mib": stopwatch.memory,
        "memory_before_mib": stopwatch.baseline,
        "memory_is": stopwatch.method,
        "threads": torch.get_num_threads(),
    }
    return {"metrics": metrics, "data": training.provenance_of(data, spec), "timing": progress.timing}

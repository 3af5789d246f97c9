"""Training and evaluation in a worker process. Only such modules import Lightning, the LightningModules and the datamodules."""

from __future__ import annotations

import dataclasses
import json
import logging
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import lightning.pytorch as pl
import safetensors.torch
import torch
from torch import nn

from datamodules.vouch import Vouch
from lightning_modules import protocol
from reproduce import specs
from reproduce.jobs.job import Job
from reproduce.jobs.store import CURVE, Run, Store, read_json, write_atomically
from reproduce.wandb_.mirror import Mirror
from reproduce.worker import ranks, stages
from reproduce.worker.building import build_data, build_network, build_task, converted, data_of
from reproduce.worker.callbacks import Checkpoints, FiniteLoss, JsonLines, Mirrored, Progress, RandomStates, ResumableStop
from reproduce.worker.checkpoints import SealedCheckpoints, checkpoints, newest_intact, step_of


def build_trainer(job: Job, run: Run, progress: Progress, logger: JsonLines) -> pl.Trainer:
    """Build the Trainer of a job, with everything that makes a resumed run equal to an uninterrupted one."""
    runtime, folder = job.runtime, run.folder / "checkpoints"
    several, unfinished = runtime.world > 1, job.recipe is None and stages.unfinished(job, Store(run.folder.parent))
    return pl.Trainer(
        accelerator=runtime.accelerator, devices=runtime.devices, num_nodes=runtime.num_nodes, strategy="ddp" if several else "auto",
        sync_batchnorm=several and runtime.accelerator == "cuda", precision=job.precision,  # type: ignore[arg-type]  # Lightning's literals
        max_steps=progress.steps, max_epochs=-1, limit_val_batches=0, num_sanity_val_steps=0,
        limit_test_batches=runtime.probe or (runtime.stop_after if unfinished else 0) or 1.0,
        accumulate_grad_batches=job.recipe.accumulate if job.recipe else 1,
        use_distributed_sampler=False, log_every_n_steps=runtime.log_every, logger=logger,
        plugins=[SealedCheckpoints(run.folder)],
        callbacks=[
            FiniteLoss(), RandomStates(job.seed), ResumableStop(folder, runtime.probe or runtime.stop_after), progress,
            Checkpoints(folder, runtime.checkpoint_every),
            Mirrored(logger.mirror),
        ],
        enable_progress_bar=False, enable_model_summary=False, default_root_dir=run.folder, deterministic=True,
    )  # fmt: skip


@contextmanager
def quiet() -> Iterator[None]:
    """Keep expected messages and warnings out of the log."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    with warnings.catch_warnings():
        # One process reads packed arrays; worker processes would only copy them: https://lightning.ai/docs/pytorch/stable/advanced/speed.html
        warnings.filterwarnings("ignore", message=".*does not have many workers.*")
        warnings.filterwarnings("ignore", message=".*have no `val_dataloader`.*")  # no validation: a user's data may have no such loader
        warnings.filterwarnings("ignore", message=".*is smaller than the logging interval.*")  # lines are per step, not per epoch
        warnings.filterwarnings("ignore", message="Checkpoint directory .* exists and is not empty")  # expected in a resumed run
        # Lightning 2.6 and torch's pytree: https://github.com/Lightning-AI/pytorch-lightning/issues/21326
        warnings.filterwarnings("ignore", message=".*LeafSpec.*", category=FutureWarning)
        yield


@quiet()
def train(job: Job, run: Run, store: Store, mirror: Mirror) -> dict[str, Any] | None:
    """Train and evaluate; without a recipe only evaluate.

    Returns:
        Measurements, or None if there is no result yet, because this training or the job that it starts from was stopped before its end.
    """
    steps = job.recipe.steps if job.recipe else 0
    if not (steps or job.start or job.runtime.probe):
        raise ValueError(f"Expected `recipe` or `start` in the job {job.slug}, but got neither: there is nothing to evaluate.")
    progress = Progress(run.folder / "progress.json", steps)
    logger = JsonLines(run.folder / CURVE, mirror, job.runtime.log_every, steps)
    trainer = build_trainer(job, run, progress, logger)
    trainer.strategy.setup_environment()  # from here on ranks can communicate, and know which of them writes files
    progress.write("data", step=run.progress.get("step", 0))
    pl.seed_everything(job.seed, verbose=False)
    task, data = build_task(job), build_data(job, progress.prepared)
    if job.trains and any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in task.network.modules()):
        ranks.check_batch_norm(job)
    _forget_unfinished(trainer, run)
    network, record = task.network, stages.take(job, task.network, store)
    halfway = bool((record or {}).get("unfinished"))
    progress.marks = {"unfinished_start": True} if halfway else {}
    _note_start(trainer, run, record)
    task.seen = stages.preprocessing(job, data)
    if job.trains:
        checkpoint = trainer.strategy.broadcast(newest_intact(run.folder, job.runtime.log_every) if trainer.is_global_zero else None)
        logger.truncate(0 if checkpoint is None else step_of(checkpoint))
        trainer.fit(task, datamodule=data, ckpt_path=checkpoint, weights_only=True)
        progress.write("train", step=trainer.global_step)
        if trainer.global_step < steps and not job.runtime.probe:
            return None
    if job.trains and trainer.is_global_zero and not halfway:
        safetensors.torch.save_model(network, str(run.weights))
    task.network = converted(job, network)
    trainer.test(task, datamodule=data, verbose=False, weights_only=True)
    if halfway:
        progress.write("unfinished", step=trainer.global_step)
        return None
    measured = {"metrics": {}} if job.runtime.probe else _measured(task, data, data_of(job))
    checkpoint_bytes = max((path.stat().st_size for path in checkpoints(run.folder / "checkpoints")), default=0)
    return measured | {"start": record, "timing": progress.timing | {"checkpoint_bytes": checkpoint_bytes}}


def _forget_unfinished(trainer: pl.Trainer, run: Run) -> None:
    """Delete what a run computed from the weights of an unfinished job, because it must not be part of a result."""
    if trainer.is_global_zero and (read_json(run.folder / "start.json") or {}).get("unfinished"):
        if (run.folder / "checkpoints").exists():
            shutil.rmtree(run.folder / "checkpoints")  # an error must stop the job: it would resume from what cannot be removed
        (run.folder / "metrics.jsonl").unlink(missing_ok=True)
        (run.folder / "start.json").unlink()
    trainer.strategy.barrier()


def _note_start(trainer: pl.Trainer, run: Run, record: dict[str, Any] | None) -> None:
    """Write the record of the start weights before the first step."""
    if trainer.is_global_zero and record is not None:
        write_atomically(run.folder / "start.json", json.dumps(record, indent=1))


def _measured(task: Any, data: pl.LightningDataModule, spec: specs.Data) -> dict[str, Any]:
    expected = len(data.test_dataloader().dataset)
    if task.samples != expected:
        raise RuntimeError(f"Expected {expected} samples in the evaluation, but got {task.samples}.")
    found: dict[str, Any] = {"metrics": task.results(data)} | task.kept()
    return found | {"images": expected, "data": provenance_of(data, spec)}


def provenance_of(data: pl.LightningDataModule, spec: specs.Data) -> dict[str, Any]:
    """Return the provenance of the data, for a result."""
    vouch = getattr(data, "vouch", Vouch("own", "the user's own"))
    return dataclasses.asdict(vouch) | {"set": spec.title, "fingerprint": getattr(data, "fingerprint", getattr(spec, "fingerprint", ""))}


def describe(job: Job, run: Run, store: Store, mirror: Mirror) -> dict[str, Any]:
    """Compute a network's sizes without the values of its weights."""
    assert isinstance(job.task, specs.Describe)
    with torch.device("meta"):
        network = build_network(job.network)
    count = sum(parameter.numel() for parameter in network.parameters())
    return {"metrics": {"parameters": count} | protocol.sizes(network, job.task.shape or None), "data": None}

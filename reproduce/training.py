"""Training and evaluation in a job's own process. Lightning, the modules and the datamodules are imported by such modules alone."""

from __future__ import annotations

import dataclasses
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import safetensors.torch
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor, nn

from datamodules.images import ImagesDataModule
from datamodules.layouts import images
from datamodules.layouts.cifar import CIFAR10
from datamodules.voc import VOCDataModule
from datamodules.vouch import Vouch
from lightning_modules.classification import ImageClassification
from lightning_modules.metrics.confusion import classification_scores, f_scores, overall_f, segmentation_scores
from lightning_modules.networks.adaptive_vgg import AdaptiveVGG
from lightning_modules.networks.jet import JetNetwork
from lightning_modules.networks.multi_path_vgg import MultiPathVGG
from reproduce import ranks, specs
from reproduce.building import Task, build_data, build_network, build_task, start_weights, training_of
from reproduce.callbacks import FiniteLoss, JsonLines, Mirrored, Progress, RandomStates, ResumableStop, checkpoints
from reproduce.job import Job
from reproduce.mirror import Mirror
from reproduce.store import Run, Store


def build_trainer(job: Job, run: Run, progress: Progress, logger: JsonLines) -> pl.Trainer:
    """Build the Trainer of a job, with everything that a resumed run needs to be the undisturbed one."""
    runtime, folder = job.runtime, run.folder / "checkpoints"
    keep = ModelCheckpoint(
        folder, "{step:08d}", monitor="step", mode="max", save_top_k=2, every_n_train_steps=runtime.checkpoint_every,
        save_on_train_epoch_end=False,
    )  # fmt: skip
    keep.CHECKPOINT_EQUALS_CHAR = "-"
    several = runtime.world > 1
    return pl.Trainer(
        accelerator=runtime.accelerator, devices=runtime.devices, num_nodes=runtime.num_nodes, strategy="ddp" if several else "auto",
        sync_batchnorm=several and runtime.accelerator == "cuda", precision=job.precision,  # type: ignore[arg-type]  # Lightning's literals
        max_steps=progress.steps, max_epochs=-1, limit_val_batches=0, num_sanity_val_steps=0, limit_test_batches=runtime.probe or 1.0,
        use_distributed_sampler=False, log_every_n_steps=runtime.log_every, logger=logger,
        callbacks=[
            FiniteLoss(), RandomStates(job.seed), ResumableStop(folder, runtime.probe or runtime.stop_after), progress, keep,
            Mirrored(logger.mirror),
        ],
        enable_progress_bar=False, enable_model_summary=False, default_root_dir=run.folder, deterministic=True,
    )  # fmt: skip


def latest_checkpoint(folder: Path) -> Path | None:
    """Return the newest checkpoint of a run that can be read; one that cannot is named in the log and set aside."""
    for path in checkpoints(folder):
        try:
            torch.load(path, map_location="meta", weights_only=True, mmap=True)
        except Exception as error:
            print(f"{path.name} cannot be read ({type(error).__name__}): the checkpoint before it is used.", flush=True)
            path.rename(path.with_suffix(".corrupt"))
        else:
            return path
    return None


@contextmanager
def quiet() -> Iterator[None]:
    """Keep from the log what is no news in a job of ours."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    with warnings.catch_warnings():
        # One process reads packed arrays; workers would only copy them: https://lightning.ai/docs/pytorch/stable/advanced/speed.html
        warnings.filterwarnings("ignore", message=".*does not have many workers.*")
        warnings.filterwarnings("ignore", message=".*have no `val_dataloader`.*")  # nothing is validated: own data may have none
        warnings.filterwarnings("ignore", message=".*is smaller than the logging interval.*")  # lines go by steps, whatever an epoch has
        warnings.filterwarnings("ignore", message="Checkpoint directory .* exists and is not empty")  # that is what resuming means
        # Lightning 2.6 and torch's pytree: https://github.com/Lightning-AI/pytorch-lightning/issues/21326
        warnings.filterwarnings("ignore", message=".*LeafSpec.*", category=FutureWarning)
        yield


@quiet()
def train(job: Job, run: Run, store: Store, mirror: Mirror) -> dict[str, Any] | None:
    """Train and evaluate; return what was measured, or None where the training was stopped to be resumed."""
    spec, recipe = training_of(job)
    progress, logger = Progress(run.folder / "progress.json", recipe.steps), JsonLines(run.folder / "metrics.jsonl", mirror)
    trainer = build_trainer(job, run, progress, logger)
    trainer.strategy.setup_environment()  # from here on ranks can talk, and know which of them writes files
    progress.write("data", step=run.progress.get("step", 0))
    pl.seed_everything(job.seed, verbose=False)
    task, data = build_task(job), build_data(job, progress.aligned)
    if any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in task.network.modules()):
        ranks.check_batch_norm(job)
    start_weights(job, task.network, store)
    checkpoint = trainer.strategy.broadcast(latest_checkpoint(run.folder / "checkpoints") if trainer.is_global_zero else None)
    logger.truncate(0 if checkpoint is None else int(checkpoint.stem.split("-")[1]))
    trainer.fit(task, datamodule=data, ckpt_path=checkpoint, weights_only=True)
    progress.write("train", step=trainer.global_step)
    if trainer.global_step < recipe.steps and not job.runtime.probe:
        return None
    trainer.test(task, datamodule=data, verbose=False, weights_only=True)
    if trainer.is_global_zero:
        safetensors.torch.save_model(task.network, str(run.weights))
    measured = {"metrics": {}} if job.runtime.probe else _measured(task, data, spec)
    checkpoint_bytes = max((path.stat().st_size for path in checkpoints(run.folder / "checkpoints")), default=0)
    return measured | {"timing": progress.timing | {"checkpoint_bytes": checkpoint_bytes}}


def _measured(task: Task, data: pl.LightningDataModule, spec: specs.Data) -> dict[str, Any]:
    expected = len(data.test_dataloader().dataset)
    if int(task.last_images) != expected:
        raise RuntimeError(f"Expected {expected} images in the evaluation, but got {int(task.last_images)}.")
    matrix = task.last_confusion.cpu()
    scores = _classification_metrics if isinstance(task, ImageClassification) else _segmentation_metrics
    metrics = scores(matrix, task.network, data)
    return {"metrics": metrics, "confusion": matrix.tolist(), "images": expected, "data": provenance_of(data, spec)}


def _segmentation_metrics(matrix: Tensor, network: nn.Module, data: pl.LightningDataModule) -> dict[str, Any]:
    metrics: dict[str, Any] = segmentation_scores(matrix)
    if not isinstance(data, VOCDataModule):
        # A user's data that does not say what F is taken of: every class but the first, the background.
        each = {str(index): (index,) for index in range(1, len(matrix))}
        metrics |= {f"f_{part}": value for part, value in f_scores(matrix, getattr(data, "parts", each)).items()}
        metrics["f_score"] = overall_f(matrix, list(getattr(data, "counted", each).values()))
        metrics["f_score_all_foreground"] = overall_f(matrix, list(each.values()))
    # Of several paths a metric is a list, as in the paper's cells.
    learned: dict[str, Any] = network.learned() if isinstance(network, MultiPathVGG) else getattr(network, "trajectory", dict)()
    return metrics | {name: value for name, value in learned.items() if not name.startswith("gradient_")}  # those are a curve's


def _classification_metrics(matrix: Tensor, network: nn.Module, data: pl.LightningDataModule) -> dict[str, Any]:
    metrics: dict[str, Any] = classification_scores(matrix)
    learned: dict[str, float] = getattr(network, "trajectory", dict)()
    metrics |= learned
    if learned:
        metrics["sigmas"] = list(learned.values())
    if isinstance(network, JetNetwork) and isinstance(data, ImagesDataModule):
        metrics["map_sizes"] = network.map_sizes(*data.shape[1:])
    return metrics


def provenance_of(data: pl.LightningDataModule, spec: specs.Data) -> dict[str, Any]:
    """Return what a result says of the data that was read for it."""
    if isinstance(spec, specs.Images):
        name = images.SETS[spec.dataset].title
    else:
        name = spec.name if isinstance(spec, specs.OwnData) else type(spec).__name__
    vouch = getattr(data, "vouch", Vouch("own", "the user's own"))
    return dataclasses.asdict(vouch) | {"set": name, "fingerprint": getattr(data, "fingerprint", spec.fingerprint)}


def describe(job: Job, run: Run, store: Store, mirror: Mirror) -> dict[str, Any]:
    """Compute a network's sizes without its numbers."""
    with torch.device("meta"):
        network = build_network(job.network)
    metrics: dict[str, Any] = {"parameters": sum(parameter.numel() for parameter in network.parameters())}
    if isinstance(network, AdaptiveVGG):
        metrics |= {"receptive_field": network.receptive_field() if network.factor is None else None}
    elif isinstance(network, MultiPathVGG):
        metrics |= {"receptive_field": None if network.inflated else network.receptive_fields()}
    elif isinstance(network, JetNetwork):
        metrics |= {"map_sizes": network.map_sizes(*CIFAR10.shape[1:])}
    if isinstance(network, AdaptiveVGG | MultiPathVGG):
        metrics |= {"pool5_receptive_field": network.pool5_receptive_field, "stride": network.stride}
    return {"metrics": metrics, "data": None}

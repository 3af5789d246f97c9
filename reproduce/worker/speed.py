"""Compare the cost of a training step of two networks, in a worker process."""

from __future__ import annotations

import time
from typing import Any

import lightning.pytorch as pl
import torch
from torch.nn import functional

from lightning_modules import protocol
from lightning_modules.optimization import optimizer_of
from lightning_modules.recipe import Optimization
from reproduce import specs
from reproduce.jobs.job import Job
from reproduce.jobs.store import Run, Store
from reproduce.wandb_.mirror import Mirror
from reproduce.worker import stages
from reproduce.worker.building import build_network, recipe_of
from reproduce.worker.callbacks import Progress

WARM = 2  # warm-up steps of each network, which do not count


def speed(job: Job, run: Run, store: Store, mirror: Mirror) -> dict[str, Any]:
    """Time training steps of a job's network and of the one that it is compared with, in turn, so that a disturbance slows both.

    A step is forward, loss, backward and SGD at a learning rate of zero, on noise, because the content of a picture does not change the
    cost. The recipe's steps are the rounds. An interrupted job starts again, because both networks must be measured in one process.
    """
    recipe, runtime, task = recipe_of(job), job.runtime, job.task
    assert isinstance(task, specs.Speed)
    pl.seed_everything(job.seed, verbose=False)
    device = torch.device(runtime.accelerator)
    networks = [build_network(spec) for spec in (job.network, task.against)]
    stages.take(job, networks[0], store)
    for network in networks:
        network.to(device).to(memory_format=protocol.memory_format(network, device)).train()  # type: ignore[call-overload]  # torch lacks it
        protocol.after_step(network)
    image = torch.randn(recipe.batch_size, *task.shape, device=device)
    images = [image.to(memory_format=protocol.memory_format(network, device)) for network in networks]
    label = torch.randint(_classes(job), (recipe.batch_size,), device=device)
    optimizers = [optimizer_of(network, Optimization(recipe.optimizer)) for network in networks]
    seconds: list[list[float]] = [[], []]
    progress, rounds = Progress(run.folder / "progress.json", recipe.steps), runtime.probe or recipe.steps
    for index in range(WARM + rounds):
        for network, seen, optimizer, found in zip(networks, images, optimizers, seconds, strict=True):
            begun = _now(runtime.accelerator)
            with torch.autocast(device.type, _half(job.precision), enabled=job.precision != "32-true"):
                loss = functional.cross_entropy(network(seen).float(), label)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            optimizer.zero_grad()
            found.append(_now(runtime.accelerator) - begun)
        progress.write("speed", step=max(0, index - WARM + 1))
    counted = [found[WARM:] for found in seconds]
    metrics = {"seconds": counted, "threads": torch.get_num_threads(), "batch_size": recipe.batch_size}
    # For forecasts, a step is a round.
    data = {"status": "noise", "set": "noise", "detail": f"{recipe.batch_size} pictures of {task.shape[1]} x {task.shape[2]} pixels"}
    return {"metrics": metrics, "data": data, "timing": {"steps": rounds, "step_seconds": sum(map(sum, counted)) / rounds}}


def _classes(job: Job) -> int:
    classes = getattr(job.network, "num_classes", None)
    if classes is None:
        raise ValueError(f"Expected a network with `num_classes` in the job {job.slug}, but got {type(job.network).__name__}.")
    return int(classes)


def _half(precision: str) -> torch.dtype:
    return torch.float16 if precision.startswith("16") else torch.bfloat16


def _now(accelerator: str) -> float:
    if accelerator == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()

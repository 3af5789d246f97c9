"""A job's network, task, data and start weights, built from its specs in its own process."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import safetensors.torch
import torch
from torch import Tensor, nn

from datamodules import synthetic, synthetic_images, synthetic_voc
from datamodules.cache import build_once
from datamodules.helen import HelenDataModule
from datamodules.images import ImagesDataModule
from datamodules.voc import VOCDataModule
from lightning_modules.classification import ImageClassification
from lightning_modules.networks.adaptive_vgg import AdaptiveVGG
from lightning_modules.networks.all_cnn import AllCNN
from lightning_modules.networks.cifar_resnet import CIFARResNet
from lightning_modules.networks.efficientnet import EfficientNetB0
from lightning_modules.networks.multi_path_vgg import MultiPathVGG
from lightning_modules.networks.nin import NiN
from lightning_modules.networks.toy_cnn import ToyCNN
from lightning_modules.segmentation import SemanticSegmentation
from reproduce import own_files, specs
from reproduce.job import Job
from reproduce.store import Store

MOST_WORKERS = 8  # processes that read ahead, of a job on a GPU
MADE: dict[type, tuple[str, Callable[..., None]]] = {
    specs.MadeFaces: ("faces", synthetic.write_helen),
    specs.MadeScenes: ("scenes", synthetic_voc.write_voc),
    specs.MadeImages: ("images", synthetic_images.write_images),
}
NETWORKS: dict[type, type[nn.Module]] = {
    specs.AdaptiveVGG: AdaptiveVGG,
    specs.MultiPathVGG: MultiPathVGG,
    specs.NiN: NiN,
    specs.AllCNN: AllCNN,
    specs.CIFARResNet: CIFARResNet,
    specs.EfficientNetB0: EfficientNetB0,
    specs.ToyCNN: ToyCNN,
}
Task = SemanticSegmentation | ImageClassification


def build_network(spec: specs.Network) -> nn.Module:
    """Build the network that a spec describes."""
    if isinstance(spec, specs.OwnNetwork):
        network = own_files.build(spec, num_classes=spec.num_classes)
        if not isinstance(network, nn.Module):
            raise ValueError(f"Expected `{spec.name}` in {spec.file} to give an nn.Module, but got {type(network).__name__}.")
        return network
    arguments = {item.name: getattr(spec, item.name) for item in dataclasses.fields(spec)}
    if isinstance(arguments.get("jet"), specs.Jet):
        arguments["jet"] = dataclasses.asdict(arguments["jet"])
    return NETWORKS[type(spec)](**arguments)


def training_of(job: Job) -> tuple[specs.Data, specs.Recipe]:
    """Return the data and the recipe of a job that trains."""
    if job.data is None or job.recipe is None:
        raise ValueError(f"Expected `data` and `recipe` in the job {job.slug}, but got {job.data} and {job.recipe}.")
    return job.data, job.recipe


def build_task(job: Job) -> Task:
    """Build a job's network inside the task that trains it.

    Raises:
        ValueError: the recipe has what the task does not take.
    """
    recipe, module = job.recipe, ImageClassification if job.task == "classification" else SemanticSegmentation
    assert recipe is not None
    taken = inspect.signature(module).parameters
    options = {}
    for item in dataclasses.fields(recipe):
        value = getattr(recipe, item.name)
        if item.name in taken:
            options[item.name] = value
        elif item.name not in ("steps", "batch_size") and value != item.default:
            raise ValueError(
                f"Expected `{item.name}` of the recipe of {job.slug} to be {item.default!r}, as {job.task} has none, but got {value!r}."
            )
    return module(build_network(job.network), job.network.num_classes, **options)


def build_data(job: Job, aligned: Callable[[int, int], None]) -> pl.LightningDataModule:
    """Build a job's datamodule; made-up data is made first, once for all jobs."""
    data, recipe = training_of(job)
    if isinstance(data, specs.OwnData):
        root_given = {"root": data.root} if data.root else {}
        module: pl.LightningDataModule = own_files.build(
            data, batch_size=recipe.batch_size, steps=recipe.steps, seed=job.seed, **root_given
        )
        classes = getattr(module, "num_classes", None)
        if classes != job.network.num_classes:
            raise ValueError(
                f"Expected `{data.name}` in {data.file} to have the network's `num_classes`, {job.network.num_classes}, but got {classes}."
            )
        return module
    cache = Path(job.runtime.cache)
    root = Path(job.runtime.data_root) if data.made is None else made_up(data.made, cache)
    common: dict[str, Any] = {"batch_size": recipe.batch_size, "steps": recipe.steps, "seed": job.seed}
    given = {item.name: getattr(data, item.name) for item in dataclasses.fields(data) if item.name not in ("made", "fingerprint")}
    if isinstance(data, specs.Images):
        return ImagesDataModule(root, **given, **common)
    common["cache"] = cache
    # A GPU waits for pictures that are decoded one by one; on a processor, others would take its cores.
    common["workers"] = min(job.runtime.threads, MOST_WORKERS) if job.runtime.accelerator == "cuda" else 0
    if isinstance(data, specs.Helen):
        return HelenDataModule(root, data.size, **common | {"workers": 0}, progress=aligned)  # packed arrays: workers would only copy
    return VOCDataModule(root, **given, **common)


def made_up(spec: specs.MadeFaces | specs.MadeScenes | specs.MadeImages, cache: Path) -> Path:
    """Make up data, once for all jobs; return its root."""
    made = dataclasses.asdict(spec)
    name = "-".join(str(value) for value in made.values())
    made.pop("revision")
    kind, write = MADE[type(spec)]
    return build_once(cache / f"made-{kind}-{name}", lambda folder: write(folder, **made))


def start_weights(job: Job, network: nn.Module, store: Store) -> None:
    """Load the weights that a job starts from: another job's, or an ImageNet file's."""
    if isinstance(job.start, Job):
        path = store.run(job.start).weights
        if not path.exists():  # as after `runs import`
            raise FileNotFoundError(f"Expected the weights of {job.start.name} in {path}, but got none; `runs rerun` it to have them.")
        safetensors.torch.load_model(network, path)
    elif job.start is not None:
        if not isinstance(network, AdaptiveVGG | MultiPathVGG):
            raise ValueError(f"Expected a network that takes ImageNet weights, but got {type(network).__name__}.")
        path = Path(job.runtime.data_root) / "weights" / job.start.name
        try:
            state: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        except Exception as error:  # of whatever kind: pickle, zip, mmap
            raise ValueError(f"Expected {path} to be start weights saved by torch, but it cannot be read; get the file again.") from error
        result = network.load_state_dict(network.imagenet_weights(state), strict=False)
        if result.unexpected_keys or any(not (key.startswith("norm.") or key.endswith("factor.value")) for key in result.missing_keys):
            raise ValueError(f"Expected {job.start.name} to fill the network, but {result.missing_keys} are missing.")

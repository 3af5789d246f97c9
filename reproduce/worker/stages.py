"""Stages: start weights of a job, from another job or a file, and the record of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from lightning_modules import protocol
from reproduce.jobs.job import Job
from reproduce.jobs.store import WEIGHTS, Run, Store, sha256_of
from reproduce.specs import IMAGENET, Preprocessing, Start, Weights
from reproduce.worker.checkpoints import newest_intact

StateDict = Mapping[str, Tensor]


def take(job: Job, network: nn.Module, store: Store) -> dict[str, Any] | None:
    """Load a job's start weights into its network and return a record of them; None if it keeps random weights, as in a probe.

    Raises:
        FileNotFoundError: The weights are missing.
        ValueError: The weights cannot be read, or do not fit the network.
    """
    start = job.start
    if start is None or job.runtime.probe:
        return None
    source = start.source
    if isinstance(source, Job):
        state, record = _of_job(source, store, job)
    else:
        state, record = _of_file(source, Path(job.runtime.data_root), network)
    fresh = fill(network, state, start, record.get("job") or record["file"])
    return record | {
        "fresh": fresh,
        "unused": list(start.unused),
        "renamed": [list(pair) for pair in start.renamed],
        "frozen": list(start.frozen),
    }


def fill(network: nn.Module, state: StateDict, start: Start, source: str) -> list[str]:
    """Load weights into a network; return the names of its weights that stay random.

    Args:
        network: Network that takes the weights.
        state: Weights by the source's names.
        start: Stage with the names of fresh, unused and renamed weights.
        source: Name of the source, for messages.

    Raises:
        ValueError: A weight is missing, left over or of another shape, or a name in the stage matches no weight.
    """
    own = network.state_dict()
    kept = {name: value for name, value in state.items() if not _within(name, start.unused)}
    taken = {_renamed(name, start.renamed): value for name, value in kept.items()}
    if len(taken) < len(kept):
        targets = [_renamed(name, start.renamed) for name in kept]
        twice = next(name for name in targets if targets.count(name) > 1)
        raise ValueError(f"Expected `renamed` of the stage from {source} to give every weight a different name, but got `{twice}` twice.")
    fresh = sorted(name for name in own if _within(name, start.fresh))
    taken = {name: value for name, value in taken.items() if name not in fresh}
    # A safetensors file contains only one of the tensors that share memory.
    there = {own[name].data_ptr() for name in taken if name in own}
    missing = [name for name in own if name not in taken and name not in fresh and own[name].data_ptr() not in there]
    left = [name for name in taken if name not in own]
    if missing or left:
        said = [f"{_listed(names)} {what}" for names, what in ((missing, "missing"), (left, "left over")) if names]
        raise ValueError(
            f"Expected the weights of {source} to fit {type(network).__name__}, but {' and '.join(said)}; "
            "name them in the stage's `fresh`, `unused` or `renamed`."
        )
    for name, value in taken.items():
        if own[name].shape != value.shape:
            raise ValueError(
                f"Expected `{name}` of {source} to have the network's shape {tuple(own[name].shape)}, but got {tuple(value.shape)}; "
                "name it in the stage's `fresh` to learn it anew."
            )
    for field, names, known in (("fresh", start.fresh, own), ("unused", start.unused, state)):
        for name in names:
            if not any(_within(each, (name,)) for each in known):
                raise ValueError(f"Expected `{field}` of the stage from {source} to name existing weights, but got '{name}'.")
    network.load_state_dict(taken, strict=False)
    return fresh


def unfinished(job: Job, store: Store) -> bool:
    """Return whether a job starts from an unfinished job: one that was stopped, or that itself started from such a job."""
    return any(not store.run(parent).done for parent in job.parents)


def preprocessing(job: Job, data: Any) -> Callable[[Tensor], Tensor] | None:
    """Return a function from the data's preprocessing to that of the first weights, or None if they are equal.

    Args:
        job: Job with the start weights.
        data: Datamodule; its `mean` and `std`, of values from 0 to 1, give its normalisation. Without them it is that of ImageNet.
    """
    weights = job.weights
    if weights is None or weights.preprocessing == _of_data(data):
        return None
    return partial(_seen, _of_data(data), weights.preprocessing)


def _seen(source: Preprocessing, target: Preprocessing, image: Tensor) -> Tensor:
    """Convert pictures B 3 H W from one preprocessing to another."""
    (mean, std), (less, over) = (
        (image.new_tensor(each.mean).view(-1, 1, 1), image.new_tensor(each.std).view(-1, 1, 1)) for each in (source, target)
    )
    pixels = image * std + mean
    pixels = pixels.flip(1) if source.order != target.order else pixels
    return (pixels - less) / over


def _of_data(data: Any) -> Preprocessing:
    mean, std = getattr(data, "mean", None), getattr(data, "std", None)
    if mean is None or std is None:
        return IMAGENET
    return Preprocessing("RGB", tuple(255 * value for value in mean), tuple(255 * value for value in std))


def _of_job(source: Job, store: Store, job: Job) -> tuple[StateDict, dict[str, Any]]:
    run = store.run(source)
    if not run.done:
        return _of_checkpoint(run, job)
    if not run.weights.exists():  # for example after `runs import`
        raise FileNotFoundError(f"Expected the weights of {source.name} in {run.weights}, but got none; train it again with `runs rerun`.")
    result = run.result
    assert result is not None
    record = {"job": source.name, "data": result.get("data"), "start": result.get("start")}
    return read(run.unchanged(WEIGHTS)), record


def _of_checkpoint(run: Run, job: Job) -> tuple[StateDict, dict[str, Any]]:
    """Return the weights of a stopped training, to try a stage without a result."""
    path = newest_intact(run.folder, job.runtime.log_every) if job.runtime.stop_after else None
    if path is None:
        raise FileNotFoundError(f"Expected {run.name}, which {job.slug} starts from, to be done, but it is {run.state}; run it first.")
    state = torch.load(path, map_location="cpu", weights_only=True)["state_dict"]
    prefix = "network."
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}, {
        "job": run.name,
        "unfinished": True,
    }


def _of_file(source: Weights, data_root: Path, network: nn.Module) -> tuple[StateDict, dict[str, Any]]:
    path = data_root / "weights" / source.name
    try:
        digest = sha256_of(path)
    except OSError as error:
        raise FileNotFoundError(f"Expected start weights in {path}, but they cannot be read ({error.strerror}).") from error
    if digest != source.sha256:
        raise ValueError(f"Expected {path} to be as it was when the job was made, but it has changed: run the table again.")
    state = protocol.start_weights(network, read(path), source.layout)
    record = {"file": source.name, "sha256": source.sha256, "layout": source.layout, "verified": source.verified}
    return state, record | {"preprocessing": dataclasses.asdict(source.preprocessing)}


def read(path: Path) -> StateDict:
    """Read a weight file that safetensors or torch saved.

    Raises:
        ValueError: The file cannot be read.
    """
    try:
        if path.suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        try:
            state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        except RuntimeError:  # older files, for example torchvision's VGG-16, are not zip archives; only those can be mapped
            state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # of any kind: pickle, zip, mmap, safetensors
        raise ValueError(
            f"Expected {path} to be weights saved by torch or safetensors, but it cannot be read; get the file again."
        ) from error
    found = state.get("state_dict", state) if isinstance(state, dict) else state
    if not isinstance(found, dict) or not all(isinstance(value, Tensor) for value in found.values()):
        raise ValueError(f"Expected {path} to hold tensors by name, but it holds something else; get the file again.")
    return found


def _within(name: str, paths: Iterable[str]) -> bool:
    return any(name == path or name.startswith(f"{path}.") for path in paths)


def _renamed(name: str, pairs: Sequence[tuple[str, str]]) -> str:
    for source, target in pairs:
        if _within(name, (source,)):
            return target + name[len(source) :]
    return name


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
    return f"{shown} {'is' if len(names) == 1 else 'are'}"

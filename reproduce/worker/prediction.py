"""Apply a finished run's network to pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import default_collate

from datamodules.alignment import OUTSIDE_COLOUR
from datamodules.loading import normalise
from datamodules.opencv import cv2
from lightning_modules.example import Example
from lightning_modules.inference import Inference
from reproduce import specs
from reproduce.jobs.job import Job
from reproduce.jobs.store import WEIGHTS, Store
from reproduce.own import files as own_files
from reproduce.worker import stages
from reproduce.worker.building import build_data, build_network, build_task, converted

PLAIN = Inference()
Pixels = NDArray[np.uint8]


def _as_it_is(image: Tensor) -> Tensor:
    return image


@dataclass(frozen=True)
class Segmenter:
    """A network with its weights, the size of the pictures that it was trained on, and the names of its classes.

    Args:
        network: Network from B 3 H W to scores B classes h w.
        size: Edge of the network's square input in pixels; 0 keeps the sizes of pictures.
        classes: Names of the classes.
        inference: Inference settings.
        seen: Function from normalised pictures to the preprocessing of the network's first weights.
    """

    network: nn.Module
    size: int
    classes: tuple[str, ...]
    inference: Inference = PLAIN
    seen: Callable[[Tensor], Tensor] = _as_it_is

    def shown(self, height: int, width: int) -> tuple[int, int]:
        """Return the height and width to which a picture is resized; its longer edge becomes `size`."""
        if not self.size:
            return height, width
        scale = self.size / max(height, width)
        return max(1, round(height * scale)), max(1, round(width * scale))

    def __call__(self, picture: Pixels) -> Pixels:
        """Return the class of each pixel of a picture.

        The picture is resized into the square that the network was trained on, with its aspect ratio kept. The rest of the square has the
        colour that training pictures have beyond their borders. The scores are resized to the picture's original size. A user's own data
        is normalised like Helen.

        Args:
            picture: Picture H W 3, RGB.

        Returns:
            Classes H W.
        """
        height, width = picture.shape[:2]
        inner = self.shown(height, width)
        size = (self.size, self.size) if self.size else inner
        smooth = cv2.INTER_AREA if inner[0] < height else cv2.INTER_LINEAR
        seen = cv2.resize(picture, dsize=inner[::-1], interpolation=smooth)
        top, left = (size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2
        seen = cv2.copyMakeBorder(
            seen, top, size[0] - inner[0] - top, left, size[1] - inner[1] - left, cv2.BORDER_CONSTANT, value=OUTSIDE_COLOUR
        )
        with torch.inference_mode():
            scores = self.inference(self.network, self.seen(normalise(torch.from_numpy(seen).permute(2, 0, 1)[None])))
            if not torch.isfinite(scores).all():
                raise ValueError(
                    "Expected finite scores of the run's network, but some are not; train it again with a lower learning rate."
                )
            if scores.shape[-2:] != size:  # as in the evaluation
                scores = functional.interpolate(scores, size=size, mode="bilinear", align_corners=True)
        return _best(scores[0, :, top : top + inner[0], left : left + inner[1]].numpy(), height, width)


def _best(scores: np.ndarray[tuple[int, ...], np.dtype[np.float32]], height: int, width: int) -> Pixels:
    """Return the class of the highest score at H W; classes are resized one by one, as all scores of a photograph need too much memory."""
    best = np.full((height, width), -np.inf, np.float32)
    mask = np.zeros((height, width), np.uint8)
    for index, score in enumerate(scores):
        enlarged = cv2.resize(np.ascontiguousarray(score), dsize=(width, height), interpolation=cv2.INTER_LINEAR)
        mask[enlarged > best] = index
        np.maximum(best, enlarged, out=best)
    return mask


def load_segmenter(job: Job, weights: Path) -> Segmenter:
    """Build a job's network with the weights of its run.

    Raises:
        ValueError: The weights cannot be read, or are of another network.
    """
    network = build_network(job.network)
    load(network, weights)
    seen = stages.preprocessing(job, job.data.normalisation if job.data is not None else None) or _as_it_is
    network, inference = converted(job, network).eval(), job.inference or PLAIN
    return Segmenter(network, 0 if job.data is None else job.data.edge, classes_of(job), inference, seen)


def load(network: nn.Module, weights: Path) -> None:
    """Load the weights of a run into a network.

    Raises:
        ValueError: The weights cannot be read, or are of another network.
    """
    try:
        safetensors.torch.load_model(network, weights)
    except (safetensors.SafetensorError, RuntimeError, OSError) as error:
        said = " ".join(str(error).split()).rstrip(".")
        raise ValueError(f"Expected {weights} to hold the weights of its run, but it cannot be read: {said}.") from error


def evenly_spaced(number: int, total: int) -> list[int]:
    """Return at most `number` positions among `total`, each in the middle of one of `number` equal parts."""
    number = min(number, total)
    return [(2 * part + 1) * total // (2 * number) for part in range(number)]


def examples(jobs: Sequence[Job], store: Store, number: int) -> list[Example]:
    """Segment pictures of the evaluation split with the weights of each job, in the same way as its evaluation.

    Args:
        jobs: Finished jobs on one data set, with weights.
        store: Store of their runs.
        number: Number of pictures, evenly spaced in the split's list.

    Returns:
        Pictures, each with the mask `ground truth` and one mask per job under the job's name.
    """
    data: Any = build_data(jobs[0])
    data.prepare_data()
    data.setup("test")
    pictures = data.test_dataloader().dataset
    samples = [pictures[index] for index in evenly_spaced(number, len(pictures))]
    masks: list[dict[str, Pixels]] = [{"ground truth": sample["mask"]} for sample in samples]
    for job in jobs:
        task = build_task(job)
        load(task.network, store.run(job).unchanged(WEIGHTS))
        task.network, task.seen = converted(job, task.network), stages.preprocessing(job, data)
        task.eval()
        for found, sample in zip(masks, samples, strict=True):
            batch = data.on_after_batch_transfer(default_collate([sample]), 0)
            with torch.inference_mode():
                found[job.name] = task.predict_step(batch)[0].numpy().astype(np.uint8)
    return [Example(sample["image"].transpose(1, 2, 0), masks=found) for sample, found in zip(samples, masks, strict=True)]


def classes_of(job: Job) -> tuple[str, ...]:
    """Return the names of a job's classes, numbers where it has none."""
    names = tuple(f"class {index}" for index in range(getattr(job.network, "num_classes", 0)))
    if isinstance(job.data, specs.OwnData):
        found = getattr(getattr(own_files.load(Path(job.data.file), job.data.sha256), job.data.name, None), "classes", names)
        return tuple(map(str, found)) if len(found) == len(names) else names
    return (job.data.classes if job.data is not None else ()) or names

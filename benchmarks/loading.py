"""Measure how fast `VOCDataModule` and torchvision's v2 transforms read and augment VOC, in pictures per second on one core.

python benchmarks/loading.py TORCHVISION_PYTHON [--data-root FOLDER] [--pictures COUNT] [--rounds COUNT]

torchvision is not a dependency of this project. It needs a separate environment; the first argument is the Python of that environment.

python -m venv /tmp/torchvision
/tmp/torchvision/bin/python -m pip install torch torchvision --index-url https://download.pytorch.org/whl/cpu

Both sides do the same work on the same files: decode a JPEG and a palette PNG, scale by 0.5 to 2, crop or pad to 513 x 513 (with
ImageNet's mean colour, and 255 in the labels), flip half of the pictures, and normalise them for float output. Each side is a process with
one thread, and the sides take turns. CPU time is counted, so that other programs matter little. torchvision's transforms can be combined in
several ways; the fastest of them is compared. Without `--data-root` the pictures are made up, with 500 pixels along the longer edge, as in
VOC.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

CROP, SCALE = 513, (0.5, 2.0)
KINDS = ("decoded", "uint8", "float")
TARGETS = {"float": " (target: at least 1.5)"}
# By kind: a function from the numbers of a picture and a round to the picture and its labels.
Way = dict[str, Callable[[int, int], tuple[Any, Any]]]


class Side:
    """The process of one side, which does the requested work and reports its time."""

    def __init__(self, python: str, side: str, root: Path) -> None:
        words = [python, __file__, "--serve", side, str(root)]
        self._process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.made: dict[str, dict[str, Any]] = self._answer()
        self._seconds: dict[tuple[str, str], list[float]] = {(way, kind): [] for way in self.made for kind in KINDS}

    def measure(self, way: str, kind: str, pictures: int, number: int) -> None:
        assert self._process.stdin
        print(json.dumps([way, kind, pictures, number]), file=self._process.stdin, flush=True)
        self._seconds[way, kind].append(self._answer() / pictures)

    def seconds(self, kind: str) -> dict[str, list[float]]:
        """Return the seconds per picture of each way in every round, the fastest way first. The first round warms up and is left out."""
        ways = {way: self._seconds[way, kind][1:] for way in self.made}
        return dict(sorted(ways.items(), key=lambda item: statistics.median(item[1])))

    def _answer(self) -> Any:
        assert self._process.stdout
        line = self._process.stdout.readline()
        return json.loads(line) if line else sys.exit("One side has ended; its error is printed above.")


def serve(side: str, root: str) -> None:
    import numpy as np

    ways = {"ours": ours, "theirs": theirs}[side](root)
    made = {way: {kind: [np.asarray(each) for each in kinds[kind](0, 0)] for kind in KINDS} for way, kinds in ways.items()}
    print(json.dumps(made, default=lambda a: f"{a.dtype} {a.shape}, {'' if a.flags.c_contiguous else 'not '}contiguous"), flush=True)
    for line in sys.stdin:
        way, kind, pictures, number = json.loads(line)
        step, begun = ways[way][kind], time.process_time()
        for index in range(pictures):
            step(index, number)
        print(time.process_time() - begun, flush=True)


def ours(root: str) -> dict[str, Way]:
    import torch

    from datamodules import loading
    from datamodules.layouts import voc
    from datamodules.opencv import cv2
    from datamodules.sampler import Draw
    from datamodules.voc import Pictures, TrainingCrops

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    pictures = Pictures(voc.find(Path(root), "train"), "train", None)
    crops = TrainingCrops(pictures, CROP, SCALE, flip=True, seed=0)

    def augmented(index: int, number: int) -> tuple[Any, Any]:
        sample = crops[Draw(index, number, index)]
        return sample["image"], sample["mask"]

    def normalised(index: int, number: int) -> tuple[Any, Any]:
        image, mask = (torch.from_numpy(each) for each in augmented(index, number))
        batch = loading.normalised({"image": image, "mask": mask})
        return batch["image"], batch["mask"]

    return {"OpenCV": {"decoded": lambda index, _: pictures.read(index), "uint8": augmented, "float": normalised}}


def transforms() -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Return torchvision's crop with the transforms after it, and its normalisation."""
    import torch
    from PIL import Image
    from torchvision import tv_tensors
    from torchvision.transforms import v2

    colour = (124, 116, 104)
    crop = v2.RandomCrop(CROP, pad_if_needed=True, fill={Image.Image: colour, tv_tensors.Image: colour, tv_tensors.Mask: 255})
    types = v2.ToDtype({tv_tensors.Image: torch.float32, tv_tensors.Mask: torch.int64}, scale=True)
    normalise = v2.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), inplace=True)
    return v2.Compose([crop, v2.RandomHorizontalFlip(), v2.ToImage()]), v2.Compose([types, normalise])


def with_pillow(path: Path) -> Any:
    from PIL import Image

    image = Image.open(path)
    image.load()
    return image


def with_torchvision(path: Path) -> Any:
    from torchvision import io, tv_tensors

    return tv_tensors.Image(io.decode_jpeg(io.read_file(str(path))))


def theirs(root: str) -> dict[str, Way]:
    import numpy as np
    import torch
    from torchvision import tv_tensors
    from torchvision.transforms.v2 import functional

    torch.set_num_threads(1)
    torch.manual_seed(0)
    random.seed(0)
    folder = Path(root) / "voc/VOCdevkit/VOC2012"
    names = (folder / "ImageSets/Segmentation/train.txt").read_text().split()
    cut, normalise = transforms()

    def way(read: Callable[[Path], Any], antialias: bool = True) -> Way:
        def decoded(index: int, _: int) -> tuple[Any, Any]:
            labels = np.array(with_pillow(folder / "SegmentationClass" / f"{names[index]}.png"))
            return read(folder / "JPEGImages" / f"{names[index]}.jpg"), tv_tensors.Mask(torch.from_numpy(labels))

        def augmented(index: int, number: int) -> tuple[Any, Any]:
            image, mask = decoded(index, number)
            scale = random.uniform(*SCALE)
            size = [round(edge * scale) for edge in mask.shape]
            image, mask = cut(functional.resize(image, size, antialias=antialias), functional.resize(mask, size))
            # Crops are views of the resized picture with interleaved channels: a batch would need the same copy.
            return tv_tensors.wrap(image.contiguous(), like=image), tv_tensors.wrap(mask.contiguous(), like=mask)

        return {"decoded": decoded, "uint8": augmented, "float": lambda index, number: normalise(*augmented(index, number))}

    return {
        "PIL": way(with_pillow),
        "PIL, tensors": way(lambda path: functional.to_image(with_pillow(path))),
        "decode_jpeg, tensors": way(with_torchvision),
        "decode_jpeg, tensors, no antialias": way(with_torchvision, antialias=False),
    }


def report(us: Side, them: Side) -> None:
    decoding = statistics.median(us.seconds("decoded")["OpenCV"])
    for kind in KINDS:
        mine, others = us.seconds(kind)["OpenCV"], them.seconds(kind)
        ratios = [other / own for own, other in zip(mine, next(iter(others.values())), strict=True)]
        print(
            f"{kind:7} {1 / statistics.median(mine):.0f} pictures per second, decoding takes {decoding / statistics.median(mine):.0%}; "
            f"{statistics.median(ratios):.2f} times torchvision's fastest, {min(ratios):.2f} to {max(ratios):.2f} in {len(ratios)} rounds"
            f"{TARGETS.get(kind, '')}"
        )
        print("        torchvision: " + "; ".join(f"{way} {1 / statistics.median(each):.0f}" for way, each in others.items()))


def main(python: str, root: Path, pictures: int, rounds: int) -> None:
    us, them = Side(sys.executable, "ours", root), Side(python, "theirs", root)
    for kind in ("uint8", "float"):
        made = [kinds[kind] for side in (us, them) for kinds in side.made.values()]
        assert all(each == made[0] for each in made), f"the sides return different outputs for the kind {kind}: {made}"
    turns = [(side, way, kind) for kind in KINDS for side in (us, them) for way in side.made]
    for number in range(rounds + 1):
        for side, way, kind in turns if number % 2 else reversed(turns):
            side.measure(way, kind, pictures, number)
    report(us, them)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        serve(*sys.argv[2:])
        sys.exit()
    parser = argparse.ArgumentParser()
    parser.add_argument("python", metavar="TORCHVISION_PYTHON")
    parser.add_argument("--data-root", type=Path)
    parser.add_argument("--pictures", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=11)
    given = parser.parse_args()
    if given.data_root:
        main(given.python, given.data_root, given.pictures, given.rounds)
        sys.exit()
    from datamodules.synthetic_voc import write_voc

    with tempfile.TemporaryDirectory() as folder:
        write_voc(Path(folder), train=given.pictures, val=1, size=500, seed=0)
        main(given.python, Path(folder), given.pictures, given.rounds)

"""Trainings are deterministic on every device: torch refuses what has no deterministic algorithm there, and twice is the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

from datamodules.images import ImagesDataModule
from lightning_modules.classification import ImageClassification
from lightning_modules.networks.adaptive_vgg import AdaptiveVGG
from lightning_modules.networks.all_cnn import AllCNN
from lightning_modules.networks.cifar_resnet import CIFARResNet
from lightning_modules.networks.efficientnet import EfficientNetB0
from lightning_modules.networks.nin import NiN
from lightning_modules.networks.toy_cnn import ToyCNN
from lightning_modules.recipe import SGD, Group, Optimization
from lightning_modules.segmentation import SemanticSegmentation

SUBSAMPLED = {"sigma": 1.5, "subsampling": 4.0}
NETWORKS: dict[str, tuple[type[nn.Module], dict[str, Any]]] = {
    "nin": (NiN, {"width": 0.1}),
    "jet nin": (NiN, {"width": 0.1, "pooling": False, "jet": SUBSAMPLED}),
    "jet all-cnn": (AllCNN, {"width": 0.1, "strided": False, "jet": SUBSAMPLED | {"normalized": True}}),
    "jet resnet": (CIFARResNet, {"depth": 8, "jet": SUBSAMPLED | {"subsampling_rule": "code", "subsampling": 1.5}}),
    "jet efficientnet": (EfficientNetB0, {"width": 0.2, "depth": 0.25, "jet": {"sigma_per_filter": True}}),
    "half separable": (ToyCNN, {"in_channels": 3, "jet": {"evaluation": "half separable"}}),
    "fully separable": (ToyCNN, {"in_channels": 3, "jet": {"evaluation": "fully separable"}}),
    "dilated": (ToyCNN, {"in_channels": 3, "dilation": 2}),
    "deformable": (ToyCNN, {"in_channels": 3, "deformable": True}),
    "adaptive vgg": (AdaptiveVGG, {"dilation": 2, "width": 1 / 64, "head_channels": 4}),
}
devices = pytest.mark.parametrize(
    "device", ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU"))]
)


@pytest.fixture(autouse=True)
def undone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a Trainer switches on for the whole process ends with the test."""
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before = torch.are_deterministic_algorithms_enabled()
    yield
    torch.use_deterministic_algorithms(before)


def trained(name: str, device: str) -> dict[str, torch.Tensor]:
    """Train a network for two steps and evaluate it; return its weights, statistics and scores."""
    torch.manual_seed(0)
    kind, options = NETWORKS[name]
    maps = kind is AdaptiveVGG
    optimization = Optimization(SGD(1e-3), groups=(Group("f", 6e4, weight_decay=0.0),) if maps else ())
    task = (SemanticSegmentation if maps else ImageClassification)(kind(10, **options), 10, optimization)
    labels = torch.randint(10, (8, 32, 32) if maps else (8,))
    batch = {"image": torch.randn(8, 3, 32, 32), "mask" if maps else "label": labels, "name": [""] * 8}
    trainer = pl.Trainer(
        accelerator=device, devices=1, max_steps=2, deterministic=True, logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, num_sanity_val_steps=0,
    )  # fmt: skip
    batches = DataLoader([batch, batch], batch_size=None)
    trainer.fit(task, batches, batches)
    scores = trainer.test(task, batches, verbose=False)[0]
    return {**task.network.state_dict(), "scores": torch.tensor(list(scores.values()))}


@devices
@pytest.mark.parametrize("name", NETWORKS)
def test_a_training_twice_is_the_same(name: str, device: str) -> None:
    first, second = trained(name, device), trained(name, device)
    assert all(torch.equal(value, second[key]) for key, value in first.items())


@devices
def test_pictures_are_prepared_under_deterministic_algorithms(device: str) -> None:
    torch.use_deterministic_algorithms(True)
    generator = torch.Generator().manual_seed(0)
    module = ImagesDataModule("", "cifar10", padding=4, flip=True, scale=1.5)
    batch = {
        "image": torch.randint(256, (8, 3, 32, 32), dtype=torch.uint8, generator=generator),
        "corner": torch.randint(9, (8, 2), generator=generator),
        "flip": torch.arange(8) % 2 == 0,
        "label": torch.arange(8),
    }
    there = {key: value.to(device) for key, value in batch.items()}
    prepared, expected = (module.on_after_batch_transfer({**each, "name": []}, 0)["image"] for each in (there, batch))
    assert prepared.shape == (8, 3, 48, 48)
    torch.testing.assert_close(prepared.cpu(), expected, rtol=1e-5, atol=1e-5)

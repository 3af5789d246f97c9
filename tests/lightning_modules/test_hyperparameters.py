"""Checkpoints and `hparams.yaml` are enough to have a task again, where its network is one of ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
import yaml
from lightning.pytorch.loggers import CSVLogger
from torch import Tensor, nn
from torch.utils.data import DataLoader

from lightning_modules import (
    SGD,
    Adam,
    Cosine,
    Group,
    ImageClassification,
    Inference,
    Optimization,
    SemanticSegmentation,
    Steps,
    Task,
)  # fmt: skip
from lightning_modules.hyperparameters import built, described, made, plain
from lightning_modules.networks import AdaptiveVGG, AllCNN, CIFARResNet, EfficientNetB0, MultiPathVGG, NiN, ToyCNN

pytestmark = pytest.mark.filterwarnings("ignore:You defined a `validation_step`")  # none is wanted
PIXELS: dict[str, Any] = {
    "one path": lambda: AdaptiveVGG(5, 2, width=1 / 64, head_channels=4, background_weight=0.5, strides=(2, 2, 1, 1, 1)),
    "baseline": lambda: AdaptiveVGG(5, dilation=2, inflated=False, width=1 / 64, head_channels=4, batch_norm=True),
    "paths": lambda: MultiPathVGG(5, (2, 4), label_sets=((1, 2), ()), width=1 / 64, head_channels=4),
}
JET = {"sigma": 1.5, "subsampling": 4.0}
PICTURES: dict[str, Any] = {
    "nin": lambda: NiN(5, filter_sizes=(3, 3, 3), width=0.05, jet=JET),
    "all-cnn": lambda: AllCNN(5, width=0.05, jet={**JET, "learn_sigma": False}),
    "resnet": lambda: CIFARResNet(5, 8, width=0.25, jet=JET),
    "efficientnet": lambda: EfficientNetB0(5, width=0.1, depth=0.3, jet={"sigma_per_filter": True}),
    "toy": lambda: ToyCNN(5, in_channels=3, deformable=True),
}


class Own(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, channels, 1)

    def forward(self, image: Tensor) -> Tensor:
        return self.layer(image)  # type: ignore[no-any-return]


def trained(task: pl.LightningModule, folder: Path, key: str, shape: tuple[int, ...]) -> Path:
    """Take a step, and return the checkpoint."""
    generator = torch.Generator().manual_seed(0)
    label = torch.randint(5, (2, *shape), generator=generator)
    image = torch.randn(2, 3, 32, 32, generator=generator)
    trainer = pl.Trainer(
        max_steps=1, accelerator="cpu", logger=CSVLogger(folder), enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, log_every_n_steps=1, default_root_dir=folder,
    )  # fmt: skip
    trainer.fit(task, DataLoader([{"image": image, key: label}], batch_size=None))
    trainer.save_checkpoint(folder / "one.ckpt")
    return folder / "one.ckpt"


def assert_same(task: Any, other: Any) -> None:
    image = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    assert torch.equal(task.eval()(image), other.eval()(image))
    assert (task.optimization, task.inference, task.hparams) == (other.optimization, other.inference, other.hparams)


@pytest.mark.parametrize("make", PIXELS.values(), ids=PIXELS)
def test_a_segmentation_is_loaded_by_its_path(make: Any, tmp_path: Path) -> None:
    optimization = Optimization(SGD(1e-4), Steps((2,)), (Group("f", 2.0, clip=1.0, optional=True),), frozen=("biases",))
    task = SemanticSegmentation(make(), 5, optimization, Inference((0.5, 1), flip=True), "mean", ignore_index=7)
    path = trained(task, tmp_path, "mask", (32, 32))
    other = SemanticSegmentation.load_from_checkpoint(path)
    assert (other.reduction, other.ignore_index, other.metric.ignore_index) == ("mean", 7, 7)
    assert other.network.arguments == made(plain(task.network.arguments))
    assert_same(task, other)


@pytest.mark.parametrize("make", PICTURES.values(), ids=PICTURES)
def test_a_classification_is_loaded_by_its_path(make: Any, tmp_path: Path) -> None:
    task = ImageClassification(make(), 5, Optimization(Adam(1e-3), Cosine(warmup=1)))
    path = trained(task, tmp_path, "label", ())
    assert_same(task, ImageClassification.load_from_checkpoint(path))


def test_checkpoints_and_yaml_hold_plain_values_that_make_the_task_again(tmp_path: Path) -> None:
    network = NiN(5, width=np.float64(0.05), jet=JET)
    path = trained(ImageClassification(network, 5, Optimization(SGD(1e-3))), tmp_path, "label", ())
    kept = torch.load(path, weights_only=True)["hyper_parameters"]
    assert kept["network"] == {"type": "NiN", "num_classes": 5, "width": 0.05, "jet": JET}
    assert ImageClassification.load_from_checkpoint(path, weights_only=True).network.arguments == network.arguments
    (file,) = tmp_path.rglob("hparams.yaml")
    assert yaml.safe_load(file.read_text()) == kept
    made_again = ImageClassification(**yaml.safe_load(file.read_text()))
    assert made_again.network.arguments == {"num_classes": 5, "width": 0.05, "jet": JET}
    assert made_again.optimization == Optimization(SGD(1e-3))


def test_a_users_own_network_has_to_be_given(tmp_path: Path) -> None:
    task = SemanticSegmentation(Own(5), 5, Optimization(SGD(1e-3)))
    path = trained(task, tmp_path, "mask", (32, 32))
    assert_same(task, SemanticSegmentation.load_from_checkpoint(path, network=Own(5)))
    with pytest.raises(
        ValueError,
        match=r"Expected `network` as an argument, but got none; .*:Own is not in .*load_from_checkpoint\(path, network=\.\.\.\)",
    ):
        SemanticSegmentation.load_from_checkpoint(path)


def test_a_users_network_named_as_one_of_ours_is_not_taken_for_it() -> None:
    class NiN(Own):
        pass

    class Wider(AllCNN):
        pass

    assert described(NiN(5))["type"].endswith("NiN")
    for network in (NiN(5), Wider(5, width=0.05), AllCNN(5, width=0.05, dropout=torch.tensor(0.5))):  # type: ignore[arg-type]
        assert ":" in described(network)["type"]
        with pytest.raises(ValueError, match="Expected `network`"):
            built(described(network))


@pytest.mark.parametrize("name", ["os:system", "vgg16_features", "JetNetworks", None])
def test_nothing_but_our_networks_is_built(name: str | None) -> None:
    with pytest.raises(ValueError, match="Expected `network`"):
        built({"type": name, "num_classes": 5})


def test_parts_of_a_recipe_come_back() -> None:
    value = Optimization(Adam(0.1, betas=(0.8, 0.9)), Steps((1, 2)), (Group("f"),), ("norms",), 1.0)
    assert made(plain(value)) == value
    with pytest.raises(ValueError, match=r"Expected a part of a recipe .* but got 'Popen'"):
        made({"type": "Popen"})


def test_a_task_of_ones_own_keeps_its_options(tmp_path: Path) -> None:
    class Regression(Task):
        def __init__(self, network: Any, optimization: Any = None, inference: Any = None, *, scale: float = 1.0) -> None:
            super().__init__(network, optimization, inference, scale=scale)
            self.scale = scale

        def loss(self, batch: Any) -> Tensor:
            return (self(batch["image"]) * self.scale).square().mean()

    task = Regression(NiN(5, width=0.05), Optimization(SGD(1e-3)), scale=2.0)
    other = Regression.load_from_checkpoint(trained(task, tmp_path, "label", ()))
    assert other.scale == 2.0
    assert_same(task, other)

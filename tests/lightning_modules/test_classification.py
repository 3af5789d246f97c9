"""The task of whole pictures: its loss, filters that follow sigma through the optimiser, its accuracy."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader

from lightning_modules.classification import ImageClassification
from lightning_modules.layers.derivatives import half_size
from lightning_modules.layers.njet import NJetConv2d
from lightning_modules.networks.toy_cnn import ToyCNN
from lightning_modules.recipe import SGD, Adam, Constant, Optimization, Optimizer, Schedule, Steps


def task(optimizer: Optimizer | None = None, schedule: Schedule | None = None) -> ImageClassification:
    torch.manual_seed(0)
    network = ToyCNN(5, layers=2, channels=4, jet={"order": 2, "subsampling": 4.0})
    made = ImageClassification(network, 5, Optimization(optimizer or SGD(0.1), schedule or Constant()))
    made.log = made.log_dict = lambda *args, **kwargs: None  # type: ignore[method-assign]  # there is no Trainer
    made._trainer = SimpleNamespace(accumulate_grad_batches=1, max_steps=-1)  # type: ignore[assignment]
    return made


def batch(count: int = 6) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(1)
    return {"image": torch.randn(count, 1, 12, 12, generator=generator), "label": torch.randint(5, (count,), generator=generator)}


def layers(made: ImageClassification) -> list[NJetConv2d]:
    return [module for module in made.modules() if isinstance(module, NJetConv2d)]


def test_the_loss_is_the_mean_over_the_batch() -> None:
    made, data = task(), batch()
    scores = made(data["image"]).double()
    by_hand = sum(torch.logsumexp(row, 0) - row[label] for row, label in zip(scores, data["label"], strict=True)) / len(scores)
    torch.testing.assert_close(made.training_step(data).double(), by_hand, rtol=1e-5, atol=1e-6)


def test_a_step_of_sigma_changes_its_filters_size() -> None:
    made = task(SGD(0.0, momentum=0.0, weight_decay=0.0))
    optimizer = made.configure_optimizers()["optimizer"]
    first, second = layers(made)
    first.scale.grad, second.scale.grad = torch.tensor(-1.0), torch.tensor(0.25)
    optimizer.param_groups[0]["lr"] = 1.0
    assert [layer.size for layer in (first, second)] == [5, 5]
    optimizer.step()
    assert [layer.sigma.item() for layer in (first, second)] == pytest.approx([2.0, 2**-0.25])
    assert [layer.size for layer in (first, second)] == [9, 2 * half_size(2**-0.25, 2.0) + 1]
    assert first(torch.zeros(1, 1, 12, 12)).shape[-1] == math.floor(12 * 0.5 ** (2 / 4))  # and so does the map's


def test_a_training_step_moves_sigma_by_its_gradient() -> None:
    made = task(SGD(0.1, momentum=0.0, weight_decay=0.0))
    optimizer = made.configure_optimizers()["optimizer"]
    made.training_step(batch()).backward()
    gradients = [layer.scale.grad.item() for layer in layers(made)]
    assert all(gradients)
    optimizer.step()
    assert [layer.scale.item() for layer in layers(made)] == pytest.approx([-0.1 * gradient for gradient in gradients])


def test_sgd_and_adam_have_what_is_asked_for_and_every_parameter() -> None:
    sgd = task(SGD(0.1, momentum=0.8, weight_decay=1e-3)).configure_optimizers()["optimizer"]
    adam = task(Adam(0.1, weight_decay=0.0)).configure_optimizers()["optimizer"]
    assert type(sgd) is torch.optim.SGD
    assert type(adam) is torch.optim.Adam
    (group,), (other,) = sgd.param_groups, adam.param_groups
    assert (group["lr"], group["momentum"], group["weight_decay"]) == (0.1, 0.8, 1e-3)
    assert (other["lr"], other["weight_decay"]) == (0.1, 0.0)
    assert len(group["params"]) == len(other["params"]) == len(list(task().network.parameters()))


def test_an_unknown_optimiser_is_refused() -> None:
    with pytest.raises(ValueError, match=r"Expected `optimizer` to be .*SGD.*Adam.*, but got 'lion'"):
        task("lion")  # type: ignore[arg-type]


def test_the_rate_falls_by_optimiser_steps() -> None:
    configured = task(schedule=Steps((2, 3), gamma=0.5)).configure_optimizers()
    optimizer, schedule = configured["optimizer"], configured["lr_scheduler"]
    assert schedule["interval"] == "step"
    rates = []
    for _ in range(5):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule["scheduler"].step()
    assert rates == pytest.approx([0.1, 0.1, 0.05, 0.025, 0.025])


class Lines(pl.loggers.logger.DummyLogger):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[dict[str, float]] = []

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        self.lines.append(metrics)


class Told(nn.Module):
    """Predicts the class that a picture's first cell names."""

    def forward(self, image: Tensor) -> Tensor:
        return functional.one_hot(image[:, 0, 0, 0].long(), 3).float()


def loader(images: Tensor, labels: Tensor, size: int) -> DataLoader[Any]:
    samples = [{"image": image, "label": label} for image, label in zip(images, labels, strict=True)]
    return DataLoader(samples, batch_size=size)  # type: ignore[arg-type]


def trainer(folder: Path, **options: Any) -> pl.Trainer:
    return pl.Trainer(
        accelerator="cpu", devices=1, enable_progress_bar=False, enable_model_summary=False, default_root_dir=folder,
        enable_checkpointing=False, **{"logger": False, **options},
    )  # fmt: skip


def test_accuracy_counts_every_picture_once_whatever_the_last_batch(tmp_path: Path) -> None:
    labels = torch.tensor([0, 0, 0, 1, 1, 2, 2])
    said = torch.tensor([0, 0, 1, 1, 2, 2, 2])  # five of seven: a mean over batches of 4 and 3 would be 17 / 24
    made = ImageClassification(Told(), 3)
    images = said.float()[:, None, None, None].expand(7, 1, 2, 2)
    for size in (4, 1, 7):
        (scores,) = trainer(tmp_path).test(made, loader(images, labels, size), verbose=False)
        assert scores == pytest.approx({"test/accuracy": 5 / 7, "test/mean_accuracy": (2 / 3 + 1 / 2 + 1) / 3})
        assert made.confusion.tolist() == [[2, 1, 0], [0, 1, 1], [0, 0, 2]]
        assert made.samples == 7
    assert made.predict_step({"image": images}).tolist() == said.tolist()


def test_a_line_of_a_step_has_its_loss_and_the_sigmas_that_it_was_taken_with(tmp_path: Path) -> None:
    torch.manual_seed(0)
    made = ImageClassification(ToyCNN(5, layers=2, channels=4, jet={"order": 1}), 5, Optimization(SGD(0.05)))
    data, logger = batch(8), Lines()
    pictures = loader(data["image"], data["label"], 2)
    trainer(tmp_path, max_steps=4, logger=logger, log_every_n_steps=1, num_sanity_val_steps=0).fit(made, pictures, pictures)
    steps = [line for line in logger.lines if "train/loss" in line]
    assert len(steps) == 4
    assert {"trajectory/sigma_1", "trajectory/sigma_2"} <= steps[0].keys()
    assert steps[0]["trajectory/sigma_1"] == 1.0  # before the first step
    sigmas = [line["trajectory/sigma_1"] for line in steps] + [made.network.trajectory()["sigma_1"]]  # type: ignore[operator]
    assert len(set(sigmas)) == 5
    assert sum("val/accuracy" in line for line in logger.lines) == 1
    assert [layer.size for layer in layers(made)] == [2 * half_size(layer.sigma.item(), 2.0) + 1 for layer in layers(made)]


def test_a_network_that_learns_nothing_besides_weights_logs_nothing_of_it() -> None:
    logged: dict[str, float] = {}
    made = ImageClassification(nn.Sequential(nn.Flatten(), nn.Linear(4, 3)), 3, Optimization(SGD(0.1)))
    made.log_dict = lambda values, **_: logged.update(values)  # type: ignore[method-assign]
    made.on_before_optimizer_step(made.configure_optimizers()["optimizer"])
    assert logged == {}

"""What every task does: steps in parts, batches that are refused, predictions without labels, parts that follow what was learned."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.plugins import MixedPrecision
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader

from lightning_modules.classification import ImageClassification
from lightning_modules.inference import Inference
from lightning_modules.layers.derivatives import half_size
from lightning_modules.layers.njet import NJetConv2d
from lightning_modules.networks.adaptive_vgg import AdaptiveVGG
from lightning_modules.recipe import SGD, Group, Optimization, Steps
from lightning_modules.segmentation import REDUCTIONS, SemanticSegmentation
from lightning_modules.task import Count, Task

CLASSES = 5


class Lines(pl.loggers.logger.DummyLogger):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[dict[str, float]] = []

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        self.lines.append(metrics)

    def column(self, name: str) -> list[float]:
        return [line[name] for line in self.lines if name in line]


def trainer(folder: Path, **options: Any) -> pl.Trainer:
    return pl.Trainer(
        accelerator="cpu", devices=1, enable_progress_bar=False, enable_model_summary=False, default_root_dir=folder,
        enable_checkpointing=False, **{"logger": False, "log_every_n_steps": 1, "num_sanity_val_steps": 0, **options},
    )  # fmt: skip


def batches(count: int, size: int = 4, edge: int = 8, ignored: int = 0) -> list[dict[str, Any]]:
    generator = torch.Generator().manual_seed(1)
    made = []
    for _ in range(count):
        mask = torch.randint(CLASSES, (size, edge, edge), generator=generator)
        mask[:, :ignored] = 255
        image = torch.randn(size, 3, edge, edge, generator=generator)
        made.append({"image": image, "mask": mask, "label": mask[:, -1, -1], "name": ["a"] * size})
    return made


def parted(whole: list[dict[str, Any]], parts: int) -> list[dict[str, Any]]:
    made = []
    for batch in whole:
        size = len(batch["image"]) // parts
        made += [{key: value[first : first + size] for key, value in batch.items()} for first in range(0, size * parts, size)]
    return made


def loader(data: list[dict[str, Any]]) -> DataLoader[Any]:
    return DataLoader(data, batch_size=None)  # type: ignore[arg-type]


def pointwise(classes: int = CLASSES) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.Tanh(), nn.Conv2d(6, classes, 1))


def fitted(task: Task, data: list[dict[str, Any]], folder: Path, steps: int, **options: Any) -> Lines:
    logger = Lines()
    trainer(folder, max_steps=steps, logger=logger, limit_val_batches=0, **options).fit(task, loader(data), loader(data))
    return logger


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_a_step_in_parts_is_the_step_of_the_whole_batch(tmp_path: Path, reduction: str) -> None:
    whole, made = batches(3, ignored=2), {}
    for parts in (1, 2, 4):
        optimization = Optimization(SGD(1e-3), Steps((2,)), clip_norm=10.0)
        task = SemanticSegmentation(pointwise(), CLASSES, optimization, reduction=reduction)
        lines = fitted(task, parted(whole, parts), tmp_path, 3, accumulate_grad_batches=parts)
        made[parts] = (list(task.network.parameters()), lines.column("train/loss"), lines.column("train/loss_per_pixel"))
    weights, losses, pixels = made[1]
    assert len(losses) == 3
    assert len(pixels) == (3 if reduction == "batch" else 0)
    for parts in (2, 4):
        torch.testing.assert_close(made[parts][0], weights)
        assert made[parts][1:] == (pytest.approx(losses, rel=1e-5), pytest.approx(pixels, rel=1e-5))


def test_pictures_in_parts_are_the_step_of_the_whole_batch(tmp_path: Path) -> None:
    whole, made = batches(3), {}
    for parts in (1, 2):
        torch.manual_seed(0)
        network = nn.Sequential(nn.Flatten(), nn.Linear(192, CLASSES))
        task = ImageClassification(network, CLASSES, Optimization(SGD(1e-2)))
        lines = fitted(task, parted(whole, parts), tmp_path, 3, accumulate_grad_batches=parts)
        made[parts] = (list(network.parameters()), lines.column("train/loss"))
    torch.testing.assert_close(made[2][0], made[1][0])
    assert made[2][1] == pytest.approx(made[1][1], rel=1e-5)


def test_the_reductions_are_over_the_batch_over_labelled_pixels_and_a_sum() -> None:
    (batch,) = batches(1, ignored=3)
    network = pointwise()
    scores = functional.log_softmax(network(batch["image"]), 1)
    kept = batch["mask"] != 255
    total = -scores.gather(1, batch["mask"].where(kept, torch.tensor(0))[:, None])[:, 0][kept].sum()
    expected = {"batch": total / 4, "mean": total / kept.sum(), "sum": total}
    for reduction in REDUCTIONS:
        torch.testing.assert_close(SemanticSegmentation(network, CLASSES, reduction=reduction).loss(batch), expected[reduction])
    batch["mask"].fill_(255)
    for reduction in REDUCTIONS:
        assert SemanticSegmentation(network, CLASSES, reduction=reduction).loss(batch).item() == 0
    with pytest.raises(ValueError, match="Expected `reduction` to be 'batch' or 'mean' or 'sum', but got 'none'"):
        SemanticSegmentation(network, CLASSES, reduction="none")


def test_of_parts_with_unequal_labels_the_mean_is_the_mean_of_their_means(tmp_path: Path) -> None:
    data = batches(1, ignored=1) + batches(1, ignored=5)
    task = SemanticSegmentation(pointwise(), CLASSES, Optimization(SGD(0.0)), reduction="mean")
    expected = [task.loss(batch).item() for batch in data]
    assert fitted(task, data, tmp_path, 1, accumulate_grad_batches=2).column("train/loss") == pytest.approx([sum(expected) / 2])


def test_each_step_logs_the_loss_of_its_own_batches_where_an_epoch_does_not_end_with_a_full_step(tmp_path: Path) -> None:
    data = batches(3)
    task = SemanticSegmentation(pointwise(), CLASSES, Optimization(SGD(0.0)))
    first, second, third = (task.loss(batch).item() for batch in data)
    lines = fitted(task, data, tmp_path, 4, accumulate_grad_batches=2)
    assert lines.column("train/loss") == pytest.approx([(first + second) / 2, third] * 2)


def test_the_shares_of_fs_gradient_are_those_of_all_parts_and_begin_anew_each_step(tmp_path: Path) -> None:
    whole, made = batches(2, edge=32), {}
    for parts in (1, 2):
        torch.manual_seed(0)
        network = AdaptiveVGG(CLASSES, 2, norm=False, width=1 / 64, head_channels=4, dropout=0.0)
        task = SemanticSegmentation(network, CLASSES, Optimization(SGD(1e-5), groups=(Group("f", 1e3, weight_decay=0.0),)))
        lines = fitted(task, parted(whole, parts), tmp_path, 2, accumulate_grad_batches=parts)
        made[parts] = {name: lines.column(f"trajectory/{name}") for name in ("f", "gradient_inflation", "gradient_interpolation")}
    assert all(len(set(values)) == 2 for values in made[1].values())
    for name, values in made[1].items():
        assert made[2][name] == pytest.approx(values, rel=1e-3), name


# Lightning lets the schedule go on where the scaler leaves out the first step; torch warns of that.
@pytest.mark.filterwarnings("ignore:Detected call of .lr_scheduler.step.*:UserWarning")
def test_a_step_that_half_precision_leaves_out_leaves_nothing_in_the_shares(tmp_path: Path) -> None:
    """The scaler leaves out steps whose scaled gradients are not finite, until its scale is low enough."""
    torch.manual_seed(0)
    network = AdaptiveVGG(CLASSES, 2, norm=False, width=1 / 64, head_channels=4, dropout=0.0)
    task = SemanticSegmentation(network, CLASSES, Optimization(SGD(0.0), groups=(Group("f", 0.0),)))
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**127, backoff_factor=2.0**-120)
    precision = MixedPrecision("16-mixed", "cpu", scaler)
    lines = fitted(task, batches(1, edge=32) * 4, tmp_path, 4, plugins=[precision])
    shares = torch.tensor([lines.column(f"trajectory/gradient_{name}") for name in ("inflation", "interpolation")])
    assert not shares[:, 0].isfinite().all()
    assert shares[:, 1:].isfinite().all()
    torch.testing.assert_close(shares[:, 1], shares[:, 3])


def test_predictions_need_no_labels(tmp_path: Path) -> None:
    network, data = pointwise(), batches(2)
    bare = [{"image": batch["image"], "name": batch["name"]} for batch in data]
    for inference in (None, Inference(flip=True)):
        task = SemanticSegmentation(network, CLASSES, inference=inference)
        found = trainer(tmp_path).predict(task, loader(bare))
        assert found is not None
        for batch, classes in zip(data, found, strict=True):
            scores = (inference or Inference())(network, batch["image"])
            assert torch.equal(classes, scores.argmax(1))  # type: ignore[arg-type]
    pictures = ImageClassification(nn.Sequential(network, nn.AdaptiveAvgPool2d(1), nn.Flatten()), CLASSES)
    found = trainer(tmp_path).predict(pictures, loader(bare))
    assert [classes.shape for classes in found] == [(4,), (4,)]  # type: ignore[union-attr]


def test_predictions_without_labels_are_at_the_pictures_own_size(tmp_path: Path) -> None:
    task = SemanticSegmentation(nn.Conv2d(3, CLASSES, 1, stride=2), CLASSES)
    (found,) = trainer(tmp_path).predict(task, loader([{"image": torch.zeros(1, 3, 9, 7), "name": ["a"]}]))  # type: ignore[misc]
    assert found.shape == (1, 9, 7)


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"image": torch.zeros(3, 8, 8)}, r"`image` of a batch to be B C H W, but got shape \(3, 8, 8\): 3 axes, not 4"),
    (
        {"mask": torch.zeros(4, 1, 8, 8, dtype=torch.long)},
        r"`mask` of a batch to be B H W with the same B as `image`, 4, but got shape \(4, 1, 8, 8\)",
    ),
    ({"mask": torch.zeros(3, 8, 8, dtype=torch.long)}, r"`mask` .* with the same B as `image`, 4, but got shape \(3, 8, 8\)"),
    ({"mask": torch.full((4, 8, 8), 7)}, "`mask` of a batch to hold classes from 0 to 4, or 255 if ignored, but got 7"),
    ({"mask": torch.full((4, 8, 8), -1)}, "`mask` of a batch to hold classes from 0 to 4, or 255 if ignored, but got -1"),
]


@pytest.mark.parametrize(("wrong", "sentence"), WRONG)
@pytest.mark.parametrize("stage", ["fit", "validate", "test"])
def test_a_batch_that_would_be_misread_is_refused(tmp_path: Path, wrong: dict[str, Any], sentence: str, stage: str) -> None:
    task = SemanticSegmentation(pointwise(), CLASSES, Optimization(SGD(1e-3)))
    data = loader([batches(1)[0] | wrong])
    run = trainer(tmp_path, max_steps=1, limit_val_batches=0 if stage == "fit" else 1)
    with pytest.raises(ValueError, match=f"Expected {sentence}"):
        getattr(run, stage)(task, data, **({"val_dataloaders": data} if stage == "fit" else {"verbose": False}))


def test_labels_of_pictures_are_refused_likewise() -> None:
    task = ImageClassification(nn.Flatten(), CLASSES)
    image = torch.zeros(2, 3, 8, 8)
    for label, sentence in (
        (torch.tensor([[0], [1]]), r"`label` of a batch to be B with the same B as `image`, 2, but got shape \(2, 1\)"),
        (torch.tensor([0, 5]), "`label` of a batch to hold classes from 0 to 4, or -1 if ignored, but got 5"),
    ):
        with pytest.raises(ValueError, match=f"Expected {sentence}"):
            task.check({"image": image, "label": label})
    task.check({"image": image, "label": torch.tensor([0, 4])})


@pytest.mark.parametrize("classes", [CLASSES - 1, CLASSES + 2])
def test_a_network_of_other_classes_is_refused(tmp_path: Path, classes: int) -> None:
    sentence = rf"Expected the network's scores to have 5 channels, one per class, but got shape \(4, {classes}, 8, 8\)"
    task = SemanticSegmentation(pointwise(classes), CLASSES, Optimization(SGD(1e-3)))
    (batch,) = batches(1)
    with pytest.raises(ValueError, match=sentence):
        task.loss(batch)
    with pytest.raises(ValueError, match=sentence):
        trainer(tmp_path).test(task, loader([batch]), verbose=False)
    pictures = ImageClassification(nn.Sequential(nn.Flatten(), nn.Linear(192, classes)), CLASSES)
    with pytest.raises(
        ValueError, match=rf"Expected the network's scores to have 5 channels, one per class, but got shape \(4, {classes}\)"
    ):
        pictures.loss(batch)


def test_maps_for_whole_pictures_are_refused() -> None:
    with pytest.raises(ValueError, match=r"Expected the network's scores to be B 5, one row per picture, but got \(4, 5, 8, 8\)"):
        ImageClassification(pointwise(), CLASSES).loss(batches(1)[0])


def test_njet_layers_of_any_network_change_their_size_while_it_is_trained(tmp_path: Path) -> None:
    torch.manual_seed(0)
    layers = [NJetConv2d(3, 4, 1), NJetConv2d(4, CLASSES, 1)]
    optimization = Optimization(SGD(0.01), groups=(Group("0.scale", rate=50.0, weight_decay=0.0, clip=1.0),))
    task = SemanticSegmentation(nn.Sequential(layers[0], nn.ReLU(), layers[1]), CLASSES, optimization, reduction="mean")
    sizes = []

    class Sizes(pl.Callback):
        def on_train_batch_end(self, *_: Any) -> None:
            sizes.append([layer.size for layer in layers])
            assert sizes[-1] == [2 * half_size(layer.sigma.item(), 2.0) + 1 for layer in layers]

    fitted(task, batches(6), tmp_path, 6, callbacks=[Sizes()])
    assert len({tuple(each) for each in sizes}) > 1


def test_a_network_that_uses_labels_gets_them_in_training_alone() -> None:
    class Guided(nn.Module):
        uses_labels = True

        def __init__(self) -> None:
            super().__init__()
            self.plain = pointwise()
            self.seen: list[Tensor | None] = []

        def forward(self, image: Tensor, labels: Tensor | None = None) -> Tensor:
            self.seen.append(labels)
            scores: Tensor = self.plain(image)
            return scores

    network, (batch,) = Guided(), batches(1)
    task = SemanticSegmentation(network, CLASSES)
    task.loss(batch)
    task.test_step(batch)
    task.predict_step(batch)
    assert network.seen[0] is batch["mask"]
    assert network.seen[1:] == [None, None]


def test_samples_are_counted_over_batches_of_any_size_and_anew_in_each_evaluation(tmp_path: Path) -> None:
    count = Count()
    for samples in (3, 1, 3):
        count.update(samples)
    assert int(count.compute()) == 7
    task = SemanticSegmentation(pointwise(), CLASSES)
    data = [*batches(1, size=3), *batches(1, size=1), *batches(1, size=3)]
    for _ in range(2):
        trainer(tmp_path).test(task, loader(data), verbose=False)
        assert task.samples == 7
        assert int(task.confusion.sum()) == 7 * 64
    assert not task.counted.samples.any()
    assert not task.metric.matrix.any()


def test_the_result_holds_what_was_measured_learned_and_follows_from_the_structure(tmp_path: Path) -> None:
    network = AdaptiveVGG(CLASSES, 2, width=1 / 64, head_channels=4)
    task = SemanticSegmentation(network, CLASSES)
    (scores,) = trainer(tmp_path).test(task, loader(batches(1, edge=32)), verbose=False)
    result = task.results(SimpleNamespace(shape=(3, 32, 32), parts=None))
    assert {f"test/{name}": value for name, value in task.measured.items()} == pytest.approx(dict(scores))
    assert result["mean_iou"] == task.measured["mean_iou"]
    assert (result["f"], result["stride"], result["pool5_receptive_field"]) == (1.0, 8, 212)
    assert "gradient_inflation" not in result
    assert "stride" not in task.results(SimpleNamespace(parts=None))
    assert task.kept() == {"confusion": task.confusion.tolist(), "counted": 4096}


def test_a_checkpoint_holds_the_recipe_in_plain_values(tmp_path: Path) -> None:
    optimization = Optimization(SGD(1e-3), Steps((2,)), (Group("biases", 2.0),), clip_norm=1.0)
    task, run = SemanticSegmentation(pointwise(), CLASSES, optimization, Inference(flip=True)), trainer(tmp_path, max_steps=1)
    run.fit(task, loader(batches(1)), loader(batches(1)))
    run.save_checkpoint(tmp_path / "one.ckpt")
    kept = torch.load(tmp_path / "one.ckpt", weights_only=True)["hyper_parameters"]
    assert kept["num_classes"] == CLASSES
    assert kept["optimization"]["optimizer"] == {
        "type": "SGD", "learning_rate": 1e-3, "momentum": 0.9, "weight_decay": 5e-4, "nesterov": False
    }  # fmt: skip
    assert (kept["optimization"]["schedule"]["milestones"], kept["optimization"]["groups"][0]["name"]) == ([2], "biases")
    assert (kept["inference"]["flip"], kept["reduction"]) == (True, "batch")


def test_a_task_that_does_not_say_its_loss_is_named() -> None:
    class Odd(Task):
        pass

    with pytest.raises(NotImplementedError, match="Odd has no `loss`"):
        Odd(pointwise()).loss({})


def is_last(tensor: Tensor) -> bool:
    return tensor.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("inflated", [False, True])
def test_channels_last_in_memory_changes_a_training_by_rounding_alone(inflated: bool, tmp_path: Path) -> None:
    trained = []
    for last in (False, True):
        torch.manual_seed(0)
        network = AdaptiveVGG(CLASSES, 2, inflated=inflated, width=1 / 16, head_channels=8, batch_norm=True, dropout=0.0)
        network.channels_last = last
        seen: list[bool] = []
        network.head.register_forward_pre_hook(lambda head, _, seen=seen: seen.append(is_last(head.fc6.weight)))
        task = SemanticSegmentation(network, CLASSES, Optimization(SGD(1e-4), groups=(Group("f", 100.0, optional=True),)))
        losses = fitted(task, batches(4, edge=32), tmp_path, 4).column("train/loss_per_pixel")
        trained.append((losses, network.state_dict()))
        assert seen == [last] * 4
        assert not is_last(network.head.fc6.weight)  # as the weights of a checkpoint, when the training is over
    assert trained[0][0] == pytest.approx(trained[1][0], rel=1e-4)
    assert len(set(trained[0][0])) == 4
    torch.testing.assert_close(trained[0][1], trained[1][1], rtol=1e-3, atol=1e-4)

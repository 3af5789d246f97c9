import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from datamodules import DataError, ImagesDataModule, Vouch, images, loading
from datamodules.layouts.images import SETS, find
from datamodules.sampler import StepSampler

TRAIN, TEST = 23, 11  # of the made-up sets


def ready(images_root: Path, name: str = "cifar10", **arguments: Any) -> ImagesDataModule:
    module = ImagesDataModule(images_root, name, **({"batch_size": 4} | arguments))
    module.setup("fit")
    return module


def on_device(module: ImagesDataModule, loader: Any) -> list[dict[str, Any]]:
    return [module.on_after_batch_transfer(batch, 0) for batch in loader]


class Recorder(pl.LightningModule):
    """Learns next to nothing and remembers the batches that it saw."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(3, 10)
        self.seen: list[tuple[list[str], int]] = []
        self.validated: list[str] = []

    def training_step(self, batch: dict[str, Any], batch_idx: int) -> Tensor:
        assert (batch["image"].dtype, batch["label"].dtype) == (torch.float32, torch.int64)
        self.seen.append((batch["name"], hash(batch["image"].numpy().tobytes())))
        return nn.functional.cross_entropy(self.net(batch["image"].mean((2, 3))), batch["label"])

    def validation_step(self, batch: dict[str, Any], batch_idx: int) -> None:
        self.validated += batch["name"]

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.01)


@pytest.mark.parametrize("name", SETS)
def test_batches(images_root: Path, name: str) -> None:
    module = ready(images_root, name)
    layout = find(images_root, name)
    assert (module.classes, module.num_classes) == (SETS[name].classes, len(SETS[name].classes))
    assert module.vouch == Vouch("synthetic", "34 pictures: train 23, test 11")
    assert module.fingerprint == layout.fingerprint()
    assert len(module.train_dataloader()) == 6
    batch = next(iter(module.train_dataloader()))
    assert (batch["image"].dtype, batch["image"].shape, batch["label"].dtype) == (torch.uint8, (4, *module.shape), torch.int64)
    after = module.on_after_batch_transfer(batch, 0)
    assert after.keys() == {"image", "label", "name"}
    mean, std = (torch.tensor(values).view(-1, 1, 1) for values in (SETS[name].mean, SETS[name].std))
    torch.testing.assert_close((after["image"] * std + mean) * 255, batch["image"].float(), atol=1e-3, rtol=0)


def test_training_pictures_are_those_of_the_files_in_the_order_of_the_sampler(images_root: Path) -> None:
    module = ready(images_root, steps=8, seed=2)
    held = module.layout.splits["train"]
    for batch, order in zip(module.train_dataloader(), StepSampler(TRAIN, 4, 8, 2), strict=True):
        assert batch["name"] == [f"train_{index:05d}" for index in order]
        np.testing.assert_array_equal(batch["image"].numpy(), held.images[order])
        assert batch["label"].tolist() == held.labels[order].tolist()


@pytest.mark.parametrize("padding", [0, 1, 4])
def test_augmentation_is_that_of_each_picture_alone(images_root: Path, padding: int) -> None:
    module = ready(images_root, steps=5, seed=2, padding=padding, flip=True)
    held = module.layout.splits["train"].images
    mean, std = (np.array(values)[:, None, None] for values in (SETS["cifar10"].mean, SETS["cifar10"].std))
    flipped = 0
    for step, batch in enumerate(module.train_dataloader()):
        after = module.on_after_batch_transfer(batch, 0)
        for index, name in enumerate(batch["name"]):
            (corner,), (flip,) = images.draw(2, step, index, 1, padding)
            padded = np.pad(held[int(name[-5:])], ((0, 0), (padding, padding), (padding, padding)))
            crop = padded[:, corner[0] : corner[0] + 32, corner[1] : corner[1] + 32]
            crop = crop[:, :, ::-1] if flip else crop
            np.testing.assert_allclose(after["image"][index].numpy(), (crop / 255 - mean) / std, atol=1e-5)
            flipped += int(flip)
    assert 0 < flipped < 20


def test_draws_follow_from_seed_step_and_index_alone_and_are_even() -> None:
    corner, flip = images.draw(5, 7, 0, 4000, 4)
    for first, count in ((0, 10), (10, 30), (3999, 1)):
        part = images.draw(5, 7, first, count, 4)
        assert torch.equal(part[0], corner[first : first + count])
        assert torch.equal(part[1], flip[first : first + count])
    for edge in corner.T:
        share = torch.bincount(edge, minlength=9) / 4000
        assert len(share) == 9
        assert (share - 1 / 9).abs().max() < 0.02  # four deviations
    assert abs(flip.float().mean() - 0.5) < 0.04
    assert abs(np.corrcoef(corner[:, 0], corner[:, 1])[0, 1]) < 0.07
    for seed, step in ((6, 7), (5, 8)):
        assert not torch.equal(images.draw(seed, step, 0, 4000, 4)[0], corner)


def test_flipping_alone_moves_nothing_and_cropping_alone_flips_nothing(images_root: Path) -> None:
    plain = on_device(ready(images_root, steps=6), ready(images_root, steps=6).train_dataloader())
    for arguments, kept in (({"flip": True}, "either"), ({"padding": 4}, "neither")):
        module = ready(images_root, steps=6, **arguments)
        pairs = [
            (one, other)
            for before, after in zip(plain, on_device(module, module.train_dataloader()), strict=True)
            for one, other in zip(before["image"], after["image"], strict=True)
        ]
        same = [torch.equal(one, other) for one, other in pairs]
        mirrored = [torch.equal(one.flip(2), other) for one, other in pairs]
        assert not all(same)
        if kept == "either":
            assert all(one or other for one, other in zip(same, mirrored, strict=True))
            assert any(same)
        else:
            assert not any(mirrored)


@pytest.mark.parametrize(("scale", "edge"), [(1.0, 28), (1.5, 42), (2.0, 56), (4.0, 112)])
def test_resized_pictures_are_bilinear_at_pixel_centres(images_root: Path, scale: float, edge: int) -> None:
    module = ready(images_root, "mnist", scale=scale)
    assert module.shape == (1, edge, edge)
    plain = on_device(ready(images_root, "mnist"), ready(images_root, "mnist").val_dataloader())
    for before, after in zip(plain, on_device(module, module.val_dataloader()), strict=True):
        assert after["image"].shape[1:] == module.shape
        at = np.clip((np.arange(edge) + 0.5) / scale - 0.5, 0, 27)
        low = np.minimum(np.floor(at).astype(int), 26)
        weights = np.zeros((edge, 28))
        weights[np.arange(edge), low], weights[np.arange(edge), low + 1] = 1 - (at - low), at - low
        np.testing.assert_allclose(after["image"].numpy(), weights @ before["image"].numpy() @ weights.T, atol=1e-5)


@pytest.mark.parametrize("batch_size", [1, 4, 100])
def test_evaluation_sees_each_picture_once_as_it_is(images_root: Path, batch_size: int) -> None:
    module = ready(images_root, batch_size=batch_size, padding=4, flip=True)
    held = module.layout.splits["test"]
    for loader in (module.val_dataloader(), module.test_dataloader()):
        batches = list(loader)
        assert [name for batch in batches for name in batch["name"]] == [f"test_{index:05d}" for index in range(TEST)]
        np.testing.assert_array_equal(torch.cat([batch["image"] for batch in batches]).numpy(), held.images)
        np.testing.assert_array_equal(torch.cat([batch["label"] for batch in batches]).numpy(), held.labels)


def test_predictions_are_of_pictures_without_labels_each_once(images_root: Path) -> None:
    module = ready(images_root, padding=4, flip=True)
    batches = [module.on_after_batch_transfer(batch, 0) for batch in module.predict_dataloader()]
    labelled = [module.on_after_batch_transfer(batch, 0) for batch in module.test_dataloader()]
    assert all(batch.keys() == {"image", "name"} for batch in batches)
    assert [name for batch in batches for name in batch["name"]] == [f"test_{index:05d}" for index in range(TEST)]
    for batch, other in zip(batches, labelled, strict=True):
        assert batch["name"] == other["name"]
        assert torch.equal(batch["image"], other["image"])


def test_ranks_share_every_batch_and_its_augmentation_and_evaluate_each_picture_once(
    images_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = ready(images_root, batch_size=6, steps=5, padding=4, flip=True)
    whole = on_device(module, module.train_dataloader())
    tested, trained = [], []
    for rank in range(3):
        monkeypatch.setattr(loading, "rank_and_world", lambda rank=rank: (rank, 3))
        tested += [name for batch in module.test_dataloader() for name in batch["name"]]
        trained.append(on_device(module, module.train_dataloader()))
    assert sorted(tested) == [f"test_{index:05d}" for index in range(TEST)]
    for batch, parts in zip(whole, zip(*trained, strict=True), strict=True):
        assert batch["name"] == [name for part in parts for name in part["name"]]
        for key in ("image", "label"):
            assert torch.equal(batch[key], torch.cat([part[key] for part in parts]))
    monkeypatch.setattr(loading, "rank_and_world", lambda: (0, 4))
    with pytest.raises(ValueError, match="divisible by their number 4, but got 6"):
        module.train_dataloader()
    monkeypatch.setattr(loading, "rank_and_world", lambda: (0, 12))
    with pytest.raises(ValueError, match="at most 11 devices, one a picture of `test`, but got 12"):
        module.val_dataloader()


def test_a_steps_batch_in_parts_is_the_same_with_the_same_augmentation(images_root: Path) -> None:
    whole, parted = [], []
    for parts, batches in ((1, whole), (2, parted)):
        module = ready(images_root, padding=4, flip=True)
        module.trainer = SimpleNamespace(global_step=1, max_steps=4, max_epochs=None, accumulate_grad_batches=parts)  # type: ignore[assignment]
        batches += [module.on_after_batch_transfer(batch, 0) for batch in module.train_dataloader()]
    assert (len(whole), len(parted)) == (3, 6)
    for batch, first, second in zip(whole, parted[::2], parted[1::2], strict=True):
        assert batch["name"] == first["name"] + second["name"]
        for key in ("image", "label"):
            assert torch.equal(batch[key], torch.cat([first[key], second[key]]))


def test_a_resumed_training_is_the_undisturbed_training(images_root: Path, tmp_path: Path) -> None:
    def fit(steps: int, checkpoint: Path | None = None, seed: int = 5) -> tuple[Recorder, pl.Trainer]:
        torch.manual_seed(0)
        settings: dict[str, Any] = {"accelerator": "cpu", "logger": False, "enable_progress_bar": False, "enable_model_summary": False}
        settings |= {"default_root_dir": tmp_path, "enable_checkpointing": False, "use_distributed_sampler": False}
        model, run = Recorder(), pl.Trainer(max_steps=steps, num_sanity_val_steps=0, **settings)
        module = ImagesDataModule(images_root, "cifar10", batch_size=5, steps=9, seed=seed, padding=4, flip=True, scale=1.5)
        run.fit(model, datamodule=module, ckpt_path=checkpoint, weights_only=True)
        return model, run

    whole, _ = fit(9)
    half, run = fit(4)
    run.save_checkpoint(tmp_path / "half.ckpt")
    rest, run = fit(9, tmp_path / "half.ckpt")
    assert run.global_step == 9
    assert half.seen + rest.seen == whole.seen
    assert len({pixels for _, pixels in whole.seen}) == 9
    assert whole.validated == [f"test_{index:05d}" for index in range(TEST)]
    for one, other in zip(whole.parameters(), rest.parameters(), strict=True):
        assert torch.equal(one, other)
    with pytest.raises(ValueError, match="another order"):
        fit(9, tmp_path / "half.ckpt", seed=6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dataset": "emnist"}, "`dataset` to be one of mnist, fashion_mnist, cifar10, cifar100, svhn, but got 'emnist'"),
        ({"batch_size": 0}, "`batch_size` to be a positive integer, but got 0"),
        ({"steps": 0}, "`steps`"),
        ({"seed": -1}, "`seed` to be zero or a positive integer, but got -1"),
        ({"padding": -1}, "`padding`"),
        ({"scale": 0.5}, "`scale` to be a number from 1 on, but got 0.5"),
        ({"scale": float("nan")}, "`scale`"),
    ],
)
def test_bad_arguments(tmp_path: Path, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ImagesDataModule(tmp_path, **arguments)


def test_missing_and_broken_data_and_missing_setup(images_root: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="SVHN is missing"):
        ImagesDataModule(tmp_path, "svhn").setup()
    with pytest.raises(RuntimeError, match="`setup`"):
        ImagesDataModule(images_root).train_dataloader()
    shutil.copytree(images_root / "cifar10", tmp_path / "cifar10")
    path = tmp_path / "cifar10" / "cifar-10-batches-bin" / "data_batch_2.bin"
    path.write_bytes(b"\x0a" + path.read_bytes()[1:])
    with pytest.raises(DataError, match=r"data_batch_2\.bin has the label 10, which is not a class \(0 to 9\)"):
        ImagesDataModule(tmp_path).setup()

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from datamodules import DataError, VOCDataModule, Vouch, loading
from datamodules.augmentation import augment, draw
from datamodules.layouts import sbd, voc
from datamodules.sampler import StepSampler

pytestmark = [
    # Lightning advises more workers wherever there are two cores: its `_worker_check`, pytorch/trainer/connectors/data_connector.py.
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    # Lightning 2.6 makes what torch 2.10 deprecated: https://github.com/Lightning-AI/pytorch-lightning/issues/21326
    pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning"),
]


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("voc_cache")


def ready(voc_root: Path, cache: Path, **arguments: Any) -> VOCDataModule:
    module = VOCDataModule(voc_root, cache=cache, **({"crop": 48, "batch_size": 4} | arguments))
    module.prepare_data()
    module.setup("fit")
    return module


class Recorder(pl.LightningModule):
    """Learns next to nothing and remembers the batches that it saw."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Conv2d(3, 21, 1)
        self.seen: list[tuple[list[str], int, int]] = []

    def training_step(self, batch: dict[str, Any], batch_idx: int) -> Tensor:
        assert (batch["image"].dtype, batch["mask"].dtype) == (torch.float32, torch.int64)
        self.seen.append((batch["name"], hash(batch["image"].numpy().tobytes()), hash(batch["mask"].numpy().tobytes())))
        return nn.functional.cross_entropy(self.net(batch["image"]), batch["mask"], ignore_index=255)

    def validation_step(self, batch: dict[str, Any], batch_idx: int) -> None: ...

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.01)


def test_batches(voc_root: Path, cache: Path) -> None:
    module = ready(voc_root, cache)
    assert (module.num_classes, len(module.classes), module.classes[15]) == (21, 21, "person")
    assert module.vouch == Vouch("synthetic", "15 pictures: train_aug 10, val 5")
    assert module.fingerprint == voc.find(voc_root).fingerprint("train_aug", "val")
    assert len(module.train_dataloader()) == 3
    batch = next(iter(module.train_dataloader()))
    assert (batch["image"].dtype, batch["image"].shape) == (torch.uint8, (4, 3, 48, 48))
    assert (batch["mask"].dtype, batch["mask"].shape) == (torch.uint8, (4, 48, 48))
    after = module.on_after_batch_transfer(batch, 0)
    assert after["mask"].dtype == torch.int64
    assert after["name"] == batch["name"]
    back = after["image"] * torch.tensor(loading.STD).view(3, 1, 1) + torch.tensor(loading.MEAN).view(3, 1, 1)
    torch.testing.assert_close(back * 255, batch["image"].float(), atol=1e-3, rtol=0)


def test_crops_are_the_augmented_files(voc_root: Path, cache: Path) -> None:
    module = ready(voc_root, cache, steps=5, seed=2)
    samples = module.layout.samples("train_aug")
    decoded = sbd.decode(module.layout, cache)
    assert {sample.source for sample in samples} == {"VOC2012", "SBD"}
    for step, (batch, order) in enumerate(zip(module.train_dataloader(), StepSampler(len(samples), 4, 5, 2), strict=True)):
        assert batch["name"] == [samples[index].name for index in order]
        for index, number in enumerate(order):
            image = voc.read_image(module.layout, samples[number])
            path = module.layout.label(samples[number])
            path = decoded / f"{path.stem}.png" if samples[number].source == "SBD" else path
            mask = voc.read_label(path, samples[number].source, image.shape[:2])
            pixels, labels = augment(image, mask, 48, draw(2, step, index, (0.5, 2.0), True))
            np.testing.assert_array_equal(batch["image"][index].permute(1, 2, 0).numpy(), pixels)
            np.testing.assert_array_equal(batch["mask"][index].numpy(), labels)


@pytest.mark.parametrize("batch_size", [1, 4])
def test_evaluation_takes_whole_pictures_each_once(voc_root: Path, cache: Path, batch_size: int) -> None:
    module = ready(voc_root, cache, batch_size=batch_size)
    for loader in (module.val_dataloader(), module.test_dataloader()):
        batches = list(loader)
        assert [batch["name"] for batch in batches] == [[f"synthetic_{index:04d}"] for index in range(6, 11)]
        assert len({batch["image"].shape for batch in batches}) > 1
        for batch, sample in zip(batches, module.layout.samples("val"), strict=True):
            image = voc.read_image(module.layout, sample)
            np.testing.assert_array_equal(batch["image"][0].permute(1, 2, 0).numpy(), image)
            np.testing.assert_array_equal(batch["mask"][0].numpy(), voc.read_label(module.layout.label(sample), "VOC2012", image.shape[:2]))


def test_predictions_are_of_pictures_without_labels_each_once(voc_root: Path, cache: Path) -> None:
    module = ready(voc_root, cache)
    batches = [module.on_after_batch_transfer(batch, 0) for batch in module.predict_dataloader()]
    labelled = [module.on_after_batch_transfer(batch, 0) for batch in module.test_dataloader()]
    assert all(batch.keys() == {"image", "name"} for batch in batches)
    assert [name for batch in batches for name in batch["name"]] == [f"synthetic_{index:04d}" for index in range(6, 11)]
    for batch, other in zip(batches, labelled, strict=True):
        assert batch["name"] == other["name"]
        assert torch.equal(batch["image"], other["image"])


def test_ranks_lose_no_picture_and_share_every_batch(voc_root: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = ready(voc_root, cache, steps=3)
    whole = list(module.train_dataloader())
    tested, trained = [], []
    for rank in range(2):
        monkeypatch.setattr(loading, "rank_and_world", lambda rank=rank: (rank, 2))
        tested += [name for batch in module.test_dataloader() for name in batch["name"]]
        trained.append(list(module.train_dataloader()))
    assert sorted(tested) == [f"synthetic_{index:04d}" for index in range(6, 11)]
    for batch, parts in zip(whole, zip(*trained, strict=True), strict=True):
        assert batch["name"] == [name for part in parts for name in part["name"]]
        for key in ("image", "mask"):
            assert torch.equal(batch[key], torch.cat([part[key] for part in parts]))
    monkeypatch.setattr(loading, "rank_and_world", lambda: (0, 6))
    with pytest.raises(ValueError, match="at most 5 devices, one a picture of `val`, but got 6"):
        module.test_dataloader()


def test_a_steps_batch_in_parts_is_the_same_with_the_same_augmentation(voc_root: Path, cache: Path) -> None:
    whole, parted = [], []
    for parts, batches in ((1, whole), (2, parted)):
        module = ready(voc_root, cache)
        module.trainer = SimpleNamespace(global_step=1, max_steps=4, max_epochs=None, accumulate_grad_batches=parts)  # type: ignore[assignment]
        batches += [module.on_after_batch_transfer(batch, 0) for batch in module.train_dataloader()]
    assert (len(whole), len(parted)) == (3, 6)
    for batch, first, second in zip(whole, parted[::2], parted[1::2], strict=True):
        assert batch["name"] == first["name"] + second["name"]
        for key in ("image", "mask"):
            assert torch.equal(batch[key], torch.cat([first[key], second[key]]))


def test_workers_give_the_same_batches(voc_root: Path, cache: Path) -> None:
    alone, helped = (ready(voc_root, cache, steps=3, workers=workers).train_dataloader() for workers in (0, 1))
    for one, other in zip(alone, helped, strict=True):
        assert one["name"] == other["name"]
        assert torch.equal(one["image"], other["image"])
        assert torch.equal(one["mask"], other["mask"])


def test_a_resumed_training_is_the_undisturbed_training(voc_root: Path, cache: Path, tmp_path: Path) -> None:
    def fit(steps: int, checkpoint: Path | None = None, seed: int = 5) -> tuple[Recorder, pl.Trainer]:
        torch.manual_seed(0)
        settings: dict[str, Any] = {"accelerator": "cpu", "logger": False, "enable_progress_bar": False, "enable_model_summary": False}
        settings |= {"default_root_dir": tmp_path, "enable_checkpointing": False, "use_distributed_sampler": False}
        model, run = Recorder(), pl.Trainer(max_steps=steps, limit_val_batches=0, **settings)
        module = VOCDataModule(voc_root, crop=40, batch_size=3, steps=9, seed=seed, cache=cache)
        run.fit(model, datamodule=module, ckpt_path=checkpoint, weights_only=True)
        return model, run

    whole, _ = fit(9)
    half, run = fit(4)
    run.save_checkpoint(tmp_path / "half.ckpt")
    rest, run = fit(9, tmp_path / "half.ckpt")
    assert run.global_step == 9
    assert half.seen + rest.seen == whole.seen
    assert len({pixels for _, pixels, _ in whole.seen}) == 9
    for one, other in zip(whole.parameters(), rest.parameters(), strict=True):
        assert torch.equal(one, other)
    with pytest.raises(ValueError, match="another order"):
        fit(9, tmp_path / "half.ckpt", seed=6)


def test_voc_alone_needs_no_sbd(voc_root: Path, tmp_path: Path) -> None:
    shutil.copytree(voc_root / "voc", tmp_path / "data" / "voc")
    module = ready(tmp_path / "data", tmp_path / "cache", train="train")
    assert module.vouch.detail == "11 pictures: train 6, val 5"
    assert not list((tmp_path / "cache").glob("sbd-*"))
    with pytest.raises(DataError, match="SBD is missing"):
        VOCDataModule(tmp_path / "data").prepare_data()


def test_a_picture_of_both_splits_is_refused(voc_root: Path, cache: Path) -> None:
    assert ready(voc_root, cache, train="train_all", evaluate="val346").vouch.detail == "15 pictures: train_all 11, val346 4"
    with pytest.raises(ValueError, match="train_all and val share 1, such as 'synthetic_0006'"):
        ready(voc_root, cache, train="train_all")


def test_bad_labels_are_named_before_anything_is_trained(voc_root: Path, tmp_path: Path) -> None:
    shutil.copytree(voc_root, tmp_path / "data")
    layout = voc.find(tmp_path / "data")
    path = layout.label(layout.samples("val")[2])
    from PIL import Image

    with Image.open(path) as image:
        right, labels = image.copy(), np.array(image)
    labels[0, 0] = 77
    Image.fromarray(labels).save(path)
    for _ in range(2):
        with pytest.raises(DataError, match=r"synthetic_0008\.png have 77"):
            VOCDataModule(tmp_path / "data", train="train", cache=tmp_path / "cache").prepare_data()
    right.save(path)
    module = ready(tmp_path / "data", tmp_path / "cache", train="train")
    Image.fromarray(labels[1:]).save(path)
    with pytest.raises(DataError, match=r"synthetic_0008\.png are .* where their picture is"):
        list(module.val_dataloader())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"train": "test"}, "`train` to be one of train, val, .*, but got 'test'"),
        ({"evaluate": "test"}, "`evaluate` to be one of"),
        ({"crop": 0}, "`crop` to be a positive integer, but got 0"),
        ({"batch_size": 0}, "`batch_size`"),
        ({"steps": 0}, "`steps`"),
        ({"seed": -1}, "`seed` to be zero or a positive integer, but got -1"),
        ({"workers": -1}, "`workers`"),
        ({"scale": (0.0, 1.0)}, r"`scale` to be two positive numbers, the lower first, but got \(0.0, 1.0\)"),
        ({"scale": (2.0, 1.0)}, "`scale`"),
        ({"scale": (1.0, float("nan"))}, "`scale`"),
    ],
)
def test_bad_arguments(tmp_path: Path, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        VOCDataModule(tmp_path, **arguments)


def test_missing_data_and_missing_setup(tmp_path: Path, voc_root: Path) -> None:
    with pytest.raises(DataError, match="VOC2012 is missing"):
        VOCDataModule(tmp_path).prepare_data()
    with pytest.raises(RuntimeError, match="`setup`"):
        VOCDataModule(voc_root).train_dataloader()

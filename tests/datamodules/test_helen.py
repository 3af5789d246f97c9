import shutil
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
from torch import Tensor, nn

import datamodules
from datamodules import DataError, HelenDataModule, helen, loading
from datamodules.layouts.helen import CLASSES, find
from datamodules.sampler import StepSampler

pytestmark = [
    # Lightning advises more workers wherever there are two cores: its `_worker_check`, pytorch/trainer/connectors/data_connector.py.
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    # Lightning 2.6 makes what torch 2.10 deprecated: https://github.com/Lightning-AI/pytorch-lightning/issues/21326
    pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning"),
]


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def ready(data_root: Path, cache: Path, **arguments: Any) -> HelenDataModule:
    module = HelenDataModule(data_root, size=48, cache=cache, **arguments)
    module.prepare_data()
    module.setup("fit")
    return module


class Recorder(pl.LightningModule):
    """Learns next to nothing and remembers the names that it saw."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Conv2d(3, 11, 1)
        self.seen: list[list[str]] = []
        self.validated: list[str] = []
        self.tested: list[str] = []

    def training_step(self, batch: dict[str, Any], batch_idx: int) -> Tensor:
        self.seen.append(batch["name"])
        assert batch["image"].dtype == torch.float32
        return nn.functional.cross_entropy(self.net(batch["image"]), batch["mask"])

    def validation_step(self, batch: dict[str, Any], batch_idx: int) -> None:
        self.validated += batch["name"]

    def test_step(self, batch: dict[str, Any], batch_idx: int) -> None:
        self.tested += batch["name"]

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.01)


def trainer(tmp_path: Path, **arguments: Any) -> pl.Trainer:
    settings: dict[str, Any] = {"accelerator": "cpu", "logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    settings |= {"default_root_dir": tmp_path, "enable_checkpointing": False, "use_distributed_sampler": False}
    return pl.Trainer(**(settings | arguments))


def test_batches(data_root: Path, cache: Path) -> None:
    module = ready(data_root, cache, batch_size=3)
    assert module.classes == CLASSES
    assert module.num_classes == 11
    assert module.vouch == datamodules.Vouch("synthetic", "23 faces: 11 / 5 / 7")
    assert module.fingerprint == find(data_root).fingerprint()
    batch = next(iter(module.train_dataloader()))
    assert (batch["image"].dtype, batch["image"].shape) == (torch.uint8, (3, 3, 48, 48))
    assert (batch["mask"].dtype, batch["mask"].shape) == (torch.uint8, (3, 48, 48))
    assert all(isinstance(name, str) for name in batch["name"])
    after = module.on_after_batch_transfer(batch, 0)
    assert after["mask"].dtype == torch.int64
    assert after["name"] == batch["name"]
    back = after["image"] * torch.tensor(loading.STD).view(3, 1, 1) + torch.tensor(loading.MEAN).view(3, 1, 1)
    torch.testing.assert_close(back * 255, batch["image"].float(), atol=1e-3, rtol=0)


def test_packed_faces_are_the_aligned_ones(data_root: Path, cache: Path) -> None:
    module = ready(data_root, cache)
    for loader, split in ((module.val_dataloader(), "tuning"), (module.test_dataloader(), "testing")):
        names = module.layout.splits[split]
        batches = list(loader)
        assert tuple(name for batch in batches for name in batch["name"]) == names
        for name, image, mask in zip(names, torch.cat([b["image"] for b in batches]), torch.cat([b["mask"] for b in batches]), strict=True):
            expected_image, expected_mask = helen.read_aligned(module.layout, name, 48)
            np.testing.assert_array_equal(image.permute(1, 2, 0).numpy(), expected_image)
            np.testing.assert_array_equal(mask.numpy(), expected_mask)


@pytest.mark.parametrize("batch_size", [1, 2, 3, 100])
def test_evaluation_sees_each_face_once(data_root: Path, cache: Path, batch_size: int) -> None:
    names = [name for batch in ready(data_root, cache, batch_size=batch_size).test_dataloader() for name in batch["name"]]
    assert names == [f"synthetic_{index:04d}" for index in range(16, 23)]


def test_predictions_are_of_pictures_without_labels_each_once(data_root: Path, cache: Path) -> None:
    module = ready(data_root, cache, batch_size=3)
    batches = [module.on_after_batch_transfer(batch, 0) for batch in module.predict_dataloader()]
    labelled = [module.on_after_batch_transfer(batch, 0) for batch in module.test_dataloader()]
    assert all(batch.keys() == {"image", "name"} for batch in batches)
    assert [name for batch in batches for name in batch["name"]] == [f"synthetic_{index:04d}" for index in range(16, 23)]
    for batch, other in zip(batches, labelled, strict=True):
        assert batch["name"] == other["name"]
        assert torch.equal(batch["image"], other["image"])


def test_ranks_evaluate_each_face_once_and_share_every_batch(data_root: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = ready(data_root, cache, batch_size=6, steps=4)
    whole = [batch["name"] for batch in module.train_dataloader()]
    tested, trained = [], []
    for rank in range(3):
        monkeypatch.setattr(loading, "rank_and_world", lambda rank=rank: (rank, 3))
        tested += [name for batch in module.test_dataloader() for name in batch["name"]]
        trained.append([batch["name"] for batch in module.train_dataloader()])
    assert sorted(tested) == [f"synthetic_{index:04d}" for index in range(16, 23)]
    assert [[name for part in parts for name in part] for parts in zip(*trained, strict=True)] == whole
    monkeypatch.setattr(loading, "rank_and_world", lambda: (0, 4))
    with pytest.raises(ValueError, match="divisible by their number 4, but got 6"):
        module.train_dataloader()


def test_workers_give_the_same_batches(data_root: Path, cache: Path) -> None:
    alone, helped = (ready(data_root, cache, batch_size=2, steps=3, workers=workers).train_dataloader() for workers in (0, 1))
    for one, other in zip(alone, helped, strict=True):
        assert one["name"] == other["name"]
        assert torch.equal(one["image"], other["image"])


def test_a_resumed_training_is_the_undisturbed_training(data_root: Path, cache: Path, tmp_path: Path) -> None:
    def fit(steps: int, checkpoint: Path | None = None, seed: int = 5) -> tuple[Recorder, pl.Trainer]:
        torch.manual_seed(0)
        model, run = Recorder(), trainer(tmp_path, max_steps=steps, limit_val_batches=0)
        module = HelenDataModule(data_root, size=48, batch_size=2, steps=9, seed=seed, cache=cache)
        run.fit(model, datamodule=module, ckpt_path=checkpoint, weights_only=True)
        return model, run

    whole, _ = fit(9)
    half, run = fit(4)
    run.save_checkpoint(tmp_path / "half.ckpt")
    rest, run = fit(9, tmp_path / "half.ckpt")
    assert run.global_step == 9
    assert half.seen + rest.seen == whole.seen
    names = find(data_root).splits["exemplars"]
    assert whole.seen == [[names[index] for index in batch] for batch in StepSampler(11, 2, 9, 5)]
    for one, other in zip(whole.parameters(), rest.parameters(), strict=True):
        assert torch.equal(one, other)
    with pytest.raises(ValueError, match="another order"):
        fit(9, tmp_path / "half.ckpt", seed=6)


def test_steps_follow_the_trainer_or_one_pass(data_root: Path, cache: Path, tmp_path: Path) -> None:
    assert len(ready(data_root, cache, batch_size=2).train_dataloader()) == 6
    model, module = Recorder(), HelenDataModule(data_root, size=48, cache=cache)
    run = trainer(tmp_path, max_steps=8, num_sanity_val_steps=0)
    run.fit(model, datamodule=module)
    assert len(model.seen) == 8
    assert model.validated == list(module.layout.splits["tuning"])
    assert run.current_epoch == 1
    run.test(model, datamodule=module, verbose=False)
    assert model.tested == list(module.layout.splits["testing"])
    with pytest.raises(ValueError, match="`steps` to be at least `max_steps`, 8, but got 3"):
        trainer(tmp_path, max_steps=8, limit_val_batches=0).fit(model, datamodule=HelenDataModule(data_root, size=48, cache=cache, steps=3))
    with pytest.raises(ValueError, match="a rank's 2 samples of a step to be divisible by `parts`, but got 3"):
        trainer(tmp_path, max_steps=8, limit_val_batches=0, accumulate_grad_batches=3).fit(model, datamodule=module)


def test_accumulated_batches_are_the_parts_of_a_steps_batch_and_resume_at_the_step(data_root: Path, cache: Path, tmp_path: Path) -> None:
    def fit(steps: int, parts: int, checkpoint: Path | None = None) -> tuple[Recorder, pl.Trainer]:
        torch.manual_seed(0)
        model, run = Recorder(), trainer(tmp_path, max_steps=steps, limit_val_batches=0, accumulate_grad_batches=parts)
        module = HelenDataModule(data_root, size=48, batch_size=4, steps=5, seed=5, cache=cache)
        run.fit(model, datamodule=module, ckpt_path=checkpoint, weights_only=True)
        assert run.global_step == steps
        return model, run

    whole, _ = fit(5, 1)
    parted, _ = fit(5, 2)
    assert [len(names) for names in parted.seen] == [2] * 10
    assert [first + second for first, second in zip(parted.seen[::2], parted.seen[1::2], strict=True)] == whole.seen
    for one, other in zip(whole.parameters(), parted.parameters(), strict=True):
        torch.testing.assert_close(one, other)
    half, run = fit(2, 2)
    run.save_checkpoint(tmp_path / "half.ckpt")
    rest, _ = fit(5, 2, tmp_path / "half.ckpt")
    assert half.seen + rest.seen == parted.seen
    for one, other in zip(parted.parameters(), rest.parameters(), strict=True):
        assert torch.equal(one, other)


def test_the_cache_is_built_once_and_follows_the_data(data_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(data_root, tmp_path / "data")
    ready(tmp_path / "data", tmp_path / "cache")
    monkeypatch.setattr(helen, "pack", lambda *_: pytest.fail("packed again"))
    ready(tmp_path / "data", tmp_path / "cache")
    monkeypatch.undo()
    (tmp_path / "data" / "helen" / "NOT_OFFICIAL.txt").write_text("changed")
    ready(tmp_path / "data", tmp_path / "cache")
    assert len([path for path in (tmp_path / "cache").iterdir() if not path.name.startswith(".")]) == 2


def test_the_default_cache_lies_in_the_data_root(data_root: Path, tmp_path: Path) -> None:
    shutil.copytree(data_root, tmp_path / "data")
    module = HelenDataModule(str(tmp_path / "data"), size=32)
    before = module.fingerprint
    module.prepare_data()
    assert len(list((tmp_path / "data" / ".cache").glob("helen-*-32px-*"))) == 1
    assert find(tmp_path / "data").fingerprint() == before


def test_a_broken_face_is_named_and_leaves_no_cache(data_root: Path, tmp_path: Path) -> None:
    shutil.copytree(data_root, tmp_path / "data")
    module = HelenDataModule(tmp_path / "data", size=32, cache=tmp_path / "cache")
    path = module.layout.image("synthetic_0013")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match=r"synthetic_0013\.jpg is cut short"):
        module.prepare_data()
    assert not list((tmp_path / "cache").glob("helen-*"))


@pytest.mark.parametrize(("argument", "value"), [("size", 0), ("batch_size", 0), ("steps", 0), ("seed", -1), ("workers", -1)])
def test_bad_arguments(tmp_path: Path, argument: str, value: int) -> None:
    with pytest.raises(ValueError, match=f"`{argument}` to be .*positive integer, but got {value}"):
        HelenDataModule(tmp_path, **{argument: value})


def test_missing_data_and_missing_setup(tmp_path: Path, data_root: Path) -> None:
    with pytest.raises(DataError, match="Helen is missing"):
        HelenDataModule(tmp_path).prepare_data()
    with pytest.raises(RuntimeError, match="`setup`"):
        HelenDataModule(data_root).train_dataloader()
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="set `cache` to another folder"):
        HelenDataModule(data_root, cache=tmp_path / "file").prepare_data()

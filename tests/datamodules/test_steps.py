import inspect
import pickle
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
import yaml
from lightning.pytorch.loggers import CSVLogger
from torch import Tensor, nn

from datamodules import HelenDataModule, ImagesDataModule, VOCDataModule
from datamodules.steps import StepsDataModule, plain
from lightning_modules.recipe import SGD, Optimization
from reproduce import specs
from reproduce.worker.building import resolve

pytestmark = [
    # Lightning advises more workers wherever there are two cores: its `_worker_check`, pytorch/trainer/connectors/data_connector.py.
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    # Lightning 2.6 makes what torch 2.10 deprecated: https://github.com/Lightning-AI/pytorch-lightning/issues/21326
    pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning"),
]
KINDS = (HelenDataModule, VOCDataModule, ImagesDataModule)
TASKS = {kind: resolve(specs.Classification() if kind is ImagesDataModule else specs.Segmentation()) for kind in KINDS}
OWN: dict[type[StepsDataModule], dict[str, Any]] = {
    HelenDataModule: {"size": 32},
    VOCDataModule: {"crop": 32, "scale": (0.5, 1.5)},
    ImagesDataModule: {"dataset": "cifar10", "padding": 2, "flip": True},
}


class Scores(nn.Module):
    """A convolution; its mean over a picture where a picture has one class."""

    def __init__(self, num_classes: int, whole: bool) -> None:
        super().__init__()
        self.net, self.whole = nn.Conv2d(3, num_classes, 1), whole

    def forward(self, image: Tensor) -> Tensor:
        scores: Tensor = self.net(image)
        return scores.mean((2, 3)) if self.whole else scores


@pytest.fixture
def build(data_root: Path, voc_root: Path, images_root: Path, tmp_path: Path) -> Any:
    """Build a datamodule of a kind on its made-up set, with few steps."""
    roots = dict(zip(KINDS, (data_root, voc_root, images_root), strict=True))

    def built(kind: type[StepsDataModule], **arguments: Any) -> StepsDataModule:
        cache = {} if kind is ImagesDataModule else {"cache": tmp_path / "cache"}
        return kind(**{"root": roots[kind], "batch_size": 2, "steps": 1} | OWN[kind] | cache | arguments)

    return built


def attributes(module: StepsDataModule) -> dict[str, Any]:
    return {name: value for name, value in vars(module).items() if not name.startswith("_") and name != "splits"}


@pytest.mark.parametrize("kind", KINDS)
def test_hyperparameters_are_the_arguments_as_a_logger_writes_them(kind: type[StepsDataModule], build: Any, tmp_path: Path) -> None:
    module, whole = build(kind), kind is ImagesDataModule
    task = TASKS[kind](Scores(module.num_classes, whole), module.num_classes, Optimization(SGD(0.1)))
    trainer = pl.Trainer(
        accelerator="cpu", devices=1, max_steps=1, limit_val_batches=0, num_sanity_val_steps=0, log_every_n_steps=1,
        use_distributed_sampler=False, enable_progress_bar=False, enable_model_summary=False, logger=CSVLogger(tmp_path, "logs", version=0),
        default_root_dir=tmp_path,
    )  # fmt: skip
    trainer.fit(task, datamodule=module)
    written = yaml.safe_load((tmp_path / "logs" / "version_0" / "hparams.yaml").read_text())
    arguments = inspect.signature(kind).parameters.keys() - {"progress"}
    assert module.hparams.keys() == arguments
    assert {name: written[name] for name in arguments} == dict(module.hparams)
    assert written.keys() >= task.hparams.keys()
    assert attributes(kind(**{name: written[name] for name in arguments})) == attributes(build(kind))
    trainer.save_checkpoint(tmp_path / "one.ckpt")
    restored = kind.load_from_checkpoint(tmp_path / "one.ckpt", weights_only=True)
    assert dict(restored.hparams) == dict(module.hparams)


@pytest.mark.parametrize("kind", KINDS)
def test_no_argument_has_the_name_of_a_tasks_hyperparameter(kind: type[StepsDataModule]) -> None:
    """Lightning logs both together, and refuses names that both have."""
    tasks = {name for task in TASKS.values() for name in inspect.signature(task).parameters}
    assert not tasks & inspect.signature(kind).parameters.keys()


@pytest.mark.parametrize("kind", KINDS)
def test_a_datamodule_can_be_pickled(kind: type[StepsDataModule], build: Any) -> None:
    module = build(kind)
    again = pickle.loads(pickle.dumps(module))
    assert attributes(again) == attributes(module)
    assert dict(again.hparams) == dict(module.hparams)


@pytest.mark.parametrize("kind", KINDS)
def test_images_of_a_batch_come_back_as_bytes(kind: type[StepsDataModule], build: Any) -> None:
    module = build(kind, **({"padding": 0, "flip": False} if kind is ImagesDataModule else {}))
    module.prepare_data()
    module.setup("fit")
    batch = next(iter(module.train_dataloader()))
    shown = module.pictures(module.on_after_batch_transfer(batch, 0)["image"])
    assert shown.dtype == torch.uint8
    assert torch.equal(shown, batch["image"].permute(0, 2, 3, 1))


def test_values_that_yaml_does_not_have_become_plain() -> None:
    values = {"root": Path("a/b"), "scale": (1.0, np.float64(2)), "size": np.int64(3), "steps": None, "more": [{"flip": np.bool_(True)}]}
    assert plain(values) == {"root": "a/b", "scale": [1.0, 2.0], "size": 3, "steps": None, "more": [{"flip": True}]}
    assert yaml.safe_load(yaml.dump(plain(values))) == plain(values)


def test_a_data_set_without_files_says_so() -> None:
    module = StepsDataModule("", 2, 1, 0)
    with pytest.raises(NotImplementedError, match="StepsDataModule has no `layout`"):
        module.fingerprint  # noqa: B018

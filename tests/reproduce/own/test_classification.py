"""A user's own rows beside those of tables of whole pictures."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from datamodules.synthetic_images import write_images
from reproduce import own, specs
from reproduce.cli import main
from reproduce.jobs.store import Store
from reproduce.own.rows import own_cells
from reproduce.plugins import table as mapped
from reproduce.table import Cell, Setting
from reproduce.verdicts.measured import measure
from reproduce.worker.process import work

HEAD = """from dataclasses import replace
from reproduce.own import *
from reproduce.papers.adaptive_rf.specs import AdaptiveVGG
from reproduce.papers.njet.specs import AllCNN, CIFARResNet, Jet, NiN, ToyCNN
"""
NETWORK = """
def pool(num_classes, channels):
    from torch import nn
    return nn.Sequential(nn.Conv2d(1, channels, 3, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, num_classes))

"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("REPRODUCE_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def cells(table: str, rows: str, setting: Setting | None = None) -> list[Cell]:
    """The cells of own rows in a table's demo."""
    path = Path("my_rows.py")
    path.write_text(HEAD + rows)
    setting = replace(setting or Setting("demo"), own=path)
    return own_cells(setting, mapped(f"njet.{table}").cells(setting))


def data_of(cell: Cell) -> specs.Images:
    data = cell.jobs[0].data
    assert isinstance(data, specs.Images)
    return data


def test_what_a_row_is_made_of_has_a_name_to_import_and_no_paper_is_among_it() -> None:
    data = {kind.__name__ for kind in specs.Data.__subclasses__() if kind.__module__.startswith("reproduce.")}
    assert data | {"MadeFaces", "MadeScenes", "MadeImages", "OwnNetwork", "Recipe", "SGD", "Adam", "Group", "Start"} <= set(own.__all__)
    assert all(hasattr(own, name) for name in own.__all__)
    assert not any(getattr(own, name).__module__.startswith("reproduce.papers") for name in own.__all__)


def test_a_row_has_a_run_of_its_own_where_columns_differ_in_data() -> None:
    small, large = cells("table5", "ROWS = [OwnRow('a', 'A', ToyCNN(10, layers=3))]\n")
    assert [cell.column for cell in (small, large)] == ["x1", "x4"]
    assert [data_of(cell).scale for cell in (small, large)] == [1.0, 4.0]
    assert small.jobs != large.jobs
    assert small.caveat == large.caveat == "own row: 60 steps of 16, ToyCNN(layers=3, channels=16)"


def test_classes_follow_the_column() -> None:
    found = cells("table3", "ROWS = [OwnRow('a', 'A', CIFARResNet(10, depth=8)), OwnRow('b', 'B', recipe=replace(R, steps=7))]\n".replace(
        "R,", "Recipe(1, 32, SGD(0.1)),"
    ))  # fmt: skip
    assert [(cell.row_key, cell.column, cell.jobs[0].network.num_classes, data_of(cell).dataset) for cell in found] == [
        (row, dataset, classes, dataset) for row in "ab" for dataset, classes in (("cifar10", 10), ("cifar100", 100), ("svhn", 10))
    ]
    assert len({cell.jobs[0].name for cell in found}) == 6


@pytest.mark.parametrize(
    ("table", "row", "columns"),
    [
        ("table1", "AllCNN(10)", ["baseline"]),  # poolings or none: what an own network does not have
        ("figure6", "AllCNN(10)", ["subsampled"]),
        ("table5", "data=Images('mnist', made=MadeImages('mnist', 20, 10), scale=2)", ["x1"]),
        ("table2", "AllCNN(10)", ["accuracy"]),  # of what is timed there is no own row
        ("figure5", "ToyCNN(10, jet=Jet(order=1))", ["sigma", "sigma_at_2x", "accuracy"]),
    ],
)
def test_one_run_does_not_stand_in_columns_of_several(table: str, row: str, columns: list[str]) -> None:
    assert [cell.column for cell in cells(table, f"ROWS = [OwnRow('a', 'A', {row})]\n")] == columns


def test_a_note_names_what_differs_in_data_and_layers() -> None:
    data = "Images('fashion_mnist', made=MadeImages('fashion_mnist', 9, 9))"
    rows = f"ROWS = [OwnRow('a', 'A', ToyCNN(10, 2, 4, jet=Jet(order=1)), data={data})]"
    (cell,) = cells("table5", rows)
    assert cell.caveat == "own row: 60 steps of 16, ToyCNN(jet=Jet(order=1)), Images(dataset='fashion_mnist')"


def test_a_metric_that_another_network_lacks_is_said(here: Path) -> None:
    sigma, _, accuracy = cells("figure5", NETWORK + "ROWS = [OwnRow('a', 'A', OwnNetwork('pool', 10, {'channels': 4}))]\n")
    store = Store(here / "runs")
    for job in accuracy.jobs:
        metrics: Mapping[str, Any] = {"accuracy": 0.5, "mean_accuracy": 0.25}
        data = {"status": "own", "set": "Stripes", "detail": "made up"}
        store.prepare(job).finish({"metrics": metrics, "data": data, "provenance": {"device": "a processor"}})
    assert [line.value for line in measure([accuracy], store, "demo", "run")] == [50] * 3
    lines = measure([sigma], store, "demo", "run")
    assert {(line.state, line.reason) for line in lines} == {("failed", "no metric 'sigma_1' in the run; it has accuracy, mean_accuracy")}


def test_official_pictures_are_found_for_a_row(here: Path) -> None:
    """Beside a table on CIFAR-10, which is not there."""
    write_images(here / "data", "mnist", train=20, test=10, seed=0)
    first = "OwnRow('a', 'A', NiN(10, in_channels=1), data=Images('mnist'))"
    rows = f"ROWS = [{first}, OwnRow('b', 'B', data=Images('cifar10')), OwnRow('c', 'C')]"
    there, absent, left = (
        next(cell for cell in cells("table3", rows, Setting("small", data_root=here / "data")) if cell.row_key == key) for key in "abc"
    )
    assert (there.missing, len(data_of(there).fingerprint)) == ("", 16)
    for cell in (absent, left):
        assert cell.missing.startswith("CIFAR-10 is missing: ")
    nowhere = cells("table3", rows, Setting("small"))[0]
    assert nowhere.missing == "needs MNIST: name the folder of the data sets by --data-root or REPRODUCE_DATA"


WRONG = {
    "a network of segmentation": (
        "OwnRow('a', 'A', AdaptiveVGG(10, 2))",
        "Expected `network` of row 'a' to score whole pictures, as in every table that classifies whole pictures, "
        "but got AdaptiveVGG, which scores pixels.",
    ),
    "data of segmentation": (
        "OwnRow('a', 'A', data=Helen(32, made=MadeFaces(2, 1, 1, 32)))",
        "Expected `data` of row 'a' to have `label` in its batches, as in every table that classifies whole pictures, but got Helen, "
        "which has `mask`.",
    ),
    "arguments for a layer": (
        "OwnRow('a', 'A', ToyCNN(10, jet={'order': 3}))",
        "Expected `jet` of ToyCNN in row 'a' to be Jet or None, but got {'order': 3}.",
    ),
    "a text in a layer": ("OwnRow('a', 'A', ToyCNN(10, jet=Jet(order='3')))", "Expected `order` of Jet in row 'a' to be int, but got '3'."),
    "another number of classes": (
        "OwnRow('a', 'A', ToyCNN(7))",
        "Expected `num_classes` of the network in row 'a' to be 10, as in MNIST, but got 7.",
    ),
    "other classes of a set": (
        "OwnRow('a', 'A', NiN(10), data=Images('cifar100', made=MadeImages('cifar100', 9, 9)))",
        "Expected `num_classes` of the network in row 'a' to be 100, as in CIFAR-100, but got 10.",
    ),
    "other channels": ("OwnRow('a', 'A', NiN(10))", "Expected `in_channels` of the network in row 'a' to be 1, as in MNIST, but got 3."),
    "an unknown set": (
        "OwnRow('a', 'A', data=Images('stl10'))",
        "Expected `dataset` of Images in row 'a' to be one of mnist, fashion_mnist, cifar10, cifar100, svhn, but got 'stl10'.",
    ),
    "pictures of another set": (
        "OwnRow('a', 'A', data=Images('svhn', made=MadeImages('mnist', 9, 9)))",
        "Expected `made` of Images in row 'a' to have the name of its `dataset`, 'svhn', but got 'mnist'.",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_row_is_one_sentence(name: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    row, expected = WRONG[name]
    (here / "my_rows.py").write_text(f"{HEAD}ROWS = [{row}]\n")
    assert main(["show", "njet.table5", "--with", "my_rows.py"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.endswith(f"{expected}\n")
    assert captured.err.count("\n") == 1


@pytest.mark.slow
def test_an_own_network_runs_beside_a_published_row(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = "ROWS = [OwnRow('pool', 'Mine', OwnNetwork('pool', num_classes=10, arguments={'channels': 4}))]\n"
    (here / "my_rows.py").write_text(HEAD + NETWORK + rows)
    assert main(["njet.table5", "--profile", "demo", "--with", "my_rows.py", "--rows", "cnn-3-2,pool", "--format", "json"]) == 0
    found = {(cell["row_key"], cell["column"]): cell for cell in json.loads(capsys.readouterr().out)["cells"]}
    assert found.keys() == {(row, column) for row in ("cnn-3-2", "pool") for column in ("x1", "x4")}
    for cell in found.values():
        assert 0 <= cell["mean"] <= 100
        assert cell["data"].startswith("made-up data in the layout of MNIST: 544 pictures")
    assert found["pool", "x4"]["reason"].endswith("own row: 60 steps of 16, OwnNetwork pool(channels=4)")


# Two sorts of bars, which have another mean.
BARS = """
import torch
from lightning.pytorch import LightningDataModule
from torch.utils.data import DataLoader, Dataset

class Bars(Dataset):
    def __len__(self):
        return 7

    def __getitem__(self, index):
        return {"image": torch.full((1, 8, 8), index % 2 * 4.0 - 2), "label": index % 2, "name": str(index)}

class BarsData(LightningDataModule):
    num_classes = 2

    def __init__(self, batch_size, steps, seed):
        super().__init__()
        self.batch_size = batch_size

    def train_dataloader(self):
        return DataLoader(Bars(), self.batch_size)

    def test_dataloader(self):
        return DataLoader(Bars(), 3)

"""


@pytest.mark.slow
def test_own_pictures_go_through_the_same_evaluation(here: Path) -> None:
    row = "OwnRow('a', 'A', ToyCNN(2, channels=4, jet=Jet(order=1, init='he')), Recipe(30, 4, SGD(0.02)), OwnData('BarsData'))"
    (cell,) = cells("table5", f"{BARS}ROWS = [{row}]\n")
    run = Store(here / "runs").prepare(cell.jobs[0])
    assert work(run.folder) == 0, run.error
    assert run.result is not None
    assert (run.result["images"], run.result["confusion"]) == (7, [[4, 0], [0, 3]])
    assert cell.value(run.result["metrics"]) == 100
    assert run.result["data"] | {"fingerprint": ""} == {"status": "own", "detail": "the user's own", "set": "BarsData", "fingerprint": ""}


@pytest.mark.slow
def test_a_group_that_no_network_has_is_a_sentence_in_its_run(here: Path) -> None:
    (cell, *_) = cells("table5", "ROWS = [OwnRow('a', 'A', recipe=Recipe(1, 2, SGD(0.1), groups=(Group('gates', 2.0),)))]\n")
    run = Store(here / "runs").prepare(replace(cell.jobs[0], runtime=replace(cell.jobs[0].runtime, cache=str(here / "cache"))))
    assert work(run.folder) == 1
    assert run.error.startswith("Expected a group of parameters of ToyCNN (")
    assert run.error.endswith("but got 'gates'.")

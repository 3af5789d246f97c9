"""A user's own rows: read without torch, identified by content, built in the job's own process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reproduce.cli import main
from reproduce.jobs.job import Job, evaluation, from_plain, to_plain
from reproduce.jobs.store import Store
from reproduce.own import OwnData, OwnNetwork, OwnRow
from reproduce.own.rows import own_cells, read_rows
from reproduce.plugins import table
from reproduce.specs import Inference, Segmentation
from reproduce.table import Cell, Setting
from reproduce.worker.building import build_data
from reproduce.worker.process import work

ROWS = """
from dataclasses import replace
from reproduce.own import OwnNetwork, OwnRow

def plain(num_classes, channels=4):
    from torch import nn
    return nn.Sequential(nn.Conv2d(3, channels, 3, 2, 1), nn.ReLU(), nn.Conv2d(channels, num_classes, 3, padding=1))

def rows(published):
    return [
        OwnRow("plain", "Mine", OwnNetwork("plain", 11, {"channels": 8})),
        OwnRow("inflated-3", "Ours, dilation 3", replace(published.network, dilation=3, inflated=True)),
        OwnRow("short", "Mine, short", recipe=replace(published.recipe, steps=3), metrics=("mean_iou", "no_such_metric")),
    ]
"""

# Stripes that a network of one pixel can tell apart, with a network that says that it learned f.
STRIPES = """
from pathlib import Path
import torch
from lightning.pytorch import LightningDataModule
from torch import nn
from torch.utils.data import DataLoader, Dataset
from reproduce.own import SGD, OwnData, OwnNetwork, OwnRow, Recipe

class Stripes(Dataset):
    def __len__(self):
        return 5

    def __getitem__(self, index):
        mask = (torch.arange(12 + index) % 3).expand(8, -1).clone()
        return {"image": torch.nn.functional.one_hot(mask, 3).permute(2, 0, 1).float() * 4, "mask": mask, "name": str(index)}

class StripesData(LightningDataModule):
    num_classes = 3

    def __init__(self, root, batch_size, steps, seed, depth):
        super().__init__()
        assert (batch_size, steps, seed, depth) == (1, 40, 0, (1, 2))
        assert Path(root, "note.txt").read_text() == "x"

    def train_dataloader(self):
        return DataLoader(Stripes())

    def test_dataloader(self):
        return DataLoader(Stripes())

class Pixel(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.layer = nn.Conv2d(3, num_classes, 1)

    def forward(self, image):
        return self.layer(image)

    def trajectory(self):
        return {"f": 1.25}

ROWS = [
    OwnRow(
        "stripes", "Stripes", OwnNetwork("Pixel", 3), Recipe(40, 1, SGD(1e-3)), OwnData("StripesData", {"depth": [1, 2]}, root="files"),
        metrics=("f", "f_score", "f_2", "mean_iou"),
    )
]
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("REPRODUCE_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def jobs(path: Path, text: str = ROWS, seeds: int = 1) -> dict[str, Job]:
    """The first job of each own row of table 1's demo."""
    path.write_text(text)
    setting = Setting("demo", seeds, own=path)
    return {cell.row_key: cell.jobs[0] for cell in own_cells(setting, table("adaptive_rf.table1").cells(setting))}


def test_rows_stand_beside_the_published_ones_and_import_no_torch(here: Path) -> None:
    (here / "my_rows.py").write_text(ROWS)
    code = (
        "import sys; from reproduce.cli import main;"
        "code = main('show table1 --with my_rows.py --seeds 2 --format json'.split());"
        "sys.exit(code or bool({'torch', 'lightning', 'cv2'} & set(sys.modules)))"
    )
    root = str(Path(__file__).parents[3])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=os.environ | {"PYTHONPATH": root})
    assert done.returncode == 0, done.stderr
    cells = json.loads(done.stdout)["cells"]
    own = [cell for cell in cells if cell["row_key"] in ("mine", "ours", "short") or cell["row"].startswith(("Mine", "Ours"))]
    assert len(own) == 5
    assert [(cell["row"], cell["column"]) for cell in own] == [
        ("Mine", "f_score"), ("Ours, dilation 3", "f"), ("Ours, dilation 3", "f_score"), ("Mine, short", "mean_iou"),
        ("Mine, short", "no_such_metric"),
    ]  # fmt: skip
    assert all(len(cell["jobs"]) == 2 for cell in own)
    assert "--with my_rows.py` computes it" in own[0]["reason"]


def test_rows_are_chosen_by_their_keys_too(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "my_rows.py").write_text(ROWS)
    assert main(["show", "table1", "--with", "my_rows.py", "--rows", "baseline-2,plain", "--format", "json"]) == 0
    assert {cell["row_key"] for cell in json.loads(capsys.readouterr().out)["cells"]} == {"baseline-2", "plain"}


def test_what_a_row_leaves_out_is_as_published(here: Path) -> None:
    published = next(cell.jobs[0] for cell in table("adaptive_rf.table1").cells(Setting("demo")) if cell.kind == "trained")
    found = jobs(here / "my_rows.py")
    assert found["plain"] == replace(published, slug="own-plain-demo", network=found["plain"].network)
    assert found["short"].network == published.network
    assert (found["short"].recipe.steps, found["short"].recipe.batch_size) == (3, published.recipe.batch_size)  # type: ignore[union-attr]


def test_a_network_counts_by_its_files_content_and_not_by_its_place(here: Path) -> None:
    before, moved = jobs(here / "my_rows.py"), (here / "elsewhere")
    moved.mkdir()
    assert jobs(moved / "renamed.py")["plain"].name == before["plain"].name
    edited = jobs(here / "my_rows.py", ROWS + "# another\n")
    assert edited["plain"].digest != before["plain"].digest
    assert edited["inflated-3"].digest == before["inflated-3"].digest
    other = jobs(here / "my_rows.py", ROWS.replace('{"channels": 8}', '{"channels": 9}'))
    assert other["plain"].digest != edited["plain"].digest


def test_a_network_in_a_file_of_its_own_outlives_a_new_row(here: Path) -> None:
    (here / "net.py").write_text("def plain(num_classes): ...\n")
    text = 'from reproduce.own import OwnNetwork, OwnRow\nROWS = [OwnRow("a", "A", OwnNetwork("plain", 11, file="net.py"))]\n'
    first = jobs(here / "my_rows.py", text)["a"]
    assert jobs(here / "my_rows.py", text + 'ROWS.append(OwnRow("b", "B"))\n')["a"].name == first.name


def test_specs_come_back_from_their_file_and_ignore_the_order_of_arguments() -> None:
    network = OwnNetwork("plain", 11, {"b": [1, [2.0, None]], "a": "x"}, "file.py", "0123")
    assert network == OwnNetwork("plain", 11, {"a": "x", "b": (1, (2.0, None))}, "file.py", "0123")
    job = Job(Segmentation(), "name", network, OwnData("Data", {"c": True}, "root"))
    back = from_plain(json.loads(json.dumps(to_plain(job))))
    assert back == job
    assert back.digest == job.digest


def test_data_counts_by_its_files(here: Path) -> None:
    (here / "files").mkdir()
    (here / "files" / "note.txt").write_text("x")
    job = jobs(here / "stripes.py", STRIPES)["stripes"]
    (here / "elsewhere").mkdir()
    (here / "files").rename(here / "elsewhere" / "files")
    moved = jobs(here / "elsewhere" / "stripes.py", STRIPES)["stripes"]
    assert moved.data != job.data
    assert moved.name == job.name
    (here / "elsewhere" / "files" / "more.txt").write_text("y")
    assert jobs(here / "elsewhere" / "stripes.py", STRIPES)["stripes"].name != job.name


def test_a_cell_says_what_its_row_is_and_which_metrics_there_are(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    provenance = {"device": "a processor", "seconds": 1.0, "finished": ""}
    for job in jobs(here / "my_rows.py").values():
        run = Store(here / "runs").prepare(job)
        run.finish(
            {
                "metrics": {"f": 1.5, "f_score": 0.5, "mean_iou": 0.4},
                "data": {"set": "x", "status": "own", "detail": "y"},
                "provenance": provenance,
            }
        )
    assert main(["show", "table1", "--with", "my_rows.py", "--rows", "plain,inflated-3,short", "--format", "json"]) == 0
    found = {(cell["row_key"], cell["column"]): (cell["verdict"], cell["reason"]) for cell in json.loads(capsys.readouterr().out)["cells"]}
    network = "AdaptiveVGG(dilation=3, inflated=True)"
    assert found == {
        ("plain", "f_score"): ("unpublished", "not in the paper's table; own row: 550 steps of 2, OwnNetwork plain(channels=8)"),
        ("inflated-3", "f"): ("unpublished", f"not in the paper's table; own row: 550 steps of 2, {network}"),
        ("inflated-3", "f_score"): ("unpublished", f"not in the paper's table; own row: 550 steps of 2, {network}"),
        ("short", "mean_iou"): ("unpublished", "not in the paper's table; own row: 3 steps of 2, AdaptiveVGG"),
        ("short", "no_such_metric"): ("failed", "failed: no metric 'no_such_metric' in the run; it has f, f_score, mean_iou"),
    }


def test_networks_of_several_paths_stand_in_their_table(here: Path) -> None:
    """The line of the README."""
    (here / "my_rows.py").write_text(
        HEAD + "from dataclasses import replace\n"
        "def rows(published):\n    return [OwnRow('paths', 'P', replace(published.network, path_dilations=(2, 6)))]\n"
    )
    setting = Setting("demo", own=here / "my_rows.py")
    (cell,) = own_cells(setting, table("adaptive_rf.table3").cells(setting))
    assert cell.caveat == "own row: 550 steps of 2, MultiPathVGG(path_dilations=(2, 6))"


def test_an_own_row_is_evaluated_as_the_columns_are_through_its_own_training(here: Path, tiny: Callable[..., Job]) -> None:
    """It has no column of another network's evaluation, or of another training's, or with its own data of other data's."""
    training = tiny()
    evaluations = {
        "flipped": evaluation(training, "flipped", inference=Inference(flip=True)),
        "larger": evaluation(training, "larger", size=48),
        "denser": evaluation(training, "denser", dilation=4),
        "other": evaluation(tiny(seed=9), "other", inference=Inference(flip=True)),
    }
    columns = {**evaluations, "plain": training}
    table_cells = [Cell("theirs", name, "trained", (job,), lambda metrics: metrics["f_score"]) for name, job in columns.items()]
    (here / "my_rows.py").write_text(
        "from dataclasses import replace\nfrom reproduce.own import *\n"
        "def rows(published):\n"
        "    mine = replace(published.data, made=replace(published.data.made, seed=5))\n"
        "    return [OwnRow('short', 'S', recipe=replace(published.recipe, steps=3)), OwnRow('mine', 'M', data=mine)]\n"
    )
    setting = Setting("demo", own=here / "my_rows.py")
    found = {(cell.row_key, cell.column): cell.jobs[0] for cell in own_cells(setting, table_cells) if cell.column in columns}
    assert found.keys() == {("short", "plain"), ("short", "flipped"), ("short", "larger"), ("mine", "plain"), ("mine", "flipped")}
    for (row, column), job in found.items():
        if column != "plain":
            assert job.parents == (found[row, "plain"],)
            assert (job.recipe, job.inference) == (None, evaluations[column].inference)
    assert found["short", "plain"].recipe.steps == 3  # type: ignore[union-attr]
    assert found["short", "larger"].data == evaluations["larger"].data
    assert found["mine", "flipped"].data == found["mine", "plain"].data != training.data


def test_data_of_ones_own_is_refused_for_steps_in_parts(tiny: Callable[..., Job]) -> None:
    expected = "Expected `accumulate` of tiny to be 1 with OwnData, which does not split a step's batch, but got 2."
    with pytest.raises(ValueError, match=f"^{expected}$"):
        build_data(tiny(data=OwnData("Data"), accumulate=2))


def test_data_that_is_nowhere_leaves_its_row_without_a_number(here: Path) -> None:
    (here / "my_rows.py").write_text("from reproduce.own import *\nROWS = [OwnRow('a', 'A', data=Helen(32))]\n")
    setting = Setting("demo", own=here / "my_rows.py")
    (cell,) = own_cells(setting, table("adaptive_rf.table1").cells(setting))
    assert cell.missing == "needs Helen: name the folder of the data sets by --data-root or REPRODUCE_DATA"


HEAD = "from reproduce.own import OwnData, OwnNetwork, OwnRow\n"
VGGS = "from reproduce.papers.adaptive_rf.specs import *\nfrom reproduce.own import *\n"
WRONG: dict[str, tuple[str | None, str]] = {
    "no file": (None, "but got {path} (No such file or directory)."),
    "a syntax error": (HEAD + "\nROWS = [\n", "{path}, line 3: SyntaxError: "),
    "a missing name": (HEAD + "x = 1\nROWS = [y]\n", "{path}, line 3: NameError: name 'y' is not defined."),
    "a missing module": ("import no_such_module\n", "{path}, line 1: ModuleNotFoundError: No module named 'no_such_module'."),
    "an exit": ("raise SystemExit('enough')\n", "{path}, line 1: SystemExit: enough."),
    "no rows": (HEAD, "Expected {path} to have `ROWS`, a list of OwnRow, or `rows(published)`, which returns one, but got None."),
    "rows of another kind": ("ROWS = [1]\n", "a list of OwnRow, or `rows(published)`, which returns one, but got [1]."),
    "a failing function": ("def rows(published):\n    return published.nothing\n", "{path}, line 2: AttributeError: "),
    "a key with blanks": (HEAD + 'ROWS = [OwnRow("a b", "A")]\n', "{path}, line 2: ValueError: Expected `key` to be small letters"),
    "a key twice": (HEAD + 'ROWS = [OwnRow("a", "A"), OwnRow("a", "B")]\n', "but got 'a', which another row or the table has too."),
    "a key of the table": (HEAD + 'ROWS = [OwnRow("baseline-2", "A")]\n', "but got 'baseline-2', which another row or the table has too."),
    "a class for a network": (
        HEAD + 'ROWS = [OwnRow("a", "A", int)]\n',
        "Expected `network` of row 'a' to be a Network, but got type.",
    ),
    "an object for an argument": (
        HEAD + 'n = OwnNetwork("n", 2, {"size": object})\n',
        "line 2: ValueError: Expected `arguments` to be numbers",
    ),
    "no file of a network": (HEAD + 'ROWS = [OwnRow("a", "A", OwnNetwork("n", 2, file="no.py"))]\n', "/no.py (No such file or directory)."),
    "a text for metrics": (
        HEAD + 'ROWS = [OwnRow("a", "A", metrics=("f_score"))]\n',
        "line 2: ValueError: Expected `metrics` of row 'a' to be",
    ),
    "a text for a number": (
        "from reproduce.own import *\nROWS = [OwnRow('a', 'A', recipe=Recipe('3', 8, SGD(1e-3)))]\n",
        "Expected `steps` of Recipe in row 'a' to be int, but got '3'.",
    ),
    "no steps": (
        "from reproduce.own import *\nROWS = [OwnRow('a', 'A', recipe=Recipe(0, 8, SGD(1e-3)))]\n",
        "Expected `steps` of Recipe in row 'a' to be positive, but got 0.",
    ),
    "a number for an optimiser": (
        "from reproduce.own import *\nROWS = [OwnRow('a', 'A', recipe=Recipe(3, 8, 1e-3))]\n",
        "Expected `optimizer` of Recipe in row 'a' to be SGD or Adam, but got 0.001.",
    ),
    "a text in a group": (
        "from reproduce.own import *\nROWS = [OwnRow('a', 'A', recipe=Recipe(3, 8, SGD(1e-3), groups=(Group('f', optional='x'),)))]\n",
        "Expected `optional` of Group in row 'a' to be bool, but got 'x'.",
    ),
    "another number of classes": (
        "from reproduce.own import *\nROWS = [OwnRow('a', 'A', OwnNetwork('n', 5))]\n",
        "Expected `num_classes` of the network in row 'a' to be 11, as in Helen, but got 5.",
    ),
    "the published network on other data": (
        "from reproduce.own import *\nROWS = [OwnRow('a', 'A', data=VOC(32, made=MadeScenes(2, 2, 32)))]\n",
        "Expected `num_classes` of the network in row 'a' to be 21, as in VOC, but got 11.",
    ),
    "dilations of paths": (
        VGGS + "ROWS = [OwnRow('a', 'A', MultiPathVGG(11, (4, 6), dilations=(4, 6)))]\n",
        "Expected `dilations` of MultiPathVGG in row 'a' to be 5 numbers, one per block, but got (4, 6); "
        "the dilations of its paths are `path_dilations`.",
    ),
    "too few strides": (
        VGGS + "ROWS = [OwnRow('a', 'A', AdaptiveVGG(11, 4, strides=(2, 2)))]\n",
        "Expected `strides` of AdaptiveVGG in row 'a' to be 5 numbers, one per block, but got (2, 2).",
    ),
    "data of another task": (
        "from reproduce.own import *\nROWS = [OwnRow('a', 'A', data=Images('mnist', made=MadeImages('mnist', 2, 2)))]\n",
        "Expected `data` of row 'a' to have `mask` in its batches, as in every table that segments pictures, but got Images, "
        "which has `label`.",
    ),
    "a network of another task": (
        "from reproduce.papers.njet.specs import *\nfrom reproduce.own import *\nROWS = [OwnRow('a', 'A', NiN(11))]\n",
        "Expected `network` of row 'a' to score pixels, as in every table that segments pictures, "
        "but got NiN, which scores whole pictures.",
    ),
    "no folder of data": (HEAD + 'ROWS = [OwnRow("a", "A", data=OwnData("d", root="no"))]\n', "to be a folder, but got "),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_file_is_one_sentence_with_its_line(name: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text, expected = WRONG[name]
    path = here / "my_rows.py"
    if text is not None:
        path.write_text(text)
    assert main(["show", "table1", "--with", str(path)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert expected.format(path=path) in captured.err
    assert captured.err.count("\n") == 1
    assert captured.err.endswith(".\n")


def run(job: Job, here: Path) -> Any:
    prepared = Store(here / "runs").prepare(job)
    return work(prepared.folder), prepared


@pytest.mark.slow
def test_a_network_and_data_of_ones_own_go_through_the_same_evaluation(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "files").mkdir()
    (here / "files" / "note.txt").write_text("x")
    code, prepared = run(jobs(here / "stripes.py", STRIPES)["stripes"], here)
    assert code == 0, prepared.error
    result = prepared.result
    assert result["images"] == 5
    assert result["data"]["status"] == "own"
    assert (result["data"]["set"], len(result["data"]["fingerprint"])) == ("StripesData", 16)
    assert sum(map(sum, result["confusion"])) == 8 * (12 + 13 + 14 + 15 + 16)
    assert result["metrics"]["mean_iou"] == 1
    assert main(["show", "table1", "--with", "stripes.py", "--rows", "stripes", "--format", "json"]) == 0
    cells = json.loads(capsys.readouterr().out)["cells"]
    assert {cell["column"]: cell["mean"] for cell in cells} == {"f": 1.25, "f_score": 1, "f_2": 1, "mean_iou": 1}
    assert {cell["verdict"] for cell in cells} == {"unpublished"}
    assert {cell["data"] for cell in cells} == {"StripesData: the user's own"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("class Pixel(", "class Other("), "to define `Pixel`, but it does not"),
        (
            ("super().__init__()\n        self.layer", "self.layer"),
            "line 33: AttributeError: cannot assign module before Module.__init__() call",
        ),
        (("num_classes = 3", "num_classes = 4"), "to have the network's `num_classes`, 3, but got 4."),
        (("    def test_dataloader(self):\n        return DataLoader(Stripes())\n", ""), "test_dataloader"),
    ],
)
def test_what_fails_in_the_job_is_a_sentence_in_its_run(change: tuple[str, str], expected: str, here: Path) -> None:
    (here / "files").mkdir()
    (here / "files" / "note.txt").write_text("x")
    assert change[0] in STRIPES
    code, prepared = run(jobs(here / "stripes.py", STRIPES.replace(*change))["stripes"], here)
    assert code == 1
    assert expected in prepared.error


@pytest.mark.slow
def test_a_file_that_has_changed_since_is_refused(here: Path, tiny: Callable[..., Job]) -> None:
    path = here / "my_rows.py"
    path.write_text(ROWS)
    row: OwnRow = read_rows(path, tiny())[0]
    assert row.network is not None
    path.write_text(ROWS + "# another\n")
    code, prepared = run(replace(tiny(), network=row.network), here)
    assert code == 1
    assert "to be unchanged since the run was made, but it has changed" in prepared.error

"""What papers have in common: cells of plain tables, seeds, data, start weights, deviations."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from reproduce.jobs import weights
from reproduce.jobs.job import Job
from reproduce.jobs.result import EMPTY
from reproduce.jobs.store import Store
from reproduce.jobs.weights import IMAGENET_VGG16
from reproduce.papers.adaptive_rf import helen, voc
from reproduce.papers.adaptive_rf.specs import AdaptiveVGG, MultiPathVGG
from reproduce.papers.common import cells
from reproduce.papers.common.cells import plain_cells, value_of
from reproduce.papers.common.curves import curves, together
from reproduce.papers.common.deviations import listed
from reproduce.papers.common.starts import imagenet_vgg16, random_start
from reproduce.papers.common.trainings import Trainings, seeded, trainings
from reproduce.papers.common.voc import SCENES, made_up
from reproduce.specs import SGD, VOC, Recipe, Segmentation, Start
from reproduce.table import PROFILES, Deviation, Setting
from reproduce.verdicts.published import Column, Paper, PublishedCell, PublishedTable
from reproduce.worker.building import build_network

# A made-up paper.

MEAN_IOU = Column("iou", "mean IoU", "%", 1, metric="mean_iou")
PARAMETERS = Column("parameters", "parameters", "1", 0, metric="parameters", kind="exact")
MADE_UP = PublishedTable(
    "made.table1",
    Paper("made", "Made up", "Made up", (), "", 2021, ("table1",)),
    "Made up",
    (MEAN_IOU, PARAMETERS),
    (),
    tuple(
        PublishedCell(row, row, column.key, column.unit, printed, "table 1", "")
        for row, column, printed in (("ours", MEAN_IOU, "77.2"), ("ours", PARAMETERS, "5"), ("theirs", MEAN_IOU, "70.1"))
    ),
)


def test_a_value_is_the_columns_metric_in_percent_where_its_unit_says_so() -> None:
    metrics = {"mean_iou": 0.25, "parameters": 5}
    assert value_of(MEAN_IOU)(metrics) == 25
    assert value_of(PARAMETERS)(metrics) == 5
    assert value_of(replace(MEAN_IOU, unit="1"))(metrics) == 0.25
    assert value_of(MEAN_IOU)({"mean_iou": None}) is None


def test_a_column_without_a_metric_is_refused() -> None:
    with pytest.raises(ValueError, match=r"Expected the column `iou` to declare its `metric` in paper\.toml"):
        value_of(replace(MEAN_IOU, metric=""))


def test_every_printed_cell_is_mapped_to_its_rows_jobs(tiny: Callable[..., Job], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cells, "load", {"made.table1": MADE_UP}.__getitem__)
    job, asked = tiny(), []

    def jobs(setting: Setting, row: str, column: str) -> Trainings | None:
        asked.append((setting, row, column))
        return ((job,), "needs faces") if row == "ours" else None

    found = plain_cells("made.table1", jobs, Setting("demo"))
    assert asked == [(Setting("demo"), *key) for key in MADE_UP.by_key]
    assert [(cell.row_key, cell.column) for cell in found] == list(MADE_UP.by_key)
    assert [(cell.kind, cell.jobs, cell.missing, cell.metric) for cell in found] == [
        ("trained", (job,), "needs faces", "mean_iou"),
        ("exact", (job,), "needs faces", "parameters"),
        ("published", (), "", ""),
    ]
    assert [cell.value({"mean_iou": 0.5, "parameters": 7}) for cell in found] == [50, 7, None]


# Trainings.


def test_stages_have_the_seed_of_what_starts_from_them(tiny: Callable[..., Job]) -> None:
    first = tiny(slug="first")
    second = tiny(slug="second", start=Start(first, fresh=("factor",)))
    found = seeded(Setting("demo", seeds=3, precision="bf16-mixed"), replace(second, start=Start(second, unused=("norm",))))
    assert [job.seed for job in found] == [0, 1, 2]
    for job in found:
        assert job.precision == "bf16-mixed"
        (parent,) = job.parents
        assert (parent.slug, parent.seed) == ("second", job.seed)
        assert [(each.slug, each.seed) for each in parent.parents] == [("first", job.seed)]
        assert (job.start, parent.start) == (Start(parent, unused=("norm",)), Start(*parent.parents, fresh=("factor",)))
    assert len({each.digest for job in found for each in (job, *job.parents)}) == 6


def test_trainings_say_what_is_missing_without_a_data_root() -> None:
    for profile, scale, said in (("paper", voc.SCALES, "VOC 2012 and SBD"), ("small", helen.SCALES, "Helen"), ("demo", voc.SCALES, "")):
        setting = Setting(profile, seeds=2)  # type: ignore[arg-type]
        jobs, missing = trainings(setting, scale[profile], Segmentation(), "some", 3)  # type: ignore[index]
        assert missing == (said and f"needs {said}: name the folder of the data sets by --data-root or REPRODUCE_DATA")
        assert [(job.slug, job.seed, job.revision, job.start) for job in jobs] == [(f"some-{profile}", seed, 3, None) for seed in (0, 1)]


def test_trainings_are_the_scales_where_nothing_else_is_said() -> None:
    scale = replace(helen.SCALES["demo"], checkpoint_every=7, log_every=3)
    (job,), _ = trainings(Setting("demo"), scale, Segmentation(), "some", 1)
    assert (job.network, job.recipe, job.data) == (scale.network, scale.recipe, scale.data)
    assert (job.runtime.checkpoint_every, job.runtime.log_every) == (7, 3)
    network, recipe = replace(scale.network, dilation=4), Recipe(3, 2, SGD(0.1))
    (other,), _ = trainings(Setting("demo"), scale, Segmentation(), "some", 1, network=network, recipe=recipe, start=Start(job))
    assert (other.network, other.recipe, other.parents) == (network, recipe, (job,))


def test_scenes_are_vocs_but_in_the_demo() -> None:
    assert SCENES.keys() == set(PROFILES)
    assert SCENES["paper"] == VOC(crop=321, train="train_aug", evaluate="val")
    for profile, scenes in SCENES.items():
        assert (scenes.made is None) == (profile != "demo")
        assert voc.SCALES[profile].data == scenes
        assert profile == "paper" or scenes.crop == 44 * math.prod(voc.SCALES[profile].network.strides)
    assert [made_up(SCENES[profile]) for profile in ("paper", "small")] == ["", ""]
    assert made_up(SCENES["demo"]) == "120 made-up scenes of 2 shapes in 2 hues to train on and 24 to test on, not VOC."


# Start weights.


@pytest.fixture
def downloaded(tmp_path: Path) -> Path:
    """A data root with a file of VGG-16's name."""
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / IMAGENET_VGG16.name).write_bytes(b"weights")
    weights._sha256.cache_clear()
    return tmp_path


def test_imagenets_vgg16_is_where_the_papers_profile_starts_if_it_is_there(downloaded: Path) -> None:
    fresh = ("head.fc8",)
    for setting in (Setting("small", data_root=downloaded), Setting("demo", data_root=downloaded)):
        assert (imagenet_vgg16(setting, fresh), random_start(setting)) == (None, "")
    for setting in (Setting("paper"), Setting("paper", data_root=downloaded / "weights")):
        assert (imagenet_vgg16(setting, fresh), random_start(setting)) == (None, "started from random weights")
    setting = Setting("paper", data_root=downloaded)
    file = IMAGENET_VGG16.under(downloaded)
    assert file is not None
    assert (imagenet_vgg16(setting, fresh), random_start(setting)) == (Start(file, fresh=fresh), "")
    assert (file.name, file.layout, file.verified) == ("vgg16-397923af.pth", "torchvision VGG-16", False)


def vgg16() -> dict[str, torch.Tensor]:
    """torchvision's VGG-16 without its numbers."""
    sizes = {0: (3, 64), 2: (64, 64), 5: (64, 128), 7: (128, 128), 10: (128, 256), 12: (256, 256), 14: (256, 256), 17: (256, 512)}
    sizes |= dict.fromkeys((19, 21, 24, 26, 28), (512, 512))
    shapes = {f"features.{index}": (outputs, inputs, 3, 3) for index, (inputs, outputs) in sizes.items()}
    shapes |= {"classifier.0": (4096, 512 * 49), "classifier.3": (4096, 4096), "classifier.6": (1000, 4096)}
    with torch.device("meta"):
        weight = {f"{name}.weight": torch.zeros(shape) for name, shape in shapes.items()}
        return weight | {f"{name}.bias": torch.zeros(shape[0]) for name, shape in shapes.items()}


SINGLE = AdaptiveVGG(11, 8)
PATHS = MultiPathVGG(11, (8, 8), inflated=False, norm=False)


@pytest.mark.parametrize(
    ("network", "fresh"),
    [
        (SINGLE, {"head.fc8", "norm", "factor"}),
        (replace(SINGLE, inflated=False, norm=False), {"head.fc8"}),
        (PATHS, {"paths.0.head.fc8", "paths.1.head.fc8"}),
        (
            replace(PATHS, inflated=True, norm=True, label_sets=((1,), ())),
            {"paths.0.head.fc8", "paths.1.head.fc8", "norm", "paths.0.factor", "paths.1.factor"},
        ),
    ],
)
def test_fresh_is_what_imagenets_vgg16_lacks(network: AdaptiveVGG | MultiPathVGG, fresh: set[str], downloaded: Path) -> None:
    start = helen.start_of(Setting("paper", data_root=downloaded), network)
    assert start is not None
    assert set(start.fresh) == fresh
    assert (start.unused, start.renamed, start.frozen) == ((), (), ())
    with torch.device("meta"):
        built = build_network(network)
    taken = {name: value.shape for name, value in built.start_weights(vgg16(), IMAGENET_VGG16.layout).items()}
    own = {name: value.shape for name, value in built.state_dict().items()}
    drawn = {name for name in own if any(name == each or name.startswith(f"{each}.") for each in fresh)}
    assert {name: shape for name, shape in own.items() if name not in drawn} == taken
    assert all(any(name == each or name.startswith(f"{each}.") for name in own) for each in fresh)


# Figures and deviations.


def test_a_curve_is_of_what_is_done_and_was_logged(tiny: Callable[..., Job], store: Store) -> None:
    done, bare, todo = (tiny(seed=seed) for seed in range(3))
    (store.prepare(done).folder / "metrics.jsonl").write_text('{"step": 4, "f": 1.5}\n{"step": 9}\n{"step": 14, "f": 2.0}\n')
    store.prepare(bare)
    for job in (done, bare):
        store.run(job).finish(EMPTY)
    assert curves((done, bare, todo), store, "f") == {done: {4: 1.5, 14: 2.0}}
    assert together([{4: 1.5, 9: 1.7, 14: 2.0}, {14: 3.0, 4: 2.5}]) == ([4, 14], [[1.5, 2.0], [2.5, 3.0]])


def test_deviations_say_the_precision_where_it_is_not_the_default() -> None:
    texts = {"split": "On val."}
    assert listed(Setting("demo"), texts) == [Deviation("split", "On val.")]
    half = Setting("demo", precision="bf16-mixed")
    assert listed(half, texts) == [
        Deviation("precision", "Networks are trained in bf16-mixed; the paper does not name a precision."),
        Deviation("split", "On val."),
    ]
    assert listed(half, {}, "All in {}.") == [Deviation("precision", "All in bf16-mixed.")]
    assert listed(half, {"precision": "So in print."}) == [Deviation("precision", "So in print.")]

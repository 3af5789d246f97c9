"""Stages: what is taken, fresh, unused, renamed and frozen, from jobs and files; and what a table makes of where weights are from."""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from datamodules.synthetic_voc import write_voc
from lightning_modules.segmentation import SemanticSegmentation
from reproduce.jobs.job import Job, evaluation
from reproduce.jobs.store import Run, Store
from reproduce.specs import CAFFE, VOC, Inference, Preprocessing, Start, Weights
from reproduce.table import Cell, metric
from reproduce.verdicts.measured import measure
from reproduce.worker import stages
from reproduce.worker.process import work


def network(seed: int, classes: int = 3) -> nn.Sequential:
    torch.manual_seed(seed)
    layers = {"body": nn.Conv2d(3, 4, 3), "norm": nn.BatchNorm2d(4), "head": nn.Conv2d(4, classes, 1)}
    return nn.Sequential(OrderedDict(layers))


def filled(start: Start, source: nn.Module, target: nn.Module) -> list[str]:
    return stages.fill(target, source.state_dict(), start, "a run")


SOURCE = Weights("w.pth", "")


def test_a_stage_takes_everything_and_says_that_nothing_is_fresh() -> None:
    ours, theirs = network(0), network(1)
    assert filled(Start(SOURCE), theirs, ours) == []
    assert all(torch.equal(value, theirs.state_dict()[name]) for name, value in ours.state_dict().items())


def test_what_is_fresh_stays_as_drawn_and_is_reported_by_name() -> None:
    ours, theirs = network(0, classes=5), network(1)
    before = {name: value.clone() for name, value in ours.state_dict().items()}
    assert filled(Start(SOURCE, fresh=("head",)), theirs, ours) == ["head.bias", "head.weight"]
    assert torch.equal(ours.state_dict()["head.weight"], before["head.weight"])
    assert torch.equal(ours.state_dict()["body.weight"], theirs.state_dict()["body.weight"])


def test_names_are_renamed_as_wholes() -> None:
    ours = network(0)
    theirs = {name.replace("body", "features.conv").replace("head", "score"): value for name, value in network(1).state_dict().items()}
    start = Start(SOURCE, renamed=(("features.conv", "body"), ("score", "head")))
    assert stages.fill(ours, theirs, start, "a run") == []
    assert torch.equal(ours.state_dict()["body.bias"], theirs["features.conv.bias"])


def test_tied_weights_need_to_be_there_once() -> None:
    """A file of safetensors holds shared memory under one name."""
    ours = nn.Sequential(OrderedDict(a=nn.Linear(2, 2), b=nn.Linear(2, 2)))
    ours.b.weight = ours.a.weight
    state = {name: torch.ones_like(value) for name, value in ours.state_dict().items() if name != "b.weight"}
    assert stages.fill(ours, state, Start(SOURCE), "a run") == []
    assert (ours.b.weight == 1).all()


@pytest.mark.parametrize(
    ("start", "drop", "add", "expected"),
    [
        (Start(SOURCE), ("head.bias",), (), "head.bias is missing; name them in the stage's `fresh`"),
        (Start(SOURCE), (), ("extra.weight",), "extra.weight is left over"),
        (Start(SOURCE), ("head.bias", "head.weight"), ("a", "b"), "head.weight, head.bias are missing and a, b are left over"),
        (
            Start(SOURCE, fresh=("heads",)),
            (),
            (),
            "Expected `fresh` of the stage from a run to name existing weights, but got 'heads'",
        ),
        (
            Start(SOURCE, unused=("tail",)),
            (),
            (),
            "Expected `unused` of the stage from a run to name existing weights, but got 'tail'",
        ),
        (Start(SOURCE, fresh=("hea",)), (), (), "but got 'hea'"),
    ],
)
def test_nothing_else_may_be_missing_or_left_over(start: Start, drop: tuple[str, ...], add: tuple[str, ...], expected: str) -> None:
    state = {name: value for name, value in network(1).state_dict().items() if name not in drop}
    state |= {name: torch.zeros(1) for name in add}
    with pytest.raises(ValueError) as caught:
        stages.fill(network(0), state, start, "a run")
    assert expected in str(caught.value)
    assert str(caught.value).count(". ") == 0


def test_another_shape_is_refused_by_name_and_both_shapes() -> None:
    with pytest.raises(ValueError, match=r"`head.weight` of a run to have the network's shape \(5, 4, 1, 1\), but got \(3, 4, 1, 1\)"):
        filled(Start(SOURCE), network(1), network(0, classes=5))


def weights_file(folder: Path, state: dict[str, Any], name: str = "w.pth", **fields: Any) -> Weights:
    path = folder / "weights" / name
    path.parent.mkdir(exist_ok=True)
    if name.endswith(".safetensors"):
        save_file(state, path)
    else:
        torch.save(state, path)
    return Weights(name, hashlib.sha256(path.read_bytes()).hexdigest(), **fields)


@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
def test_a_file_is_recorded_with_its_digits_layout_and_preprocessing(name: str, tmp_path: Path, tiny: Callable[..., Job]) -> None:
    theirs = network(1)
    source = weights_file(tmp_path, theirs.state_dict(), name, preprocessing=CAFFE, official="0")
    job = replace(tiny(data_root=str(tmp_path)), start=Start(source, unused=("head",), fresh=("head",), frozen=("body",)))
    record = stages.take(job, network(0), Store(tmp_path / "runs"))
    assert record is not None
    assert (record["file"], record["sha256"], record["layout"], record["verified"]) == (name, source.sha256, "", source.sha256[0] == "0")
    assert record["preprocessing"] == {"order": "BGR", "mean": CAFFE.mean, "std": CAFFE.std}
    assert (record["fresh"], record["unused"], record["frozen"]) == (["head.bias", "head.weight"], ["head"], ["body"])
    json.dumps(record)


def test_a_file_that_changed_or_is_none_is_one_sentence(tmp_path: Path, tiny: Callable[..., Job]) -> None:
    source = weights_file(tmp_path, network(1).state_dict())
    job = replace(tiny(data_root=str(tmp_path)), start=Start(replace(source, sha256="00")))
    with pytest.raises(ValueError, match="to be as it was when the job was made, but it has changed"):
        stages.take(job, network(0), Store(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"Expected start weights in .*none\.pth, but they cannot be read"):
        stages.take(replace(job, start=Start(Weights("none.pth", "00"))), network(0), Store(tmp_path))
    (tmp_path / "weights" / "text.pth").write_text("no weights")
    text = Weights("text.pth", hashlib.sha256(b"no weights").hexdigest())
    with pytest.raises(ValueError, match=r"text\.pth to be weights saved by torch or safetensors, but it cannot be read"):
        stages.take(replace(job, start=Start(text)), network(0), Store(tmp_path))
    listed = weights_file(tmp_path, {"epoch": 3}, "epoch.pth")
    with pytest.raises(ValueError, match="to hold tensors by name, but it holds something else"):
        stages.take(replace(job, start=Start(listed)), network(0), Store(tmp_path))


def test_a_layout_that_a_network_does_not_know_is_refused(tmp_path: Path, tiny: Callable[..., Job]) -> None:
    source = weights_file(tmp_path, network(1).state_dict(), layout="Caffe's LeNet")
    with pytest.raises(ValueError, match="Expected a network that takes weights in the layout of Caffe's LeNet, but got Sequential"):
        stages.take(replace(tiny(data_root=str(tmp_path)), start=Start(source)), network(0), Store(tmp_path))


def test_a_network_sees_pictures_as_its_weights_did(tiny: Callable[..., Job]) -> None:
    """Caffe's weights saw BGR from 0 to 255 less a mean, whatever the datamodule makes of the same bytes; stages keep that."""
    pixels = torch.randint(256, (2, 3, 6, 5), generator=torch.Generator().manual_seed(0)).float()
    first = replace(tiny(), start=Start(Weights("caffe.pth", "00", preprocessing=CAFFE)))
    data = SimpleNamespace(mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.4))
    image = (pixels / 255 - torch.tensor(data.mean).view(3, 1, 1)) / torch.tensor(data.std).view(3, 1, 1)
    for job in (first, replace(tiny(seed=1), start=Start(first))):
        seen = stages.preprocessing(job, data)
        assert seen is not None
        expected = pixels.flip(1) - torch.tensor(CAFFE.mean).view(3, 1, 1)
        torch.testing.assert_close(seen(image), expected, atol=1e-3, rtol=1e-5)


def test_a_task_brings_pictures_to_its_network_wherever_it_asks_for_scores() -> None:
    """In training, in the evaluation and in predictions, also where the network is converted; examples keep the pictures of the data."""
    given: list[torch.Tensor] = []

    class Told(nn.Module):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            given.append(image)
            return image.requires_grad_()[:, :2] * 1.0

    task = SemanticSegmentation(Told(), 2)
    task.seen = lambda image: 2 * image
    task.log = task.log_dict = lambda *args, **kwargs: None  # type: ignore[method-assign]  # there is no Trainer
    batch = {"image": torch.ones(1, 3, 4, 4), "mask": torch.zeros(1, 4, 4, dtype=torch.long)}
    task.training_step(batch)
    task.network = nn.Sequential(task.network)
    task.test_step(batch)
    task.predict_step({"image": batch["image"]})
    assert [float(image.detach().mean()) for image in given] == [2.0] * 3
    assert float(batch["image"].mean()) == 1.0


def test_pictures_normalised_as_the_weights_want_them_are_left_alone(tiny: Callable[..., Job]) -> None:
    assert stages.preprocessing(replace(tiny(), start=Start(Weights("w.pth", "00"))), SimpleNamespace()) is None
    assert stages.preprocessing(tiny(), SimpleNamespace(mean=(0.1,) * 3, std=(1.0,) * 3)) is None
    with pytest.raises(ValueError, match="Expected `order` to be 'RGB' or 'BGR', but got 'GRB'"):
        Preprocessing("GRB")


@pytest.mark.parametrize(
    ("names", "renamed"), [(("body", "old"), (("old", "body"),)), (("old", "older"), (("old", "body"), ("older", "body")))]
)
def test_two_weights_of_one_name_are_refused(names: tuple[str, ...], renamed: tuple[tuple[str, str], ...]) -> None:
    ours = network(0)
    state = {name: value for name, value in network(1).state_dict().items() if not name.startswith("body.")}
    state |= {f"{name}.{part}": getattr(ours.body, part).detach() for name in names for part in ("weight", "bias")}
    expected = "Expected `renamed` of the stage from a run to give every weight a different name, but got `body.weight` twice."
    with pytest.raises(ValueError, match=f"^{expected}$"):
        stages.fill(ours, state, Start(SOURCE, renamed=renamed), "a run")


def test_files_of_torch_before_zip_archives_are_read(tmp_path: Path) -> None:
    """So is torchvision's VGG-16, which is of 2016."""
    torch.save({"a": torch.ones(3)}, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    assert torch.equal(stages.read(tmp_path / "old.pth")["a"], torch.ones(3))


def test_a_stage_is_of_a_training_and_names_are_several(tiny: Callable[..., Job]) -> None:
    with pytest.raises(ValueError, match=r"Expected `source` of a stage to be a training or a file, but evaluated-s0-.* only evaluates"):
        Start(evaluation(tiny(), "evaluated"))
    with pytest.raises(ValueError, match=r"Expected `fresh` of a stage to be a tuple of names such as \('head',\), but got 'head'"):
        Start(tiny(), fresh="head")  # type: ignore[arg-type]


def test_an_evaluation_of_another_split_is_known_by_that_splits_files(tmp_path: Path, tiny: Callable[..., Job]) -> None:
    write_voc(tmp_path, train=3, val=2, size=32, seed=0, sbd=2)
    data, _ = VOC(32).identified(tmp_path)
    training = replace(tiny(data_root=str(tmp_path)), data=data)
    other = evaluation(training, "other", train="train", evaluate="val")
    assert other.data == VOC(32, train="train").identified(tmp_path)[0]
    assert other.data.fingerprint != data.fingerprint  # type: ignore[union-attr]
    nowhere = replace(training, runtime=replace(training.runtime, data_root=str(tmp_path / "none")))
    assert evaluation(nowhere, "flipped", inference=Inference(flip=True)).data == data
    unnamed = replace(training, runtime=replace(training.runtime, data_root=""))
    assert evaluation(unnamed, "other", train="train").data == replace(data, train="train")


def lines(run: Run) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run.folder / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.slow
def test_a_second_stage_freezes_what_it_took_and_learns_the_rest(tmp_path: Path, tiny: Callable[..., Job]) -> None:
    store, parent = Store(tmp_path), tiny(inflated=False)
    assert work(store.prepare(parent).folder) == 0
    wider = replace(parent.network, head_channels=6)
    child = replace(
        parent, slug="wider", network=wider, start=Start(parent, fresh=("head",), unused=("head",), frozen=("features", "norm"))
    )
    run = store.prepare(child)
    assert work(run.folder) == 0, run.error
    ours, theirs = load_file(run.weights), load_file(store.run(parent).weights)
    kept = [name for name in ours if name.startswith(("features.", "norm."))]
    assert any(name.endswith("running_mean") for name in kept)
    assert all(torch.equal(ours[name], theirs[name]) for name in kept)
    assert run.result is not None
    record = run.result["start"]
    assert (record["job"], record["frozen"], record["unused"]) == (parent.name, ["features", "norm"], ["head"])
    assert {name.partition(".")[0] for name in record["fresh"]} == {"head"}
    assert record["data"] == store.run(parent).result["data"]  # type: ignore[index]
    assert lines(run)[0]["train/loss"] != lines(run)[-2]["train/loss"]


@pytest.mark.slow
def test_a_stage_can_be_tried_from_a_stopped_one_and_leaves_nothing_behind(tmp_path: Path, tiny: Callable[..., Job]) -> None:
    """What comes of it is unfinished and says so; the real run is the one that never was tried."""
    whole, tried = Store(tmp_path / "whole"), Store(tmp_path / "tried")

    def chain(stop_after: int) -> tuple[Job, Job, Job, Job]:
        first = tiny(stop_after=stop_after)
        second = replace(first, slug="second", seed=1, start=first)
        third = replace(first, slug="third", seed=2, start=second, recipe=replace(first.recipe, steps=2))  # type: ignore[type-var]
        return first, second, third, evaluation(second, "evaluated")

    for job in chain(stop_after=2):
        run = tried.prepare(job)
        assert work(run.folder) == 0, run.error
        assert run.state == "interrupted"
    runs = [tried.run(job) for job in chain(0)]
    assert [run.progress.get("unfinished_start", False) for run in runs] == [False, True, True, True]
    assert not any((run.folder / "result.json").exists() or run.weights.exists() for run in runs)
    cells = [Cell(str(index), "f_score", "trained", (job,), lambda metrics: metrics["f_score"]) for index, job in enumerate(chain(0))]
    reasons = [line.reason for line in measure(cells, tried, "demo", "run")]
    assert reasons == [
        "2 of 12 steps; `run` resumes it",
        "2 of 12 steps, started from an unfinished job; `run` resumes it",
        "2 of 2 steps, started from an unfinished job; `run` resumes it",
        "started from an unfinished job; `run` resumes it",
    ]
    for store in (whole, tried):
        for job in chain(0):
            run = store.prepare(job)
            assert work(run.folder) == 0, run.error
    for job in chain(0):
        ours, theirs = tried.run(job), whole.run(job)
        assert ours.result is not None
        assert theirs.result is not None
        assert ours.result["metrics"] == theirs.result["metrics"]
        assert lines(ours) == lines(theirs)
        assert not ours.result["start"] or "unfinished" not in ours.result["start"]


def test_without_a_stop_a_stage_waits_for_the_one_before(tmp_path: Path, tiny: Callable[..., Job]) -> None:
    store, parent = Store(tmp_path), tiny()
    assert work(store.prepare(replace(parent, runtime=replace(parent.runtime, stop_after=2))).folder) == 0
    child = store.prepare(tiny(start=parent, seed=1))
    assert work(child.folder) == 1
    assert child.error == f"Expected {parent.name}, which tiny starts from, to be done, but it is interrupted; run it first."


PROVENANCE = {"device": "a processor", "seconds": 1.0, "finished": ""}


@pytest.mark.parametrize(
    ("before", "verified"),
    [
        ({"status": "verified", "set": "Helen", "detail": "2330 faces"}, True),
        ({"status": "not official", "set": "Helen", "detail": "838 faces"}, False),
        ({"status": "synthetic", "set": "VOC", "detail": "12 scenes"}, False),
    ],
)
def test_the_data_of_every_stage_decides_what_is_verified(
    before: dict[str, str], verified: bool, store: Store, tiny: Callable[..., Job]
) -> None:
    """A second stage on official data is not `within` anything where its first stage had other data."""
    official = {"status": "counts", "set": "Helen", "detail": "2330 faces"}
    first = tiny(seed=1)
    second, third = tiny(seed=2, start=first), tiny(seed=3, start=tiny(seed=2, start=first))
    record: dict[str, Any] = {"job": first.name, "data": before, "start": None}
    for job, start in ((second, record), (third, {"job": second.name, "data": official, "start": record})):
        result = {"metrics": {"f_score": 0.9}, "data": official, "start": start, "provenance": PROVENANCE}
        store.prepare(job).finish(result)
        (line,) = measure([Cell("a", "f_score", "trained", (job,), lambda metrics: metric("f_score", metrics))], store, "paper", "run")
        assert line.verified is verified
        other = (before["set"], before["status"]) != ("Helen", "counts")
        assert ("from weights of" in line.data) is other
        assert not other or before["detail"] in line.data


@pytest.mark.slow
def test_a_table_whose_first_stage_ran_on_a_stand_in_is_not_comparable(tmp_path: Path, tiny: Callable[..., Job]) -> None:
    store = Store(tmp_path / "runs")
    first = tiny(seed=1)
    second = tiny(seed=2, start=first, steps=1, milestones=())
    for job in (first, second):
        assert work(store.prepare(job).folder) == 0
    result = store.run(second).result
    assert result is not None
    assert result["start"]["data"]["status"] == "synthetic"
    store.run(second).finish(result | {"data": result["data"] | {"status": "counts"}})
    (line,) = measure([Cell("a", "f_score", "trained", (second,), lambda metrics: metrics["f_score"])], store, "paper", "run")
    assert line.verified is False
    assert "made-up data in the layout of Helen" in line.data

"""Evaluations: jobs of their own on a training's weights, by the code of the training's own evaluation, on one rank or two."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from safetensors.torch import load_file, load_model
from torch import nn

from reproduce.jobs.job import Job, evaluation
from reproduce.jobs.store import Run, Store
from reproduce.specs import Inference, Segmentation
from reproduce.worker.building import build_data, build_network, build_task
from reproduce.worker.process import work

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, tiny: Callable[..., Job], digits: Callable[..., Job]) -> tuple[Store, Job, Job]:
    """A training of faces and one of digits, done."""
    store = Store(tmp_path_factory.mktemp("trained"))
    jobs = tiny(inflated=False, dropout=0.5, steps=120, milestones=(90,)), digits()
    for job in jobs:
        assert work(store.prepare(job).folder) == 0
    return store, *jobs


def done(store: Store, job: Job) -> Run:
    run = store.prepare(job)
    assert work(run.folder) == 0, run.error
    return run


@pytest.mark.parametrize("which", [1, 2])
def test_the_plain_evaluation_is_the_trainings_own(which: int, trained: tuple[Store, Job, Job]) -> None:
    store, training = trained[0], trained[which]
    assert isinstance(training, Job)
    before = store.run(training).result
    run = done(store, evaluation(training, "again"))
    assert run.result is not None
    assert before is not None
    assert {name: run.result[name] for name in ("metrics", "confusion", "images", "data")} == {
        name: before[name] for name in ("metrics", "confusion", "images", "data")
    }
    assert run.result["start"]["job"] == training.name
    assert not run.weights.exists()
    assert [line["step"] for line in run.curve] == [0]  # the scores alone: there was no step


def test_mirror_images_are_averaged_as_by_hand(trained: tuple[Store, Job, Job]) -> None:
    store, training, _ = trained
    run = done(store, evaluation(training, "flipped", inference=Inference(flip=True)))
    network = build_network(training.network)
    load_model(network, store.run(training).weights)
    network.eval()
    data = build_data(training)
    data.prepare_data()
    data.setup("test")
    matrix = torch.zeros(11, 11, dtype=torch.int64)
    with torch.inference_mode():
        for loaded in data.test_dataloader():
            batch = data.on_after_batch_transfer(loaded, 0)
            image, mask = batch["image"], batch["mask"]
            average = network(image).softmax(1) + network(image.flip(-1)).softmax(1).flip(-1)
            matrix += torch.bincount((mask * 11 + average.argmax(1)).flatten(), minlength=121).reshape(11, 11)
    assert run.result is not None
    assert run.result["confusion"] == matrix.tolist()
    assert run.result["confusion"] != store.run(training).result["confusion"]  # type: ignore[index]


@pytest.mark.parametrize("inference", [None, Inference((0.5, 1.0), flip=True)], ids=["plain", "several views"])
@pytest.mark.parametrize("which", [1, 2])
def test_two_ranks_evaluate_each_sample_once(which: int, inference: Inference | None, trained: tuple[Store, Job, Job]) -> None:
    """Thirteen digits and three faces: neither number is even. Every metric is that of one rank."""
    store, training = trained[0], trained[which]
    assert isinstance(training, Job)
    alone = done(store, evaluation(training, f"alone-{inference is None}", inference=inference))
    shared = evaluation(training, f"shared-{inference is None}", inference=inference).with_runtime(
        lambda job: {"devices": 2} if job.slug.startswith("shared") else {}
    )
    run = store.prepare(shared)
    assert work(run.folder) == 0, run.error
    assert alone.result is not None
    assert run.result is not None
    assert run.result["provenance"]["devices"] == 2
    assert {name: run.result[name] for name in ("metrics", "confusion", "images")} == {
        name: alone.result[name] for name in ("metrics", "confusion", "images")
    }
    assert shared.digest == evaluation(training, "shared", inference=inference).digest


def test_a_converted_network_has_the_same_weights(trained: tuple[Store, Job, Job], monkeypatch: pytest.MonkeyPatch) -> None:
    """A conversion changes the network that is evaluated; nothing of it is stored."""
    from reproduce.worker import training as worker

    store, trained_job, _ = trained
    seen: list[nn.Module] = []

    def convert(job: Job, network: nn.Module) -> nn.Module:
        seen.append(network)
        return nn.Sequential(nn.Upsample(scale_factor=0.5), network)

    monkeypatch.setattr(worker, "converted", convert)
    run = done(store, replace(evaluation(trained_job, "converted"), seed=7))
    assert run.result is not None
    assert run.result["images"] == 3
    assert run.result["confusion"] != store.run(trained_job).result["confusion"]  # type: ignore[index]
    assert len(seen) == 1


def test_the_weights_of_a_training_are_those_before_its_conversion(
    tmp_path: Path, tiny: Callable[..., Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    from reproduce.worker import training as worker

    @torch.no_grad()
    def convert(job: Job, network: nn.Module) -> nn.Module:
        for parameter in network.head.parameters():  # type: ignore[union-attr, operator]
            parameter.mul_(-1.0)
        return network

    plain = done(Store(tmp_path / "plain"), tiny(steps=2))
    monkeypatch.setattr(worker, "converted", convert)
    run = done(Store(tmp_path / "converted"), tiny(steps=2))
    ours, theirs = load_file(run.weights), load_file(plain.weights)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert run.result is not None
    assert run.result["confusion"] != plain.result["confusion"]  # type: ignore[index]


def test_nothing_to_evaluate_is_one_sentence(tmp_path: Path, tiny: Callable[..., Job]) -> None:
    run = Store(tmp_path).prepare(tiny(recipe=None))
    assert work(run.folder) == 1
    assert run.error == "Expected `recipe` or `start` in the job tiny, but got neither: there is nothing to evaluate."


@pytest.mark.parametrize("reduction", ["batch", "mean", "sum"])
def test_a_batch_in_parts_is_the_batch(reduction: str, tmp_path: Path, tiny: Callable[..., Job]) -> None:
    """Without batch norm and dropout, the gradients of two parts are those of the whole; f's shares, as they are logged, too."""
    scale = {"batch": 1.0, "mean": 1e3, "sum": 0.25}[reduction]
    common = {"norm": False, "batch_norm": False, "dropout": 0.0, "batch_size": 4, "steps": 4, "milestones": ()}
    jobs = [tiny(task=Segmentation(reduction), **common, learning_rate=1e-5 * scale, accumulate=parts) for parts in (1, 2, 4)]
    assert len({job.digest for job in jobs}) == 3
    curves = []
    for job in jobs:
        run = done(Store(tmp_path), job)
        curves.append([{name: value for name, value in line.items() if not name.startswith("test/")} for line in run.curve])
        assert [line["step"] for line in run.curve] == [0, 1, 2, 3, 4]
    for curve in curves[1:]:
        for line, whole in zip(curve, curves[0], strict=True):
            assert line == pytest.approx(whole, rel=2e-3, abs=1e-6)


def test_a_training_in_parts_goes_on_where_it_stopped(tmp_path: Path, tiny: Callable[..., Job]) -> None:
    whole, stopped = Store(tmp_path / "whole"), Store(tmp_path / "stopped")
    job = tiny(accumulate=2, dropout=0.5, batch_size=4, steps=6)
    expected = done(whole, job)
    for _ in range(3):
        run = stopped.prepare(replace(job, runtime=replace(job.runtime, stop_after=2)))
        assert run.result is None
        assert work(run.folder) == 0, run.error
    assert run.result is not None
    assert expected.result is not None
    assert run.result["metrics"] == expected.result["metrics"]
    assert run.curve == expected.curve


def test_a_training_in_parts_is_saved_at_whole_steps_and_once_at_each(
    tmp_path: Path, tiny: Callable[..., Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    saved: list[tuple[str, int]] = []
    save = pl.Trainer.save_checkpoint

    def noted(trainer: pl.Trainer, path: Path, *args: Any, **kwargs: Any) -> None:
        saved.append((Path(path).name, (trainer.fit_loop.epoch_loop.batch_idx + 1) % 2))
        save(trainer, path, *args, **kwargs)

    monkeypatch.setattr(pl.Trainer, "save_checkpoint", noted)
    job = tiny(accumulate=2, batch_size=4, steps=6, checkpoint_every=2)
    for stop_after in (2, 1, 0):
        assert work(Store(tmp_path).prepare(replace(job, runtime=replace(job.runtime, stop_after=stop_after))).folder) == 0
    assert saved == [(f"step-{step:08d}.ckpt", 0) for step in (2, 3, 4, 6)]


def test_inference_that_a_task_does_not_take_is_refused(tmp_path: Path, tiny: Callable[..., Job], monkeypatch: pytest.MonkeyPatch) -> None:
    job = tiny(inference=Inference(flip=True))
    monkeypatch.setattr("reproduce.worker.building.takes", lambda spec, name: False)
    with pytest.raises(ValueError, match="Expected no `inference` in the job tiny, as segmentation takes none, but got Inference"):
        build_task(job)


def test_a_recipe_whose_parts_do_not_divide_is_refused(tiny: Callable[..., Job]) -> None:
    from reproduce.worker.ranks import check

    job = tiny(norm=False, batch_norm=False, batch_size=4, accumulate=4).with_runtime(lambda _: {"devices": 2})
    with pytest.raises(ValueError, match="Expected `accumulate` of tiny to divide a device's 2 samples of the batch, but got 4"):
        check(job)

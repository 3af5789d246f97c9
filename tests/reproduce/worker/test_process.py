"""A job's own process: killed and resumed, stopped and resumed, failed, started from another's weights."""

from __future__ import annotations

import json
import re
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, load_model

from datamodules.layouts.voc import IGNORED
from lightning_modules.layers.derivatives import half_size
from lightning_modules.metrics.confusion import segmentation_scores
from reproduce.jobs.job import Job
from reproduce.jobs.result import EMPTY
from reproduce.jobs.store import Run, Store
from reproduce.papers.adaptive_rf.helen import multi_path
from reproduce.schedule.local import LocalLauncher
from reproduce.specs import VOC, Group, MadeScenes
from reproduce.verdicts.measured import described
from reproduce.worker.building import build_network
from reproduce.worker.process import work

pytestmark = pytest.mark.slow


def start(run: Run) -> BaseProcess:
    """Start a job as the launcher of this machine does: from a fork server, with what it prints in `log.txt`."""
    launcher = LocalLauncher(1)
    launcher.submit(run.folder)
    return launcher.processes[run.name]


def ended(process: BaseProcess, seconds: float = 120) -> int | None:
    process.join(timeout=seconds)
    return process.exitcode


def finish(run: Run) -> dict[str, Any]:
    assert ended(start(run)) == 0, (run.folder / "log.txt").read_text()
    assert run.result is not None
    return run.result


def lines(run: Run) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run.folder / "metrics.jsonl").read_text().splitlines()]


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)


def same(run: Run, other: Run) -> None:
    """Two runs measured the same numbers, kept the same curves and the same weights."""
    assert run.result is not None
    assert other.result is not None
    assert run.result["metrics"] == other.result["metrics"]
    assert run.result["confusion"] == other.result["confusion"]
    assert lines(run) == lines(other)
    ours, theirs = load_file(run.folder / "weights.safetensors"), load_file(other.folder / "weights.safetensors")
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_a_run_killed_three_times_is_the_undisturbed_run(tmp_path: Path, tiny: Callable[..., Job]) -> None:
    job = tiny(steps=200, milestones=(150,), dropout=0.5, factor_start=20, checkpoint_every=15)
    undisturbed, killed = Store(tmp_path / "undisturbed").prepare(job), Store(tmp_path / "killed").prepare(job)
    finish(undisturbed)
    for steps in (30, 80, 140):
        process = start(killed)
        curve = killed.folder / "metrics.jsonl"
        wait_for(lambda steps=steps, curve=curve: curve.exists() and curve.read_text().count("\n") >= steps)
        process.kill()
        assert ended(process) == -signal.SIGKILL
        assert killed.state == "interrupted"
    result = finish(killed)
    assert result["provenance"]["resumed"] == 3
    same(killed, undisturbed)
    assert [line["step"] for line in lines(killed)][:200] == list(range(200))
    assert {line["trajectory/f"] for line in lines(killed)[:20]} == {1.0}  # held still until factor_start
    assert lines(killed)[21]["trajectory/f"] != 1.0


def test_a_killed_training_of_pictures_is_the_undisturbed_one(tmp_path: Path, digits: Callable[..., Job]) -> None:
    """Filters and maps go on with the sizes of the sigmas that a checkpoint has."""
    job = digits(steps=150, milestones=(100,), checkpoint_every=15)
    undisturbed, killed = Store(tmp_path / "undisturbed").prepare(job), Store(tmp_path / "killed").prepare(job)
    finish(undisturbed)
    for steps in (40, 90):
        process = start(killed)
        curve = killed.folder / "metrics.jsonl"
        wait_for(lambda steps=steps, curve=curve: curve.exists() and curve.read_text().count("\n") >= steps)
        process.kill()
        assert ended(process) == -signal.SIGKILL
        assert killed.state == "interrupted"
    assert finish(killed)["provenance"]["resumed"] == 2
    same(killed, undisturbed)
    sizes = {half_size(line["trajectory/sigma_1"], 2.0) for line in lines(killed)[:-1]}
    assert len(sizes) > 1


def test_a_terminated_run_writes_its_checkpoint_and_goes_on(tmp_path: Path, tiny: Callable[..., Job]) -> None:
    job = tiny(steps=400, checkpoint_every=1000)
    run = Store(tmp_path).prepare(job)
    process = start(run)
    wait_for(lambda: run.progress.get("stage") == "train" and run.progress.get("step", 0) > 20)
    process.terminate()
    assert ended(process, 60) == 0
    assert run.state == "interrupted"
    (checkpoint,) = (run.folder / "checkpoints").glob("step-*.ckpt")
    assert 20 < int(checkpoint.stem.split("-")[1]) < 400
    # Plain types only: it loads without running code.
    torch.load(checkpoint, weights_only=True)


@pytest.mark.parametrize("kind", ["tiny", "digits"])
def test_two_steps_and_two_more_are_four(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    build = request.getfixturevalue(kind)
    run = Store(tmp_path / "parts").prepare(build(steps=4, stop_after=2))
    assert work(run.folder) == 0
    assert run.state == "interrupted"
    assert (run.progress["step"], run.progress["steps"]) == (2, 4)
    assert work(run.folder) == 0
    whole = Store(tmp_path / "whole").prepare(build(steps=4))
    assert work(whole.folder) == 0
    same(run, whole)


def test_a_result_says_where_it_is_from(tmp_path: Path, tiny: Callable[..., Job]) -> None:
    run = Store(tmp_path).prepare(tiny())
    result = finish(run)
    assert result["images"] == 3
    assert result["data"]["status"] == "synthetic"
    assert sum(map(sum, result["confusion"])) == 3 * 40 * 40
    provenance = result["provenance"]
    assert {"code", "versions", "device", "seconds", "peak_memory", "seed", "finished"} <= provenance.keys()
    assert provenance["versions"]["torch"] == torch.__version__
    assert {"f", "f_score", "f_eyes", "f_skin", "mean_iou"} <= result["metrics"].keys()
    assert {"data_seconds", "step_seconds", "test_seconds", "test_share", "checkpoint_bytes"} <= result["timing"].keys()
    assert (result["timing"]["steps"], result["timing"]["test_share"]) == (11, 1.0)  # the first step is not among them
    assert sum(result["timing"][f"{part}_seconds"] for part in ("data", "test")) < provenance["seconds"]
    trajectory = {"trajectory/f", "trajectory/gradient_inflation", "trajectory/gradient_interpolation", "trajectory/receptive_field"}
    assert all(trajectory <= line.keys() for line in lines(run)[:-1])


def test_a_result_of_pictures_has_what_was_learned(tmp_path: Path, digits: Callable[..., Job]) -> None:
    job = digits()
    run = Store(tmp_path).prepare(job)
    result = finish(run)
    metrics, matrix = result["metrics"], torch.tensor(result["confusion"])
    assert result["images"] == int(matrix.sum()) == 13
    assert metrics["accuracy"] == int(matrix.diag().sum()) / 13
    assert (result["data"]["set"], result["data"]["status"], len(result["data"]["fingerprint"])) == ("MNIST", "synthetic", 16)
    assert described(result["data"]).startswith("made-up data in the layout of MNIST: 58 pictures")
    assert metrics["sigmas"] == [metrics["sigma_1"], metrics["sigma_2"]]
    # The network of the kept weights has these sigmas, and so these maps.
    network = build_network(job.network)
    load_model(network, run.weights)
    assert network.trajectory() == {name: value for name, value in metrics.items() if name.startswith("sigma_")}  # type: ignore[operator]
    assert metrics["map_sizes"] == network.map_sizes(28, 28)  # type: ignore[operator]
    assert {"train/loss", "trajectory/sigma_1", "trajectory/sigma_2"} <= lines(run)[0].keys()
    assert lines(run)[0]["trajectory/sigma_1"] == 1.0
    assert lines(run)[-1]["test/accuracy"] == pytest.approx(metrics["accuracy"])


def test_a_recipe_with_a_group_that_the_network_lacks_is_refused(tmp_path: Path, digits: Callable[..., Job]) -> None:
    job = digits(groups=(Group("gates", 2.0),))
    run = Store(tmp_path).prepare(job)
    assert work(run.folder) == 1
    assert run.error == "Expected a group of parameters of ToyCNN (sigma, biases, norms, features, classifier), but got 'gates'."


def test_a_training_that_leaves_the_range_of_sigma_says_so(tmp_path: Path, digits: Callable[..., Job]) -> None:
    run = Store(tmp_path).prepare(digits(learning_rate=1e6))
    assert work(run.folder) == 1
    assert re.match(r"Expected (`sigma` to be positive and finite|a finite training loss), but got .* lower ", run.error)


def test_a_done_run_is_left_alone_and_a_held_one_too(tmp_path: Path, tiny: Callable[..., Job]) -> None:
    run = Store(tmp_path).prepare(tiny())
    run.finish(EMPTY)
    assert work(run.folder) == 0
    other = Store(tmp_path).prepare(tiny(seed=1))
    with other.lock():
        assert work(other.folder) == 0
    assert other.state == "interrupted"


def test_a_failure_is_a_sentence_in_the_run_and_is_tried_again(tmp_path: Path, tiny: Callable[..., Job]) -> None:
    run = Store(tmp_path).prepare(tiny(learning_rate=1e6))
    assert work(run.folder) == 1
    assert run.state == "failed"
    assert "Expected a finite training loss, but got" in run.error
    assert "with f = " in run.error


def test_a_failure_names_the_f_of_every_path(tmp_path: Path, tiny: Callable[..., Job]) -> None:
    network = multi_path(tiny().network, (2, 2), norm=True, label_sets=((2,), ()))
    run = Store(tmp_path).prepare(tiny(network=network, learning_rate=1e6))
    assert work(run.folder) == 1
    assert re.search(r"at step \d+ with f = \d\.\d{3}, \d\.\d{3}: lower", run.error)


def test_a_job_starts_from_another_jobs_weights(tmp_path: Path, tiny: Callable[..., Job]) -> None:
    store = Store(tmp_path)
    parent = tiny()
    assert work(store.prepare(parent).folder) == 0
    # Without a step of its own weight, the child ends where its parent did.
    child = store.prepare(tiny(start=parent, steps=1, milestones=(), learning_rate=0.0, factor_multiplier=0.0, seed=5))
    assert work(child.folder) == 0
    ours, theirs = load_file(child.folder / "weights.safetensors"), load_file(store.run(parent).folder / "weights.safetensors")
    learned = [name for name in ours if name.endswith(("weight", "bias", "value"))]
    assert learned
    assert all(torch.equal(ours[name], theirs[name]) for name in learned)


SCENES = VOC(32, made=MadeScenes(train=6, val=3, size=48, sbd=3, shapes=2, hues=2))


def test_augmented_scenes_stopped_and_resumed_are_the_undisturbed_run(tmp_path: Path, tiny: Callable[..., Job]) -> None:
    """Crops, flips and the order go on where they were, in the middle of a pass over the pictures, and with f's own treatment."""
    network = replace(tiny().network, num_classes=21, kernel_size=3, background_weight=0.5)
    job = tiny(network=network, data=SCENES, factor_clip=0.01, dropout=0.5, steps=10, checkpoint_every=100)
    undisturbed, stopped = Store(tmp_path / "undisturbed").prepare(job), Store(tmp_path / "stopped").prepare(job)
    result = finish(undisturbed)
    for _ in range(3):
        assert stopped.result is None
        Store(tmp_path / "stopped").prepare(replace(job, runtime=replace(job.runtime, stop_after=4)))
        assert ended(start(stopped)) == 0, (stopped.folder / "log.txt").read_text()
    same(undisturbed, stopped)
    assert (result["images"], result["data"]["set"], result["data"]["status"]) == (3, "VOC", "synthetic")
    scores = segmentation_scores(torch.tensor(result["confusion"]))
    assert {name: result["metrics"][name] for name in scores} == scores
    (made,) = Path(job.runtime.cache).glob("made-scenes-6-3-48-*")
    labels = [np.array(Image.open(path)) for path in sorted(made.glob("voc/**/*.png"))[-3:]]  # of the pictures for validation
    counted = sum(int((label != IGNORED).sum()) for label in labels)
    assert sum(map(sum, result["confusion"])) == counted  # every pixel of the whole pictures that is not ignored

"""Networks of finished runs as files: run by ONNX Runtime and by torch, over the split that the run was evaluated on."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from reproduce.cli import main
from reproduce.jobs.job import Job
from reproduce.jobs.store import Run, Store
from reproduce.specs import CAFFE, Start, Weights
from reproduce.worker.building import build_data
from reproduce.worker.exporting import export_run
from reproduce.worker.process import work

Scorer = Callable[[NDArray[np.float32]], NDArray[np.float32]]
FORMATS = [
    pytest.param("onnx", marks=pytest.mark.skipif(importlib.util.find_spec("onnxruntime") is None, reason="needs onnxruntime")),
    "pt2",
]


def opened(path: Path) -> Scorer:
    """What a file computes, without this suite."""
    if path.suffix == ".pt2":
        module = torch.export.load(path).module()
        return lambda image: module(torch.from_numpy(image)).detach().numpy()  # type: ignore[no-any-return]
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return lambda image: session.run(["scores"], {"image": image})[0]  # type: ignore[no-any-return]


def confusion(job: Job, score: Scorer, label: str) -> list[list[int]]:
    """The confusion matrix of a file over the split that a job is evaluated on."""
    data: Any = build_data(job)
    data.prepare_data()
    data.setup("test")
    classes = data.num_classes
    counts = np.zeros(classes**2, np.int64)
    for batch in data.test_dataloader():
        seen = data.on_after_batch_transfer(batch, 0)
        predicted = score(seen["image"].numpy()).argmax(1)
        counts += np.bincount((classes * seen[label].numpy() + predicted).ravel(), minlength=classes**2)
    found: list[list[int]] = counts.reshape(classes, classes).tolist()
    return found


def trained(store: Store, job: Job) -> Run:
    run = store.prepare(job)
    assert work(run.folder) == 0, run.error
    return run


@pytest.mark.slow
@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(("kind", "label"), [("tiny", "mask"), ("digits", "label")])
def test_a_file_has_the_scores_of_its_run(
    format: str, kind: str, label: str, store: Store, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was learned beside the weights, f or sigma, is in the file: the matrix is the one that the run stored."""
    job = request.getfixturevalue(kind)(learning_rate=1e-3 if kind == "tiny" else 0.1)
    run = trained(store, job)
    path = store.root / f"network.{format}"
    assert main(["export", run.name, "--format", format, "--output", str(path), "--runs-dir", str(store.root)]) == 0
    said = capsys.readouterr().out
    assert "float32, N 3 40 40: RGB, normalised by ImageNet's" in said or "float32, N 1 28 28: pixels / 255, less the mean 0.1307" in said
    assert ("frozen  f = " if kind == "tiny" else "frozen  sigma_1 = ") in said
    assert run.result is not None
    assert confusion(job, opened(path), label) == run.result["confusion"]


@pytest.mark.slow
def test_images_are_brought_to_the_start_weights_inside_the_file(store: Store, tiny: Callable[..., Job]) -> None:
    """A network that started from Caffe's weights saw BGR without a standard deviation."""
    run = trained(store, tiny())
    plain = tiny(start=Start(Weights("caffe.pth", "0" * 64, preprocessing=CAFFE)))
    exported = {}
    for name, job in (("plain", tiny()), ("caffe", plain)):
        export_run(job, run.weights, store.root / f"{name}.pt2", "pt2", (3, 40, 40))
        exported[name] = opened(store.root / f"{name}.pt2")
    image = np.random.default_rng(0).normal(size=(1, 3, 40, 40)).astype(np.float32)
    std, mean = (np.array(values, np.float32).reshape(3, 1, 1) for values in ((58.395, 57.12, 57.375), (123.675, 116.28, 103.53)))
    seen = (image * std + mean)[:, ::-1] - np.array(CAFFE.mean, np.float32).reshape(3, 1, 1)
    np.testing.assert_allclose(exported["caffe"](image), exported["plain"](np.ascontiguousarray(seen)), rtol=1e-3, atol=1e-4)


WRONG = {
    "no format": (["export", "RUN"], "The following arguments are required: --format"),
    "an unknown format": (["export", "RUN", "--format", "caffe"], "Argument --format: invalid choice: 'caffe'"),
    "no such run": (["export", "nothing", "--format", "pt2"], "Expected the name of a run in runs"),
    "a negative shape": (["export", "RUN", "--format", "pt2", "--shape", "3", "-1", "4"], "Expected --shape to be three positive numbers"),
    "another number of channels": (
        ["export", "RUN", "--format", "pt2", "--shape", "1", "40", "40"],
        "Expected a network that torch.export",
    ),
}


@pytest.mark.slow
def test_wrong_words_are_one_sentence(
    store: Store, tiny: Callable[..., Job], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(store.root.parent)
    run = trained(store, tiny())
    capsys.readouterr()
    for words, expected in WRONG.values():
        assert main([run.name if word == "RUN" else word for word in words]) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.startswith(expected), captured.err
        assert captured.err.count("\n") == 1
    assert not list(store.root.parent.glob("exports/*"))

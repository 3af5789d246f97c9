"""Pictures segmented with a finished run."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from datamodules.layouts import helen
from datamodules.opencv import cv2
from reproduce.cli import main
from reproduce.figures.overlay import HELEN_COLOURS, Pixels, mask_png, overlay, read_picture, side_by_side, voc_colours
from reproduce.jobs.job import Job
from reproduce.jobs.result import EMPTY
from reproduce.jobs.store import Store
from reproduce.specs import Describe, Speed
from reproduce.worker.prediction import Segmenter, evenly_spaced, examples
from reproduce.worker.process import work


def test_vocs_colours_are_those_of_its_development_kit() -> None:
    colours = voc_colours(256)
    assert colours[:5] == ((0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0), (0, 0, 128))
    assert (colours[15], colours[20], colours[255]) == ((192, 128, 128), (0, 64, 128), (224, 224, 192))
    assert len(set(colours)) == 256


def test_every_class_of_helen_has_a_colour_of_its_own() -> None:
    assert len(set(HELEN_COLOURS)) == len(helen.CLASSES)


def test_a_mask_is_written_as_indices_with_a_palette(tmp_path: Path) -> None:
    mask = np.random.default_rng(0).integers(0, 11, (13, 7), dtype=np.uint8)
    data = mask_png(mask, HELEN_COLOURS)
    path = tmp_path / "mask.png"
    path.write_bytes(data)
    assert (read_picture(path) == np.array(HELEN_COLOURS, np.uint8)[mask]).all()
    assert struct.unpack(">IIBB", data[16:26]) == (7, 13, 8, 3)
    start = data.index(b"IDAT")
    (length,) = struct.unpack(">I", data[start - 4 : start])
    indices = np.frombuffer(zlib.decompress(data[start + 4 : start + 4 + length]), np.uint8).reshape(13, 8)[:, 1:]
    assert (indices == mask).all()


def test_an_overlay_leaves_the_background_as_it_is() -> None:
    picture = np.full((2, 2, 3), 100, np.uint8)
    shown = overlay(picture, np.array([[0, 1], [0, 0]], np.uint8), ((0, 0, 0), (200, 0, 0)))
    assert (shown[0, 0] == 100).all()
    assert (shown[0, 1] == (160, 40, 40)).all()


@pytest.mark.parametrize("shape", [(40, 30), (1500, 2000), (600, 3)])
def test_a_board_fits_pictures_of_any_size(shape: tuple[int, int]) -> None:
    picture = np.full((*shape, 3), 90, np.uint8)
    board = side_by_side(picture, np.zeros(shape, np.uint8), ("nothing", "something"), ("a run",))
    assert 420 <= len(board) <= 1040


class Brightest(nn.Module):
    """Scores of a quarter of the size: the colour channels themselves."""

    def forward(self, image: Tensor) -> Tensor:
        self.seen = image.shape[-2:]
        return nn.functional.avg_pool2d(image, 4)


@pytest.mark.parametrize(("shape", "size", "shown"), [((60, 120), 48, (24, 48)), ((200, 80), 48, (48, 19)), ((40, 80), 0, (40, 80))])
def test_the_network_sees_its_own_size_and_the_mask_has_the_pictures(shape: tuple[int, int], size: int, shown: tuple[int, int]) -> None:
    """The left is red, the right blue, and so is the mask, though the square around the picture is filled."""
    network = Brightest()
    segmenter = Segmenter(network, size, ("red", "green", "blue"))
    picture = np.zeros((*shape, 3), np.uint8)
    half = shape[1] // 2
    picture[:, :half, 0], picture[:, half:, 2] = 250, 250
    mask = segmenter(picture)
    assert network.seen == ((size, size) if size else shape)
    assert segmenter.shown(*shape) == shown
    expected = np.repeat([[0] * half + [2] * (shape[1] - half)], shape[0], axis=0)
    assert (mask == expected).mean() > 0.9
    assert not (mask == 1).any()


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, tiny: Callable[..., Job]) -> Store:
    """Two finished runs, of two seeds."""
    store = Store(tmp_path_factory.mktemp("predict") / "runs")
    for seed in (0, 1):
        assert work(store.prepare(tiny(seed=seed)).folder) == 0
    return store


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    pixels: Pixels = np.random.default_rng(0).integers(0, 255, (50, 70, 3), dtype=np.uint8)
    path = tmp_path / "some face.png"
    assert cv2.imwrite(str(path), pixels)
    return path


@pytest.mark.slow
def test_a_finished_run_segments_a_picture(trained: Store, picture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["predict", "tiny-s0", str(picture), "--runs-dir", str(trained.root), "--output", str(tmp_path / "out")]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "70 x 50 pixels, seen at 40 x 29 pixels, face not aligned" in said
    (run,) = trained.root.glob("tiny-s0-*")
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {f"some face-{run.name}.png", f"some face-{run.name}-mask.png"}
    mask = read_picture(tmp_path / "out" / f"some face-{run.name}-mask.png")
    assert mask.shape == (50, 70, 3)
    assert {tuple(map(int, colour)) for colour in mask.reshape(-1, 3)} <= set(HELEN_COLOURS)
    first = mask.copy()
    assert main(["predict", str(run), *words[2:]]) == 0  # by its folder: the same
    assert (read_picture(tmp_path / "out" / f"some face-{run.name}-mask.png") == first).all()


@pytest.mark.slow
def test_the_mask_is_the_trained_networks(trained: Store, tiny: Callable[..., Job]) -> None:
    """On a picture of the size it was trained on, the segmenter says what the network says."""
    from safetensors.torch import load_model

    from datamodules.loading import normalise
    from reproduce.worker.building import build_network
    from reproduce.worker.prediction import load_segmenter

    weights = trained.run(tiny()).folder / "weights.safetensors"
    pixels = np.random.default_rng(1).integers(0, 255, (40, 40, 3), dtype=np.uint8)
    network = build_network(tiny().network)
    load_model(network, weights)
    with torch.inference_mode():
        scores = network.eval()(normalise(torch.from_numpy(pixels).permute(2, 0, 1)[None]))
    assert (load_segmenter(tiny(), weights)(pixels) == scores[0].argmax(0).numpy()).all()


@pytest.mark.slow
def test_examples_are_what_the_evaluation_counted(trained: Store, tiny: Callable[..., Job]) -> None:
    """All pictures of the split give the confusion matrix that the run stored."""
    jobs = [tiny(seed=seed) for seed in (0, 1)]
    found = examples(jobs, trained, 3)
    assert [example.image.shape for example in found] == [(40, 40, 3)] * 3
    for job in jobs:
        masks = [(example.masks["ground truth"].astype(int).ravel(), example.masks[job.name].ravel()) for example in found]
        pairs = np.concatenate([11 * truth + prediction for truth, prediction in masks])
        result = trained.run(job).result
        assert result is not None
        assert np.bincount(pairs, minlength=121).reshape(11, 11).tolist() == result["confusion"]


def test_examples_are_evenly_spaced_whatever_the_split_has() -> None:
    assert evenly_spaced(3, 100) == [16, 50, 83]
    assert evenly_spaced(4, 4) == [0, 1, 2, 3]
    assert evenly_spaced(4, 2) == [0, 1]
    assert evenly_spaced(1, 5) == [2]


@pytest.mark.slow
def test_wrong_input_is_one_sentence(
    trained: Store, tiny: Callable[..., Job], picture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store(tmp_path / "runs")
    shutil.copytree(trained.root, store.root)
    one, other = (store.run(tiny(seed=seed)) for seed in (0, 1))
    (other.folder / "weights.safetensors").unlink()
    broken = store.prepare(tiny(seed=2))
    broken.finish(EMPTY)
    (broken.folder / "weights.safetensors").write_bytes(b"\x10")
    store.prepare(tiny(seed=3))
    store.prepare(Job(Describe(), "sizes", tiny().network))
    store.prepare(Job(Speed(tiny().network, (3, 8, 8)), "steps", tiny().network))
    (tmp_path / "note.txt").write_text("no picture")
    (tmp_path / "file").write_text("")
    twin = tmp_path / "twin" / picture.name
    twin.parent.mkdir()
    shutil.copy(picture, twin)
    some = str(picture)
    cases = {
        ("nothing", some): f"a run in {store.root}, or the beginning of one name, but 'nothing' matches none; ",
        ("tiny", some): f"one name, but 'tiny' matches 4 runs ({one.name}, ",
        ("tiny-s3", some): "but tiny-s3-",
        ("tiny-s1", some): f"Expected weights.safetensors in the run {other.name}, but it is missing",
        ("tiny-s2", some): "weights.safetensors to hold the weights of its run, but it cannot be read: ",
        ("sizes", some): "computes sizes.",
        ("steps", some): "times training steps.",
        ("tiny-s0", str(tmp_path / "none.png")): "none.png cannot be read (No such file or directory).",
        ("tiny-s0", str(tmp_path / "note.txt")): "note.txt is not one, or is truncated.",
        ("tiny-s0", some, str(twin)): "but got 'some face' twice",
        ("tiny-s0", some, "--output", str(tmp_path / "file")): "Expected --output to be a folder that can be written",
        ("tiny-s0",): "The following arguments are required: IMAGE; `python -m reproduce predict --help` lists the options.",
    }
    for words, expected in cases.items():
        assert main(["predict", *words, "--runs-dir", str(store.root)]) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert expected in captured.err
        assert captured.err.count("\n") == 1
        assert captured.err.endswith(".\n"), captured.err


def test_refusing_a_run_needs_no_torch(tmp_path: Path) -> None:
    code = "import sys; from reproduce.cli import main; main(['predict', 'x', 'y.png']); sys.exit('torch' in sys.modules)"
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stderr
    assert b"Expected the name of a run" in done.stderr

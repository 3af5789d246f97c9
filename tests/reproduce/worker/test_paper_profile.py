"""The published recipe at full size: it cannot be finished on a processor, but it starts, stops and goes on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from datamodules.synthetic import write_helen
from datamodules.synthetic_images import write_images
from reproduce.cli import main


def write_weights(path: Path) -> None:
    """Write made-up weights in torchvision's layout of VGG-16; the fully connected layers are a single stored number each."""
    generator = torch.Generator().manual_seed(0)
    state, channels, index = {}, 3, 0
    for depth, width in zip((2, 2, 3, 3, 3), (64, 128, 256, 512, 512), strict=True):
        for _ in range(depth):
            scale = (2 / (9 * channels)) ** 0.5
            state[f"features.{index}.weight"] = scale * torch.randn(width, channels, 3, 3, generator=generator)
            state[f"features.{index}.bias"] = torch.zeros(width)
            channels, index = width, index + 2
        index += 1
    for index, (outputs, inputs) in {0: (4096, 25088), 3: (4096, 4096)}.items():
        state[f"classifier.{index}.weight"] = torch.tensor(1e-4).expand(outputs, inputs)
        state[f"classifier.{index}.bias"] = torch.zeros(outputs)
    path.parent.mkdir()
    torch.save(state, path)


@pytest.mark.slow
def test_a_full_size_job_takes_two_steps_in_two_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """About 10 s a step on two cores, and 4 GiB of memory."""
    write_helen(tmp_path / "data", exemplars=4, tuning=1, testing=1, size=256, seed=0)
    write_weights(tmp_path / "data" / "weights" / "vgg16-397923af.pth")
    words = ["table1", "--data-root", str(tmp_path / "data"), "--runs-dir", str(tmp_path / "runs"), "--rows", "modified-8"]
    for steps in (1, 2):
        assert main([*words, "--profile", "paper", "--stop-after", "1", "--format", "json"]) == 1
        cells = {cell["column"]: cell for cell in json.loads(capsys.readouterr().out)["cells"]}
        assert cells["f_score"]["verdict"] == "not run"
        assert f"{steps} of 55,000 steps" in cells["f_score"]["reason"]
    (run,) = (tmp_path / "runs").glob("adaptive-rf-modified-8-paper-*")
    checkpoints = sorted((run / "checkpoints").glob("*.ckpt"))
    assert [path.name for path in checkpoints] == ["step-00000001.ckpt", "step-00000002.ckpt"]
    first, second = (torch.load(path, weights_only=True)["state_dict"]["network.factor.value"] for path in checkpoints)
    assert 1.0 != float(first) != float(second)
    assert not (run / "metrics.jsonl").exists()  # its first line is that of step 50, however often it was stopped


@pytest.mark.slow
def test_a_full_size_training_of_pictures_takes_two_steps_in_two_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On CIFAR-10 alone; of the other sets the table says what is missing."""
    write_images(tmp_path / "data", "cifar10", train=256, test=20, seed=0)
    words = ["njet.table3", "--data-root", str(tmp_path / "data"), "--runs-dir", str(tmp_path / "runs"), "--rows", "njet-nin"]
    for steps in (1, 2):
        assert main([*words, "--profile", "paper", "--stop-after", "1", "--format", "json"]) == 1
        cells = {cell["column"]: cell for cell in json.loads(capsys.readouterr().out)["cells"]}
        assert f"{steps} of 35,190 steps" in cells["cifar10"]["reason"]
        assert cells["cifar100"]["reason"].startswith("CIFAR-100 is missing")
        assert cells["svhn"]["reason"].startswith("SVHN is missing")
    (run,) = (tmp_path / "runs").glob("njet-njet-nin-cifar10-paper-*")
    assert len(list((tmp_path / "runs").glob("njet-*"))) == 1
    assert {path.name for path in (run / "checkpoints").glob("*.ckpt")} == {"step-00000001.ckpt", "step-00000002.ckpt"}

"""Frozen networks give what they gave, and so do the files that they are written to."""

from __future__ import annotations

import copy
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lightning_modules import exporting as module
from lightning_modules import protocol
from lightning_modules.exporting import FORMATS, TOLERANCE, export
from lightning_modules.layers import InflationLayer, NJetConv2d
from lightning_modules.networks import AdaptiveVGG, AllCNN, CIFARResNet, EfficientNetB0, MultiPathVGG, NiN, ToyCNN

VGG: dict[str, Any] = {"width": 1 / 64, "head_channels": 4}
JET = {"sigma": 1.7, "subsampling": 4.0}
NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "one path": lambda: AdaptiveVGG(5, 2, **VGG),
    "baseline": lambda: AdaptiveVGG(5, 2, inflated=False, norm=False, batch_norm=True, **VGG),
    "masked f": lambda: AdaptiveVGG(5, 2, gradient="true", background_weight=0.5, **VGG),
    "paths": lambda: MultiPathVGG(5, (2, 4), label_sets=((1, 2), ()), **VGG),
    "nin": lambda: NiN(5, width=0.03),
    "jet nin": lambda: NiN(5, width=0.03, pooling=False, jet=JET),
    "all-cnn": lambda: AllCNN(5, width=0.03, jet={"subsampling": 5.0, "subsampling_rule": "code", "half_size_rule": "code"}),
    "resnet": lambda: CIFARResNet(5, 8, width=0.25),
    "jet resnet": lambda: CIFARResNet(5, 8, width=0.25, jet=JET),
    "efficientnet": lambda: EfficientNetB0(5, width=0.1, depth=0.3),
    "jet efficientnet": lambda: EfficientNetB0(5, width=0.1, depth=0.3, jet={"sigma_per_filter": True, "normalized": True}),
    "plain toy": lambda: ToyCNN(5, in_channels=3, channels=4),
    "dilated toy": lambda: ToyCNN(5, in_channels=3, channels=4, dilation=2),
    "deformable toy": lambda: ToyCNN(5, in_channels=3, channels=4, deformable=True),
    "jet toy": lambda: ToyCNN(5, in_channels=3, channels=4, jet=JET),
}
# Converting is slow: one of each kind of layer.
IN_ONNX = ("one path", "paths", "jet nin", "jet resnet", "efficientnet", "deformable toy")


def trained(name: str) -> nn.Module:
    """A network whose f, sigmas, offsets and statistics are no longer those of the start."""
    torch.manual_seed(0)
    network = NETWORKS[name]()
    network(torch.randn(4, 3, 32, 40))
    with torch.no_grad():
        for number, layer in enumerate(each for each in network.modules() if isinstance(each, InflationLayer)):
            layer.value.fill_(1.37 - 0.5 * number)
        for number, layer in enumerate(each for each in network.modules() if isinstance(each, NJetConv2d)):
            layer.scale.add_(0.1 * (number % 5) + 0.1 * torch.rand(layer.scale.shape))
        for path, parameter in network.named_parameters():
            if "offset" in path or "fc8" in path:
                nn.init.normal_(parameter, std=0.3)
    return network


def pictures(number: int = 2) -> Tensor:
    return torch.randn(number, 3, 32, 40, generator=torch.Generator().manual_seed(1))


def share(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).abs().max() / expected.abs().max())


@pytest.mark.parametrize("name", NETWORKS)
def test_a_frozen_network_gives_the_same(name: str) -> None:
    network = trained(name).eval()
    frozen = copy.deepcopy(network)
    protocol.freeze(frozen)
    protocol.freeze(frozen)  # twice is once
    with torch.no_grad():
        assert share(frozen(pictures()), network(pictures())) < 1e-6
    assert protocol.learned(frozen) == protocol.learned(network)
    assert protocol.sizes(frozen, (3, 32, 40)) == protocol.sizes(network, (3, 32, 40))


@pytest.mark.parametrize("name", ["one path", "jet nin"])
def test_a_frozen_network_is_not_trained(name: str) -> None:
    frozen = trained(name)
    protocol.freeze(frozen)
    with pytest.raises(ValueError, match="to be in evaluation mode, but it is in training"):
        frozen.train()(pictures())


def loaded(path: Path) -> Callable[[Tensor], Tensor]:
    if path.suffix == ".pt2":
        return torch.export.load(path).module()
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return lambda image: torch.from_numpy(session.run(["scores"], {"image": image.numpy()})[0])


@pytest.mark.parametrize(
    ("format", "name"), [("pt2", name) for name in NETWORKS if name != "masked f"] + [("onnx", name) for name in IN_ONNX]
)
def test_a_file_gives_what_its_network_does_for_any_batch(format: str, name: str, tmp_path: Path) -> None:
    network, path = trained(name), tmp_path / f"net.{format}"
    state = copy.deepcopy(network.state_dict())
    difference = export(network, pictures(1), path, format)
    assert network.training
    assert all(torch.equal(value, state[each]) for each, value in network.state_dict().items())  # it was a copy that was frozen
    assert difference <= TOLERANCE
    network.eval()
    run = loaded(path)
    with torch.no_grad():
        assert max(share(run(pictures(number)), network(pictures(number))) for number in (1, 2, 5)) <= TOLERANCE
    assert list(tmp_path.iterdir()) == [path]


class Odd(nn.Module):
    """What `how` says: of one batch size, of Python's own making, of no tensor."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how, self.calls = how, 0
        self.layer = nn.Conv2d(3, 5, 3)

    def forward(self, image: Tensor) -> Any:
        self.calls += 1
        scores = self.layer(image)
        match self.how:
            case "one batch size":
                return torch.stack([scores[index] for index in range(int(image.shape[0]))])
            case "counts":
                return scores * self.calls
            case "branches":
                return scores if scores.mean() > 0 else -scores
            case "dict":
                return {"out": scores}
        return scores


def test_where_a_batch_has_to_have_one_size_the_file_has_the_examples(tmp_path: Path) -> None:
    network = Odd("one batch size")
    for number in (1, 3):
        assert export(network, pictures(number), tmp_path / "net.pt2") <= TOLERANCE
        assert len(loaded(tmp_path / "net.pt2")(pictures(number))) == number


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        (
            "counts",
            r"Expected the scores of net.pt2 to differ from the network's by at most 0.0001 of the largest score, but they differ by",
        ),
        ("branches", "Expected a network that torch.export can trace, but Odd fails: "),
        ("dict", "Expected a network that returns a tensor, but got dict"),
    ],
)
def test_what_no_file_can_hold_is_refused_and_an_earlier_file_stays(how: str, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "net.pt2"
    path.write_text("earlier")
    with pytest.raises(ValueError, match=sentence):
        export(Odd(how), pictures(), path)
    assert [each.read_text() for each in tmp_path.iterdir()] == ["earlier"]


def test_wrong_formats_and_missing_packages_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="Expected `format` to be 'pt2' or 'onnx', but got 'pt'"):
        export(Odd(""), pictures(), tmp_path / "net.pt", "pt")
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: None if name == "onnxruntime" else find(name, *more))
    with pytest.raises(ValueError, match=r"onnxruntime is missing; `pip install 'reproduce-dense-prediction\[onnx\]'`"):
        export(Odd(""), pictures(), tmp_path / "net.onnx", "onnx")
    monkeypatch.undo()
    monkeypatch.setattr(module, "LARGEST", 100)
    with pytest.raises(ValueError, match="take format='pt2'"):
        export(Odd(""), pictures(), tmp_path / "net.onnx", "onnx")
    assert FORMATS == ("pt2", "onnx")

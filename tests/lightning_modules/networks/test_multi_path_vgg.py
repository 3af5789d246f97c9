"""Networks of several paths: the printed receptive fields, equal starts, the sum, and what guidance changes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lightning_modules.layers.inflation import InflationLayer
from lightning_modules.networks.adaptive_vgg import AdaptiveVGG
from lightning_modules.networks.multi_path_vgg import MultiPathVGG
from lightning_modules.networks.vgg import TORCHVISION
from lightning_modules.recipe import SGD, Group, Optimization
from lightning_modules.segmentation import SemanticSegmentation

SMALL = (2, 3, 4)


def network(path_dilations: tuple[int, ...] = (2, 2), **options: Any) -> MultiPathVGG:
    torch.manual_seed(0)
    return MultiPathVGG(5, path_dilations, **{"width": 1 / 64, "head_channels": 4, "dropout": 0.0, **options})


def batch(seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2, 3, 64, 64, generator=generator), torch.randint(5, (2, 64, 64), generator=generator)


def gradients(made: MultiPathVGG) -> dict[str, Tensor]:
    image, labels = batch()
    nn.functional.cross_entropy(made(image, labels), labels, reduction="sum").backward()
    return {name: value.grad.clone() for name, value in made.named_parameters() if value.grad is not None}


def optimized(made: MultiPathVGG, learning_rate: float) -> SemanticSegmentation:
    return SemanticSegmentation(made, 5, Optimization(SGD(learning_rate), groups=(Group("f", 1e3, weight_decay=0.0),)))


@pytest.mark.parametrize(("dilations", "printed"), [((4, 6), [308, 356]), ((4, 6, 8), [308, 356, 404])])
def test_baselines_have_the_printed_receptive_fields(dilations: tuple[int, ...], printed: list[int]) -> None:
    with torch.device("meta"):
        assert MultiPathVGG(11, dilations, inflated=False, norm=False).receptive_fields() == printed


@pytest.mark.parametrize(
    ("factors", "printed"), [((3.32, 1.27), [268, 372]), ((1.61, 1.12, 1.11), [340, 396, 396])], ids=["bipath", "tripath"]
)
def test_learned_factors_have_the_printed_receptive_fields(factors: tuple[float, ...], printed: list[int]) -> None:
    made = network((8,) * len(factors))
    for path, factor in zip(made.paths, factors, strict=True):
        assert path.factor is not None
        nn.init.constant_(path.factor.value, factor)
    assert made.receptive_fields() == printed


def test_all_paths_start_from_the_same_weights() -> None:
    for inflated, dilations in ((True, (8, 8, 8)), (False, (4, 6, 8))):
        first, *others = [path.state_dict() for path in network(dilations, inflated=inflated, batch_norm=True).paths]
        for other in others:
            assert first.keys() == other.keys()
            assert all(torch.equal(first[name], other[name]) for name in first)


def test_the_scores_are_the_sum_of_single_path_networks() -> None:
    """With a factor of its own in each path, so that the maps differ in size until they are interpolated."""
    made = network((2, 4)).eval()
    image, _ = batch()
    expected = torch.zeros(2, 5, 64, 64)
    for path, dilation, factor in zip(made.paths, (2, 4), (0.7, 1.6), strict=True):
        assert path.factor is not None
        nn.init.constant_(path.factor.value, factor)
        nn.init.normal_(path.head.fc8.weight)  # type: ignore[arg-type, union-attr]
        single = AdaptiveVGG(5, dilation, width=1 / 64, head_channels=4).eval()
        single.features, single.norm = made.features, made.norm
        single.head.load_state_dict(path.head.state_dict())
        assert single.factor is not None
        nn.init.constant_(single.factor.value, factor)
        expected = expected + single(image)
    torch.testing.assert_close(made(image), expected)


def test_in_evaluation_guidance_is_gone() -> None:
    guided, plain = network(label_sets=(SMALL, ())), network()
    plain.load_state_dict(guided.state_dict())  # the same names: nothing of the guidance is kept
    image, labels = batch()
    for made in (guided, plain):
        made.eval()
    assert torch.equal(guided(image), plain(image))
    assert torch.equal(guided(image, labels), plain(image))
    guided(image, labels).sum().backward()
    plain(image).sum().backward()
    for (name, ours), (_, theirs) in zip(guided.named_parameters(), plain.named_parameters(), strict=True):
        assert torch.equal(ours.grad, theirs.grad), name  # type: ignore[arg-type]


def test_guidance_weighs_its_own_path_alone() -> None:
    guided, plain = gradients(network(label_sets=(SMALL, ()))), gradients(network())
    for name, gradient in plain.items():
        if name.startswith("paths.1."):
            assert torch.equal(guided[name], gradient), name
    for name in ("paths.0.head.fc8.weight", "paths.0.head.fc6.weight", "paths.0.factor.value", "features.conv5_3.weight"):
        assert not torch.allclose(guided[name], plain[name]), name


def test_with_every_label_in_its_set_a_paths_gradient_is_the_weight_times_the_plain_one() -> None:
    guided = gradients(network(label_sets=(tuple(range(5)), ()), gradient_weight=2.0))
    for name, gradient in gradients(network()).items():
        if name.startswith("paths.0."):
            torch.testing.assert_close(guided[name], 2.0 * gradient)


@pytest.mark.parametrize("label_sets", [(), (SMALL, ())], ids=["no guidance", "guidance"])
def test_only_guidance_parts_the_factors(label_sets: tuple[tuple[int, ...], ...]) -> None:
    made = network(label_sets=label_sets)
    task = optimized(made, 1e-5)
    task.log = task.log_dict = lambda *args, **kwargs: None  # type: ignore[method-assign]  # there is no Trainer
    task._trainer = SimpleNamespace(accumulate_grad_batches=1, max_steps=-1)  # type: ignore[assignment]
    optimizer = task.configure_optimizers()["optimizer"]
    for seed in range(4):
        image, mask = batch(seed)
        optimizer.zero_grad()
        task.training_step({"image": image, "mask": mask}).backward()
        learned = made.trajectory()  # the step ends what its gradients were
        optimizer.step()
    first, second = made.learned()["f"]
    assert first != 1.0
    assert (first != second) == bool(label_sets)
    assert (learned["gradient_inflation_1"] != learned["gradient_inflation_2"]) == bool(label_sets)


def test_the_trajectory_names_each_quantity_of_each_path() -> None:
    learned = network((8, 8)).trajectory()
    names = ("f", "gradient_inflation", "gradient_interpolation", "receptive_field")
    assert set(learned) == {f"{name}_{path}" for name in names for path in (1, 2)}
    assert (learned["f_1"], learned["receptive_field_2"]) == (1.0, 412.0)
    assert network((4, 6), inflated=False).trajectory() == {}


def test_labels_count_only_where_they_make_a_difference() -> None:
    assert network(label_sets=(SMALL, ())).uses_labels
    assert not network().uses_labels
    assert not network(label_sets=((), ())).uses_labels
    assert not network(label_sets=(SMALL, ()), gradient_weight=1.0).uses_labels


def test_every_path_has_a_factor_of_its_own_in_the_optimiser() -> None:
    made = network((2, 2, 2))
    groups = optimized(made, 1.0).configure_optimizers()["optimizer"].param_groups
    assert len(groups[1]["params"]) == 3
    assert len([module for module in made.modules() if isinstance(module, InflationLayer)]) == 3


def test_imagenet_weights_fill_every_path_alike() -> None:
    made = MultiPathVGG(5, (2, 4), width=1 / 64, head_channels=4)
    state = {f"features.{index}.{part}": torch.randn(3) for index in range(13) for part in ("weight", "bias")}
    state |= {"classifier.0.weight": torch.randn(4, 8 * 49), "classifier.0.bias": torch.randn(4)}
    state |= {"classifier.3.weight": torch.randn(4, 4), "classifier.3.bias": torch.randn(4)}
    weights = made.start_weights(state, TORCHVISION)
    drawn = {name for name in made.state_dict() if name.startswith("norm.") or name.endswith("factor.value") or ".fc8." in name}
    assert set(weights) == set(made.state_dict()) - drawn
    for name in ("fc6.weight", "fc7.bias"):
        assert torch.equal(weights[f"paths.0.head.{name}"], weights[f"paths.1.head.{name}"])
    fc8 = [made.state_dict()[f"paths.{path}.head.fc8.weight"] for path in (0, 1)]
    assert torch.equal(*fc8)  # drawn once, and copied


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"num_classes": 0}, "`num_classes` to be a positive integer, but got 0"),
        ({"kernel_size": 0}, "`kernel_size` to be a positive integer, but got 0"),
        ({"path_dilations": ()}, r"`path_dilations` to be positive integers, one per path, but got \(\)"),
        ({"path_dilations": (4, 0)}, r"`path_dilations` to be positive integers, one per path, but got \(4, 0\)"),
        ({"label_sets": ((1,),)}, "`label_sets` to have one set per path, 2, or none, but got 1"),
        ({"label_sets": ((1, 5), ())}, r"`label_sets` to hold classes below 5, but got \(\(1, 5\), \(\)\)"),
        ({"gradient_weight": 0.0}, "`gradient_weight` to be positive, but got 0.0"),
    ],
)
def test_bad_arguments_are_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=f"Expected {sentence}"):
        MultiPathVGG(**{"num_classes": 5, "path_dilations": (2, 2), "width": 1 / 64, "head_channels": 4, **options})

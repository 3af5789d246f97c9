"""Scores at several scales, mirrored and in tiles, against toy networks by hand."""

from __future__ import annotations

import weakref
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from lightning_modules.inference import Inference, resized, starts


def picture(height: int = 8, width: int = 10, count: int = 2) -> Tensor:
    return torch.randn(count, 3, height, width, generator=torch.Generator().manual_seed(0))


def pointwise(stride: int = 1) -> nn.Conv2d:
    torch.manual_seed(1)
    return nn.Conv2d(3, 4, 1, stride=stride)


def ramp(image: Tensor) -> Tensor:
    """Scores of two classes that say where in the picture a pixel lies: nothing that a mirror leaves as it is."""
    columns = torch.arange(image.shape[-1], dtype=image.dtype).expand(len(image), 1, image.shape[-2], -1)
    return torch.cat([columns, 1 - columns], 1)


@torch.no_grad()
def asked(inference: Inference, network: Any, image: Tensor) -> Tensor:
    return inference(network, image)


def test_plainly_scores_are_the_networks_own() -> None:
    network, seen = pointwise(stride=2), []
    network.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    image = picture()
    assert Inference().plain
    scores = asked(Inference(), network, image)
    assert len(seen) == 1
    assert seen[0] is image
    assert torch.equal(scores, network(image))
    assert scores.shape == (2, 4, 4, 5)  # not even resized


@pytest.mark.parametrize("options", [{"scales": (2.0,)}, {"scales": (1.0, 1.0)}, {"flip": True}, {"tile": 4}])
def test_whatever_else_is_asked_for_is_not_plain(options: dict[str, Any]) -> None:
    assert not Inference(**options).plain
    assert asked(Inference(**options), pointwise(stride=2), picture()).shape == (2, 4, 8, 10)  # the picture's own size


def test_a_mirror_changes_nothing_for_a_network_that_does_not_see_it() -> None:
    network = pointwise()
    torch.testing.assert_close(asked(Inference(flip=True), network, picture()), network(picture()).softmax(1))


def test_the_mirror_image_is_turned_back_before_it_is_averaged() -> None:
    scores = asked(Inference(flip=True), ramp, picture(2, 4, 1))
    first = torch.sigmoid(torch.tensor([2 * column - 1.0 for column in range(4)]))
    expected = (first + first.flip(0)) / 2
    torch.testing.assert_close(scores[0, 0], expected.expand(2, 4))
    torch.testing.assert_close(scores[0, 1], 1 - expected.expand(2, 4))


def test_what_is_averaged_over_scales_are_probabilities_at_the_pictures_size() -> None:
    network, image = pointwise(), picture(9, 7)
    with torch.no_grad():
        views = []
        for size in ((4, 4), (9, 7), (18, 14)):  # 4.5 and 3.5 pixels are rounded to even
            seen = functional.interpolate(image, size=size, mode="bilinear", align_corners=True)
            scores = functional.interpolate(network(seen), size=(9, 7), mode="bilinear", align_corners=True)
            views.append(scores.softmax(1))
    scores = asked(Inference(scales=(0.5, 1.0, 2.0)), network, image)
    torch.testing.assert_close(scores, sum(views) / 3)
    torch.testing.assert_close(scores.sum(1), torch.ones(2, 9, 7))


def test_scales_and_mirror_images_are_all_averaged_alike() -> None:
    image = picture(6, 6, 1)
    both = asked(Inference(scales=(0.5, 1.0), flip=True), ramp, image)
    each = [asked(Inference(scales=(scale, scale), flip=True), ramp, image) for scale in (0.5, 1.0)]
    torch.testing.assert_close(both, (each[0] + each[1]) / 2)


def test_one_scale_gives_scores_and_not_probabilities() -> None:
    network, image = pointwise(), picture()
    expected = resized(network(resized(image, (4, 5))), (8, 10))
    torch.testing.assert_close(asked(Inference(scales=(0.5,)), network, image), expected)


def test_scores_of_whole_pictures_are_averaged_too() -> None:
    def edge(image: Tensor) -> Tensor:
        return torch.stack([image[:, 0, :, 0].mean(1), image[:, 0, :, -1].mean(1)], 1)

    image = picture()
    expected = (edge(image).softmax(1) + edge(image).flip(1).softmax(1)) / 2
    torch.testing.assert_close(asked(Inference(flip=True), edge, image), expected)


@pytest.mark.parametrize(("tile", "overlap"), [(3, 0), (3, 2), (4, 1), (8, 0), (9, 5), (50, 0)])
@pytest.mark.parametrize("flip", [False, True])
def test_a_network_that_sees_a_pixel_alone_gives_the_same_in_tiles(tile: int, overlap: int, flip: bool) -> None:
    network, image, sizes = pointwise(), picture(8, 10), []
    network.register_forward_pre_hook(lambda _, inputs: sizes.append(tuple(inputs[0].shape[-2:])))
    whole = asked(Inference(flip=flip), network, image)
    sizes.clear()
    torch.testing.assert_close(asked(Inference(flip=flip, tile=tile, overlap=overlap), network, image), whole)
    assert set(sizes) == {(min(tile, 8), min(tile, 10))}


def test_tiles_are_of_each_scale_and_keep_what_a_wider_network_sees_inside_them() -> None:
    torch.manual_seed(1)
    network, image = nn.Conv2d(3, 4, 3, padding=1), picture(12, 12)
    sizes = []
    hook = network.register_forward_pre_hook(lambda _, inputs: sizes.append(tuple(inputs[0].shape[-2:])))
    asked(Inference(scales=(0.5, 2.0), tile=8), network, image)
    hook.remove()
    assert sizes == [(6, 6)] + [(8, 8)] * 9
    whole, tiled = network(image), asked(Inference(tile=8), network, image)
    torch.testing.assert_close(tiled[..., :4, :4], whole[..., :4, :4])
    torch.testing.assert_close(tiled[..., 8:, 8:], whole[..., 8:, 8:])


def test_where_tiles_overlap_their_scores_are_averaged() -> None:
    """Tiles of 4 begin at 0 and 2: each says the column within itself."""
    scores = asked(Inference(tile=4, overlap=2), ramp, picture(4, 6, 1))
    assert scores[0, 0].tolist() == [[0.0, 1.0, 1.0, 2.0, 2.0, 3.0]] * 4


def test_coarse_scores_of_tiles_are_brought_to_their_size() -> None:
    network, image = pointwise(stride=2), picture(8, 8)
    scores = asked(Inference(tile=4), network, image)
    with torch.no_grad():
        torch.testing.assert_close(scores[..., 4:, :4], resized(network(image[..., 4:, :4]), (4, 4)))


def test_tiles_begin_at_the_edge_end_at_the_edge_and_overlap_enough() -> None:
    assert starts(5, 8, 2) == starts(8, 8, 2) == [0]
    assert starts(10, 4, 0) == [0, 3, 6]
    assert starts(12, 4, 0) == [0, 4, 8]
    for tile in range(1, 12):
        for overlap in range(tile):
            for extent in range(1, 60):
                found = starts(extent, tile, overlap)
                assert (found[0], found[-1]) == (0, max(0, extent - tile))
                assert all(0 < after - before <= tile - overlap for before, after in pairwise(found))
                # With one tile fewer they would not reach.
                assert len(found) == 1 or tile + (len(found) - 2) * (tile - overlap) < extent


def test_tiles_need_a_network_that_labels_pixels() -> None:
    with pytest.raises(ValueError, match=r"Expected a network that labels pixels, as `tile` needs, but got scores of shape \(2, 3\)"):
        asked(Inference(tile=4), lambda image: image.mean((2, 3)), picture())


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"scales": ()}, r"`scales` to be positive numbers, at least one, but got \(\)"),
        ({"scales": (1.0, 0.0)}, r"`scales` to be positive numbers, at least one, but got \(1.0, 0.0\)"),
        ({"tile": -1}, "`tile` and `overlap` to be 0 or more and `overlap` to be below `tile`, but got -1 and 0"),
        ({"tile": 4, "overlap": 4}, "`tile` and `overlap` to be 0 or more and `overlap` to be below `tile`, but got 4 and 4"),
        ({"tile": 4, "overlap": -1}, "`tile` and `overlap` to be 0 or more and `overlap` to be below `tile`, but got 4 and -1"),
        ({"overlap": 1}, "`tile` and `overlap` to be 0 or more and `overlap` to be below `tile`, but got 0 and 1"),
    ],
)
def test_bad_arguments_are_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=f"Expected {sentence}"):
        Inference(**options)


def test_scales_that_are_no_numbers_are_refused() -> None:
    for scale in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="Expected `scales` to be positive numbers"):
            Inference(scales=(1.0, scale))


class Alive(TorchDispatchMode):
    """Counts how many numbers the tensors that are made have at most while they are alive, each storage once."""

    def __init__(self) -> None:
        super().__init__()
        self.most = 0
        self._made: list[weakref.ref[Tensor]] = []

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = function(*args, **(kwargs or {}))
        self._made += [weakref.ref(value) for value in (made if isinstance(made, tuple) else (made,)) if isinstance(value, Tensor)]
        alive = [value for value in (each() for each in self._made) if value is not None]
        self.most = max(self.most, sum({value.untyped_storage().data_ptr(): value.untyped_storage().nbytes() for value in alive}.values()))
        return made


@pytest.mark.parametrize(
    ("few", "many"),
    [
        ({"scales": (1.0,) * 3}, {"scales": (1.0,) * 24}),
        ({"scales": (1.0,) * 2, "flip": True}, {"scales": (1.0,) * 12, "flip": True}),
        ({"tile": 4, "overlap": 1}, {"tile": 4, "overlap": 3}),
    ],
    ids=["scales", "mirrored", "tiles"],
)
def test_memory_does_not_grow_with_the_number_of_views_or_tiles(few: dict[str, Any], many: dict[str, Any]) -> None:
    network, image, most = pointwise(), picture(10, 10), []
    for options in (few, many):
        with Alive() as alive:
            asked(Inference(**options), network, image)
        most.append(alive.most)
    assert 0 < most[1] <= most[0]

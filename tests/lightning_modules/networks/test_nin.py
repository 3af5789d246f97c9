"""NiN: the counts of the authors' networks, and maps with and without poolings."""

from __future__ import annotations

import pytest
import torch

from lightning_modules.networks.nin import NiN


def count(**options: object) -> int:
    with torch.device("meta"):
        network = NiN(10, **options)  # type: ignore[arg-type]
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(("order", "expected"), [(None, 968_404), (1, 329_047), (2, 496_663), (3, 720_151), (4, 999_511)])
def test_parameters_are_those_of_the_authors_networks(order: int | None, expected: int) -> None:
    jet = None if order is None else {"order": order}
    assert count(jet=jet) == count(jet=jet, pooling=False) == expected


def test_sizes_of_filters_are_those_of_figure_6() -> None:
    assert count() - count(filter_sizes=(3, 3, 3)) == 192 * (3 + 96) * (25 - 9)
    assert count(filter_sizes=(7, 7, 5)) - count() == 192 * ((3 + 96) * (49 - 25) + 192 * (25 - 9))


def test_poolings_halve_maps_and_go_when_told() -> None:
    with torch.device("meta"):
        assert NiN(10).map_sizes(32, 32) == [16, 8, 8]
        assert NiN(10).map_sizes(28, 28) == [14, 7, 7]
        assert NiN(10, pooling=False).map_sizes(32, 32) == [32, 32, 32]
        assert NiN(10, jet={}).map_sizes(32, 32) == [16, 8, 8]
        assert NiN(10, jet={"subsampling": 4.0}, pooling=False).map_sizes(32, 32) == [26, 21, 17]


def test_dropout_stays_without_poolings() -> None:
    """Two of it, so that two passes in training differ and two in evaluation do not."""
    torch.manual_seed(0)
    images = torch.randn(4, 3, 16, 16)
    for pooling in (True, False):
        network = NiN(10, pooling=pooling, width=0.1)
        assert not torch.equal(network(images), network(images))
        network.eval()
        assert torch.equal(network(images), network(images))
        certain = NiN(10, pooling=pooling, width=0.1, dropout=0.0)
        assert torch.equal(certain(images), certain(images))


def test_bad_input() -> None:
    with pytest.raises(ValueError, match="Expected `filter_sizes` to be 3 numbers, but got 2"):
        NiN(10, filter_sizes=(5, 5))

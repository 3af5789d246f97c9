"""Safe subsampling's sizes and cells."""

from __future__ import annotations

import pytest
import torch

from lightning_modules.layers.safe_subsampling import safe_subsample, subsampled_size


@pytest.mark.parametrize(
    ("sigma", "r", "expected"), [(4.0, 4.0, 16), (8.0, 4.0, 8), (1.0, 4.0, 26), (2.0, 2.0, 16), (0.5, 4.0, 29), (1e4, 4.0, 1)]
)
def test_the_papers_sizes_halve_with_every_r_of_sigma(sigma: float, r: float, expected: int) -> None:
    assert subsampled_size(32, sigma, r) == expected


@pytest.mark.parametrize(("sigma", "expected"), [(1.0, 32), (2.0, 32), (3.0, 16), (2.5, 22), (1e4, 1)])
def test_the_codes_sizes_start_to_shrink_where_2_to_the_sigma_exceeds_r(sigma: float, expected: int) -> None:
    assert subsampled_size(32, sigma, 4.0, "code") == expected


def test_cells_are_the_nearest_ones() -> None:
    maps = torch.arange(16.0).view(1, 1, 4, 4)
    assert torch.equal(safe_subsample(maps, (2, 2)), maps[..., ::2, ::2])
    assert safe_subsample(maps, (4, 4)) is maps


def test_bad_input() -> None:
    with pytest.raises(ValueError, match="Expected `r` of safe subsampling to be positive, but got 0"):
        subsampled_size(32, 1.0, 0.0)
    with pytest.raises(ValueError, match="'paper' or 'code', but got 'other'"):
        subsampled_size(32, 1.0, 4.0, "other")

"""A path's scores, in half precision too; the rest of it is tested by the networks made of paths."""

from __future__ import annotations

import torch
from torch import nn

from lightning_modules.networks.path import path_scores


def test_without_a_factor_half_precision_is_interpolated_at_exact_positions() -> None:
    features = torch.randn(1, 2, 62, 62, generator=torch.Generator().manual_seed(0)).to(torch.bfloat16)
    scores = path_scores(features, nn.Identity(), None, (500, 500))
    assert scores.dtype == torch.bfloat16
    torch.testing.assert_close(scores.float(), path_scores(features.float(), nn.Identity(), None, (500, 500)), rtol=2**-8, atol=0)

"""The weighted gradient layer: a path of a network learns most from pixels with large weights."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


class _WeightedGradient(torch.autograd.Function):
    """Forward: the identity. Backward: the gradient times the weight of each pixel."""

    @staticmethod
    def forward(ctx: Any, scores: Tensor, weights: Tensor) -> Tensor:
        ctx.save_for_backward(weights)
        return scores.view_as(scores)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, None]:
        (gradient,) = grad_outputs
        return (gradient * ctx.saved_tensors[0]).to(gradient.dtype), None


def weighted_gradient(scores: Tensor, labels: Tensor, members: Sequence[int], weight: float) -> Tensor:
    """Return `scores` unchanged; the gradient of a pixel whose label is one of `members` is multiplied by `weight`.

    Source: Wei et al. 2017, section 3.4, equation 12. For training only, because inference has no labels.

    Args:
        scores: Scores B C H W.
        labels: Ground truth B H W.
        members: Label set S; the empty set leaves all gradients unchanged.
        weight: Weight W, unitless, the same for all channels of a pixel.

    Raises:
        ValueError: The size of `labels` differs from that of `scores`.
    """
    if labels.shape != (scores.shape[0], *scores.shape[2:]):
        raise ValueError(
            f"Expected `labels` to be B H W of the scores, {tuple(scores.shape)}, but got {tuple(labels.shape)}; do not resize either."
        )
    if not members:
        return scores
    inside = functools.reduce(torch.logical_or, (labels == member for member in members))  # a tensor of members would wait for the GPU
    kind = torch.promote_types(scores.dtype, torch.float32)  # in bfloat16, 1.2 would be 1.203
    weights = torch.ones_like(labels, dtype=kind).masked_fill_(inside, weight)
    weighted: Tensor = _WeightedGradient.apply(scores, weights[:, None])  # type: ignore[no-untyped-call]
    return weighted

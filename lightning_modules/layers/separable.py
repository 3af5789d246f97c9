"""Convolution with mixes of separable filters, without ever holding the filtered maps of more than a few pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional
from torch.nn.grad import conv2d_input, conv2d_weight

# Axes up to this many cells are filtered by one matrix; longer ones block by block, so that the work follows the filter's size.
BLOCK = 64
# So many pictures are filtered and convolved at once that their maps take no more than this share of the larger of input and output.
SHARE = 0.25

Span = tuple[int, int, int, int]


@dataclass(frozen=True)
class Axis:
    """One axis of a convolution.

    Args:
        cells: L, of the input.
        size: K, of the filter.
        stride: cells.
        padding: zeros at both ends.
    """

    cells: int
    size: int
    stride: int
    padding: int

    @property
    def outputs(self) -> int:
        """Cells of the output, L'."""
        return (self.cells + 2 * self.padding - self.size) // self.stride + 1

    def spans(self) -> list[Span]:
        """Return blocks of outputs, from and to, and the inputs that they see, from and to."""
        if max(self.cells, self.outputs) <= 2 * BLOCK:
            return [(0, self.outputs, 0, self.cells)]
        found = []
        for begin in range(0, self.outputs, BLOCK):
            end = min(begin + BLOCK, self.outputs)
            low = min(max(0, begin * self.stride - self.padding), self.cells - 1)
            high = min(self.cells, (end - 1) * self.stride - self.padding + self.size)
            found.append((begin, end, low, max(high, low + 1)))  # outputs that see zeros alone look at one cell, with a weight of 0
        return found

    def width(self) -> int:
        """Inputs that the widest block sees."""
        return max(high - low for _, _, low, high in self.spans())


def filter_rows(matrices: Tensor, maps: Tensor, spans: Sequence[Span]) -> Tensor:
    """Multiply n matrices, n L' L, with each of maps m L W from the left, to m n L' W."""
    parts = []
    for begin, end, low, high in spans:
        stacked = matrices[:, begin:end, low:high].reshape(-1, high - low)
        product = torch.bmm(stacked.expand(len(maps), -1, -1), maps[:, low:high])
        parts.append(product.view(len(maps), len(matrices), end - begin, -1))
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=2)


def filter_rows_backward(matrices: Tensor, maps: Tensor, gradient: Tensor, spans: Sequence[Span], learned: bool) -> tuple[Tensor, Tensor]:
    """Return the gradients of maps and, where it is `learned`, of the matrices, from that of m n L' W."""
    of_maps, of_matrices = torch.zeros_like(maps), torch.zeros_like(matrices)
    for begin, end, low, high in spans:
        stacked = matrices[:, begin:end, low:high].reshape(-1, high - low)
        share = gradient[:, :, begin:end].reshape(len(maps), -1, maps.shape[-1])
        of_maps[:, low:high].baddbmm_(stacked.T.expand(len(maps), -1, -1), share)
        if learned:
            of_matrices[:, begin:end, low:high] = torch.bmm(share, maps[:, low:high].mT).sum(0).view(len(matrices), end - begin, -1)
    return of_maps, of_matrices


def filter_columns(matrix: Tensor, maps: Tensor, spans: Sequence[Span]) -> Tensor:
    """Multiply a matrix, L' L, with each row of maps m H L, to m H L'."""
    parts = [maps[..., low:high] @ matrix[begin:end, low:high].T for begin, end, low, high in spans]
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=-1)


def filter_columns_backward(matrix: Tensor, maps: Tensor, gradient: Tensor, spans: Sequence[Span], learned: bool) -> tuple[Tensor, Tensor]:
    """Return the gradients of maps and, where it is `learned`, of the matrix, from that of m H L'."""
    of_maps, of_matrix = torch.zeros_like(maps), torch.zeros_like(matrix)
    for begin, end, low, high in spans:
        share = gradient[..., begin:end]
        of_maps[..., low:high] += share @ matrix[begin:end, low:high]
        if learned:
            of_matrix[begin:end, low:high] = share.flatten(0, 1).T @ maps[..., low:high].flatten(0, 1)
    return of_maps, of_matrix


@dataclass(frozen=True)
class Plan:
    """How filtered maps are convolved, and along which axes they were filtered."""

    height: Axis
    width: Axis
    groups: int
    columns_first: bool

    @property
    def convolution(self) -> dict[str, Any]:
        """What the convolution after the filters still has to do itself."""
        stride, padding = (1, 0) if self.columns_first else (self.width.stride, self.width.padding)
        return {"stride": (1, stride), "padding": (0, padding), "groups": self.groups}

    def orders(self, term: int, derivatives: int) -> slice:
        """Return the orders of the rows' filters of a term, of all N + 1."""
        return slice(derivatives - term) if self.columns_first else slice(term, term + 1)

    def chunks(self, features: Tensor, weights: Sequence[Tensor]) -> Iterator[slice]:
        """Return slices of the batch; at least a picture at a time."""
        batch, channels, _, width = features.shape
        maps = max(weight.shape[1] for weight in weights) * self.groups
        filtered = maps * self.height.outputs * (self.width.outputs if self.columns_first else width)
        larger = max(channels * self.height.cells * width, weights[0].shape[0] * self.height.outputs * self.width.outputs)
        pictures = max(1, int(SHARE * batch * min(1, larger / filtered)))
        return (slice(begin, min(begin + pictures, batch)) for begin in range(0, batch, pictures))


class _SeparableConvolution(torch.autograd.Function):
    """See `separable_convolution`. Only the input is kept: maps are filtered anew in the backward pass."""

    @staticmethod
    def forward(
        ctx: Any, plan: Plan, features: Tensor, bias: Tensor | None, rows: Tensor, columns: Tensor | None, *weights: Tensor
    ) -> Tensor:
        ctx.plan = plan
        ctx.save_for_backward(features, rows, columns, *weights)
        response = features.new_zeros(len(features), len(weights[0]), plan.height.outputs, plan.width.outputs)
        for chunk in plan.chunks(features, weights):
            for term, weight in enumerate(weights):
                filtered, _ = _filtered(plan, features[chunk], rows, columns, term)
                response[chunk].add_(functional.conv2d(filtered, weight, None if term else bias, **plan.convolution))
        return response

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = grad_outputs
        features, rows, columns, *weights = ctx.saved_tensors
        plan: Plan = ctx.plan
        _, image, biased, learned, *_ = ctx.needs_input_grad
        of_features, of_rows = (torch.zeros_like(features) if image else None), torch.zeros_like(rows)
        of_columns = None if columns is None else torch.zeros_like(columns)
        of_weights = [torch.zeros_like(weight) for weight in weights]
        for chunk in plan.chunks(features, weights):
            part, share = features[chunk], gradient[chunk]
            for term, weight in enumerate(weights):
                filtered, between = _filtered(plan, part, rows, columns, term)
                of_weights[term] += conv2d_weight(filtered, weight.shape, share, **plan.convolution)  # type: ignore[no-untyped-call]
                if not (image or learned):
                    continue
                of_filtered = conv2d_input(filtered.shape, weight, share, **plan.convolution)  # type: ignore[no-untyped-call]
                del filtered
                orders = plan.orders(term, len(rows))
                of_filtered = of_filtered.view(len(between), -1, plan.height.outputs, of_filtered.shape[-1])
                of_maps, of_bands = filter_rows_backward(rows[orders], between, of_filtered, plan.height.spans(), learned)
                of_rows[orders] += of_bands
                if columns is not None and of_columns is not None:
                    maps = part.flatten(0, 1)
                    of_maps, of_band = filter_columns_backward(columns[term], maps, of_maps, plan.width.spans(), learned)
                    of_columns[term] += of_band
                if of_features is not None:
                    of_features[chunk].add_(of_maps.view(part.shape))
        of_bias = gradient.sum((0, 2, 3)) if biased else None
        return None, of_features, of_bias, of_rows, of_columns, *of_weights


def _filtered(plan: Plan, features: Tensor, rows: Tensor, columns: Tensor | None, term: int) -> tuple[Tensor, Tensor]:
    """Return a term's filtered maps, b (C n) H' W', and what its rows were filtered from, (b C) H W'."""
    maps = features.flatten(0, 1)
    if columns is not None:
        maps = filter_columns(columns[term], maps, plan.width.spans())
    filtered = filter_rows(rows[plan.orders(term, len(rows))], maps, plan.height.spans())
    return filtered.view(len(features), -1, plan.height.outputs, filtered.shape[-1]), maps


def separable_convolution(
    features: Tensor,
    rows: Tensor,
    columns: Tensor | None,
    weights: Sequence[Tensor],
    bias: Tensor | None,
    height: Axis,
    width: Axis,
    groups: int,
) -> Tensor:
    """Filter maps along their axes, then convolve them; sum over terms.

    Term t filters columns by `columns[t]`, rows by `rows[0]` to `rows[N - t]`, and convolves all these maps with `weights[t]`, 1 x 1.
    Without `columns` it filters rows by `rows[t]` alone, and `weights[t]` are 1 x K: the convolution itself then runs along columns.

    Args:
        features: B C H W.
        rows: (N + 1) H' H.
        columns: (N + 1) W' W, or none.
        weights: of term t, O (C / groups (N + 1 - t)) 1 1, or O (C / groups) 1 K.
        bias: O, or none.
        height: of the rows' axis.
        width: of the columns' axis.
        groups: of the convolution.

    Returns:
        B O H' W'.
    """
    plan = Plan(height, width, groups, columns is not None)
    response: Tensor = _SeparableConvolution.apply(plan, features.contiguous(), bias, rows, columns, *weights)  # type: ignore[no-untyped-call]
    return response

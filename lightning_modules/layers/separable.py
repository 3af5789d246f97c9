"""Convolution with sums of separable filters; only a few pictures at a time have their filtered maps in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional
from torch.nn.grad import conv2d_input, conv2d_weight

# An axis of more than 2 BLOCK cells is filtered in blocks of BLOCK output cells, so that the work depends on the filter size. A shorter
# axis is filtered by one matrix.
BLOCK = 64
# Largest memory of filtered maps, as a share of the larger of input and output. It limits how many pictures are filtered at once.
SHARE = 0.25

Span = tuple[int, int, int, int]


@dataclass(frozen=True)
class Axis:
    """One axis of a convolution.

    Args:
        cells: Number of input cells, L.
        size: Filter size, K.
        stride: Stride in cells.
        padding: Number of zeros at each end.
    """

    cells: int
    size: int
    stride: int
    padding: int

    @property
    def outputs(self) -> int:
        """Number of output cells, L'."""
        return (self.cells + 2 * self.padding - self.size) // self.stride + 1

    def spans(self) -> list[Span]:
        """Return the blocks of an axis: begin and end of the outputs, begin and end of the inputs that these outputs read."""
        if max(self.cells, self.outputs) <= 2 * BLOCK:
            return [(0, self.outputs, 0, self.cells)]
        found = []
        for begin in range(0, self.outputs, BLOCK):
            end = min(begin + BLOCK, self.outputs)
            low = min(max(0, begin * self.stride - self.padding), self.cells - 1)
            high = min(self.cells, (end - 1) * self.stride - self.padding + self.size)
            found.append((begin, end, low, max(high, low + 1)))  # outputs that read only zeros get one cell with a weight of 0
        return found

    def width(self) -> int:
        """Return the number of inputs of the widest block."""
        return max(high - low for _, _, low, high in self.spans())


def filter_rows(matrices: Tensor, maps: Tensor, spans: Sequence[Span]) -> Tensor:
    """Multiply each of m maps, m L W, by n matrices, n L' L, from the left; return m n L' W."""
    parts = []
    for begin, end, low, high in spans:
        stacked = matrices[:, begin:end, low:high].reshape(-1, high - low)
        product = torch.bmm(stacked.expand(len(maps), -1, -1), maps[:, low:high])
        parts.append(product.view(len(maps), len(matrices), end - begin, -1))
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=2)


def filter_rows_backward(matrices: Tensor, maps: Tensor, gradient: Tensor, spans: Sequence[Span], learned: bool) -> tuple[Tensor, Tensor]:
    """Return the gradients of maps and of matrices, from the gradient of m n L' W; that of matrices is zero unless `learned`."""
    of_maps, of_matrices = torch.zeros_like(maps), torch.zeros_like(matrices)
    for begin, end, low, high in spans:
        stacked = matrices[:, begin:end, low:high].reshape(-1, high - low)
        share = gradient[:, :, begin:end].reshape(len(maps), -1, maps.shape[-1])
        of_maps[:, low:high].baddbmm_(stacked.T.expand(len(maps), -1, -1), share)
        if learned:
            of_matrices[:, begin:end, low:high] = torch.bmm(share, maps[:, low:high].mT).sum(0).view(len(matrices), end - begin, -1)
    return of_maps, of_matrices


def filter_columns(matrix: Tensor, maps: Tensor, spans: Sequence[Span]) -> Tensor:
    """Multiply a matrix, L' L, by each row of maps m H L; return m H L'."""
    parts = [maps[..., low:high] @ matrix[begin:end, low:high].T for begin, end, low, high in spans]
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=-1)


def filter_columns_backward(matrix: Tensor, maps: Tensor, gradient: Tensor, spans: Sequence[Span], learned: bool) -> tuple[Tensor, Tensor]:
    """Return the gradients of maps and of the matrix, from the gradient of m H L'; that of the matrix is zero unless `learned`."""
    of_maps, of_matrix = torch.zeros_like(maps), torch.zeros_like(matrix)
    for begin, end, low, high in spans:
        share = gradient[..., begin:end]
        of_maps[..., low:high] += share @ matrix[begin:end, low:high]
        if learned:
            of_matrix[begin:end, low:high] = share.flatten(0, 1).T @ maps[..., low:high].flatten(0, 1)
    return of_maps, of_matrix


@dataclass(frozen=True)
class Plan:
    """How filtered maps are convolved, and along which axes they are filtered."""

    height: Axis
    width: Axis
    groups: int
    columns_first: bool

    @property
    def convolution(self) -> dict[str, Any]:
        """Arguments of the convolution after the filters."""
        stride, padding = (1, 0) if self.columns_first else (self.width.stride, self.width.padding)
        return {"stride": (1, stride), "padding": (0, padding), "groups": self.groups}

    def orders(self, term: int, derivatives: int) -> slice:
        """Return the orders of a term's filters along rows, as a slice of all N + 1 orders."""
        return slice(derivatives - term) if self.columns_first else slice(term, term + 1)

    def chunks(self, features: Tensor, weights: Sequence[Tensor]) -> Iterator[slice]:
        """Return slices of the batch, each of at least one picture."""
        batch, channels, _, width = features.shape
        maps = max(weight.shape[1] for weight in weights) * self.groups
        filtered = maps * self.height.outputs * (self.width.outputs if self.columns_first else width)
        larger = max(channels * self.height.cells * width, weights[0].shape[0] * self.height.outputs * self.width.outputs)
        pictures = max(1, int(SHARE * batch * min(1, larger / filtered)))
        return (slice(begin, min(begin + pictures, batch)) for begin in range(0, batch, pictures))


class _SeparableConvolution(torch.autograd.Function):
    """See `separable_convolution`. Only the input is stored; the backward pass filters maps again."""

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
    """Return a term's filtered maps, b (C n) H' W', and the maps before the filters along rows, (b C) H W'."""
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
    """Filter maps along their axes, then convolve them; return the sum over terms.

    Term t filters columns by `columns[t]` and rows by `rows[0]` to `rows[N - t]`. It convolves all these maps with `weights[t]`, 1 x 1.
    Without `columns`, term t filters rows only by `rows[t]`. `weights[t]` is then 1 x K, because the convolution runs along columns.

    Args:
        features: Feature maps, B C H W.
        rows: Matrices (N + 1) H' H.
        columns: Matrices (N + 1) W' W, or None.
        weights: Weights of each term t, O (C / groups (N + 1 - t)) 1 1, or O (C / groups) 1 K.
        bias: Bias O, or None.
        height: Axis of the rows.
        width: Axis of the columns.
        groups: Number of groups of the convolution.

    Returns:
        Response B O H' W'.
    """
    plan = Plan(height, width, groups, columns is not None)
    response: Tensor = _SeparableConvolution.apply(plan, features.contiguous(), bias, rows, columns, *weights)  # type: ignore[no-untyped-call]
    return response

"""The N-Jet layer: a convolution whose filters are weighted sums of Gaussian derivatives with learned sigma, and so of learned size."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from lightning_modules.layers.derivatives import HALF_SIZES, filter_taps, half_size, jet_basis, jet_orders
from lightning_modules.layers.njet_convolution import EVALUATIONS, njet_conv2d, njet_kernel
from lightning_modules.layers.safe_subsampling import SUBSAMPLINGS, safe_subsample, subsampled_size

INITS = ("normal", "he")


class NJetConv2d(nn.Module):
    """A convolution with N-Jet filters; sigma is learned, and the filter size follows sigma.

    The size is a plain number, so that a forward pass does not wait to read sigma from the device. If `scale` was changed in place, for
    example by an optimiser, the next forward pass updates the size. Then each layer waits for the device separately. It is faster to call
    `update_sizes` after each step, for example by `optimizer.register_step_post_hook(lambda *_: update_sizes(network))`; the suite's tasks
    do this. Under `torch.compile` this call is necessary. Loading a state dict updates the size.
    Source: Pintea et al. 2021, section III; order 3, k = 2 and sigma = 1 at the start, section IV.
    Not in paper: sigma = 2^scale, which keeps it positive, and alpha ~ N(0, 1) at the start, both as in the authors' code; the bias.
    Safe subsampling comes before the convolution, as in that code: experiment 2.1(A) mentions "the input feature maps".

    Args:
        in_channels: Number of input channels, C.
        out_channels: Number of output channels, O.
        order: Highest order of derivative, N.
        sigma: Sigma at the start, pixels.
        k: Half size of the filters, in sigmas.
        stride: Stride, as in `torch.nn.Conv2d`.
        padding: Zero padding, as in `torch.nn.Conv2d`; "same" pads by the half size at any stride, so that H' = ceil(H / stride).
        groups: Number of groups, as in `torch.nn.Conv2d`.
        bias: Whether the layer has a bias.
        learn_sigma: Whether sigma is learned; else it is constant.
        sigma_per_filter: Whether each filter has its own sigma, the paper's future work; the size follows the largest sigma.
        subsampling: Parameter r of safe subsampling, or None for no subsampling.
        subsampling_rule: Rule "paper" or "code"; see `subsampled_size`.
        half_size_rule: Rule "paper" or "code"; see `half_size`.
        normalized: Whether order 0 sums to 1, as in the authors' code; see `filter_taps`.
        evaluation: Evaluation, one of `EVALUATIONS`, or None for the cheapest.
        init: Start of alpha. "normal": alpha ~ N(0, 1). "he": normal alpha that gives filters the energy of He et al. 2015, a squared norm
            of 2, for networks without batch normalisation.

    Shape:
        B C H W to B O H' W'.

    Raises:
        ValueError: An argument is out of its range.
    """

    filters: Tensor | None

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        order: int = 3,
        sigma: float = 1.0,
        k: float = 2.0,
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] | str = "same",
        groups: int = 1,
        bias: bool = True,
        learn_sigma: bool = True,
        sigma_per_filter: bool = False,
        subsampling: float | None = None,
        subsampling_rule: str = SUBSAMPLINGS[0],
        half_size_rule: str = HALF_SIZES[0],
        normalized: bool = False,
        evaluation: str | None = None,
        init: str = INITS[0],
    ) -> None:
        super().__init__()
        self.stride, self.padding = _pair(stride), _padding(padding)
        _check(in_channels, out_channels, groups, k, self.stride, evaluation)
        if sigma_per_filter and evaluation not in (None, EVALUATIONS[0]):
            raise ValueError(f"Expected `evaluation` to be 'dense' if each filter has its own sigma, but got {evaluation!r}.")
        if sigma_per_filter and subsampling is not None:
            raise ValueError(
                "Expected `subsampling` without `sigma_per_filter`, but got both; a map has one size, but each channel its own sigma."
            )
        self.in_channels, self.out_channels, self.order, self.k, self.groups = in_channels, out_channels, order, k, groups
        self.subsampling, self.subsampling_rule, self.half_size_rule = subsampling, subsampling_rule, half_size_rule
        self.normalized, self.evaluation = normalized, evaluation
        self._follow(sigma)
        self._followed: tuple[int, int] | None = None  # id and version of the `scale` that the size belongs to
        functions = len(jet_orders(order))
        self.alpha = nn.Parameter(torch.empty(out_channels, in_channels // groups, functions))
        self.scale = nn.Parameter(torch.full((out_channels,) if sigma_per_filter else (), math.log2(sigma)), requires_grad=learn_sigma)
        self.bias = nn.Parameter(torch.empty(out_channels)) if bias else None
        nn.init.normal_(self.alpha, std=self._deviation(init))
        if self.bias is not None:
            bound = 1 / math.sqrt(in_channels // groups * functions)
            nn.init.uniform_(self.bias, -bound, bound)
        self.register_buffer("filters", None, persistent=False)  # set by `freeze`
        self._followed = _version(self.scale)
        self.register_load_state_dict_post_hook(_follow_loaded)  # type: ignore[no-untyped-call]

    @property
    def sigma(self) -> Tensor:
        """Sigma in pixels, scalar, or O if each filter has its own."""
        return torch.exp2(self.scale)

    @property
    def kernel(self) -> Tensor:
        """Current filters, O (C / groups) K K."""
        if self.filters is not None:
            return self.filters
        return njet_kernel(self.alpha, filter_taps(self.sigma, self.size, self.order, self.normalized))

    def _deviation(self, init: str) -> float:
        """Return the standard deviation of alpha at the start."""
        if init not in INITS:
            raise ValueError(f"Expected `init` to be {' or '.join(map(repr, INITS))}, but got {init!r}.")
        if init == "normal":
            return 1.0
        # On the CPU, even if the layer itself is on meta.
        sigma = torch.tensor(self._sigma, device="cpu", dtype=torch.float64)
        basis = jet_basis(filter_taps(sigma, self.size, self.order, self.normalized))
        return math.sqrt(2 / (self.in_channels // self.groups * basis.square().sum().item()))

    def _follow(self, sigma: float) -> None:
        """Store sigma and compute the filter size from it; with a sigma per filter, this is the largest."""
        self.size = 2 * half_size(sigma, self.k, self.half_size_rule) + 1
        self._sigma = sigma
        if self.subsampling is not None:
            subsampled_size(1, sigma, self.subsampling, self.subsampling_rule)

    def after_step(self) -> None:
        """Update the size if `scale` was changed in place since the last update."""
        version = None if self.scale.is_meta else _version(self.scale)
        if not self.scale.is_meta and (version is None or version != self._followed):
            update_sizes(self)

    def freeze(self) -> None:
        """Replace alpha by the current filters, for evaluation or export; the size and the subsampling then stay fixed."""
        if self.filters is None:
            self.after_step()
            self.filters = self.kernel.detach()
            del self.alpha

    def forward(self, features: Tensor) -> Tensor:
        """Map B C H W to B O H' W'."""
        if not torch.compiler.is_compiling():
            self.after_step()
        if self.subsampling is not None:
            features = safe_subsample(features, self._subsampled(features.shape[2], features.shape[3]))
        half = self.size // 2
        padding = (half, half) if self.padding is None else self.padding
        if self.filters is not None:
            if self.training:
                raise ValueError("Expected a frozen NJetConv2d to be in evaluation mode, but it is in training mode; train the original.")
            return functional.conv2d(features, self.filters, self.bias, self.stride, padding, groups=self.groups)
        return njet_conv2d(
            features, self.alpha, self.sigma, self.size, self.bias, self.stride, padding, self.groups, self.normalized, self.evaluation
        )

    # Hidden from `torch.compile`, which would otherwise compile again for each value of sigma instead of each size.
    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def _subsampled(self, height: int, width: int) -> tuple[int, int]:
        assert self.subsampling is not None
        first, second = (subsampled_size(cells, self._sigma, self.subsampling, self.subsampling_rule) for cells in (height, width))
        return first, second

    def extra_repr(self) -> str:
        """Return the arguments that `repr` shows."""
        shown = f"{self.in_channels}, {self.out_channels}, order={self.order}, size={self.size}, k={self.k}, stride={self.stride}"
        return f"{shown}, padding={self.padding or 'same'}, groups={self.groups}, bias={self.bias is not None}"


@torch.no_grad()
def update_sizes(network: nn.Module) -> None:
    """Update the sizes of all N-Jet layers of a network to their sigmas, with one read from the device for all layers."""
    layers = [module for module in network.modules() if isinstance(module, NJetConv2d)]
    if layers:
        for layer, sigma in zip(layers, torch.stack([layer.sigma.max() for layer in layers]).tolist(), strict=True):
            layer._follow(sigma)
            layer._followed = _version(layer.scale)


def _version(tensor: Tensor) -> tuple[int, int] | None:
    """Return the id of a tensor and the number of its in-place changes; None if torch does not count them."""
    return None if tensor.is_inference() else (id(tensor), tensor._version)


def _follow_loaded(layer: nn.Module, _: Any) -> None:
    assert isinstance(layer, NJetConv2d)
    if not layer.scale.is_meta:
        update_sizes(layer)


def _pair(value: int | tuple[int, int]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else value


def _padding(value: int | tuple[int, int] | str) -> tuple[int, int] | None:
    if isinstance(value, str):
        if value not in ("same", "valid"):
            raise ValueError(f"Expected `padding` to be 'same', 'valid' or whole numbers, but got {value!r}.")
        return None if value == "same" else (0, 0)
    pair = _pair(value)
    if min(pair) < 0:
        raise ValueError(f"Expected `padding` to be 0 or more, but got {value}.")
    return pair


def _check(in_channels: int, out_channels: int, groups: int, k: float, stride: tuple[int, int], evaluation: str | None) -> None:
    for name, value in {"in_channels": in_channels, "out_channels": out_channels, "groups": groups, "stride": min(stride)}.items():
        if value < 1:
            raise ValueError(f"Expected `{name}` to be positive, but got {value}.")
    if in_channels % groups or out_channels % groups:
        raise ValueError(f"Expected `groups` to divide {in_channels} and {out_channels} channels, but got {groups}.")
    if not 0 < k < math.inf:
        raise ValueError(f"Expected `k` to be positive, but got {k}.")
    if evaluation not in (None, *EVALUATIONS):
        raise ValueError(f"Expected `evaluation` to be one of {', '.join(EVALUATIONS)}, but got {evaluation!r}.")

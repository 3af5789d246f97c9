"""The weighted gradient layer: nothing forward, equation 12 backward, nothing else touched."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from lightning_modules.layers.gradient_weight import weighted_gradient

LABELS = torch.tensor([[[0, 4, 2], [5, 255, 1]]])
MEMBERS = (2, 4, 5)


def scores(kind: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(1, 3, 2, 3, dtype=kind, generator=torch.Generator().manual_seed(0)).requires_grad_()


def gradient(made: Tensor, source: Tensor) -> Tensor:
    """Of a loss that weighs every score differently and is not linear in them."""
    direction = torch.randn(made.shape, dtype=made.dtype, generator=torch.Generator().manual_seed(1))
    (made.exp() * direction).sum().backward()
    assert source.grad is not None
    return source.grad


@pytest.mark.parametrize("kind", [torch.float32, torch.float64, torch.bfloat16], ids=str)
def test_forward_it_is_the_identity_bit_for_bit(kind: torch.dtype) -> None:
    values = scores(kind)
    result = weighted_gradient(values, LABELS, MEMBERS, 1.2)
    assert result.dtype == kind
    assert torch.equal(result, values)


def test_equation_12_by_hand() -> None:
    values = scores()
    weighted_gradient(values, LABELS, MEMBERS, 1.2).sum().backward()
    by_hand = torch.tensor([[1.0, 1.2, 1.2], [1.2, 1.0, 1.0]], dtype=torch.float64)
    assert values.grad is not None
    assert torch.equal(values.grad, by_hand.expand(1, 3, 2, 3))  # every channel of a pixel alike


def test_the_empty_set_and_a_weight_of_1_leave_the_plain_gradient() -> None:
    plain = scores()
    expected = gradient(plain, plain)
    for members, weight in (((), 1.2), (MEMBERS, 1.0), ((7,), 1.2)):
        values = scores()
        assert torch.equal(gradient(weighted_gradient(values, LABELS, members, weight), values), expected)


def test_it_is_the_gradient_of_a_construction_by_autograd_alone() -> None:
    """Let w s + (1 - w) s' be the scores, with s' = s held constant: their value is s and their derivative w."""
    values, other = scores(), scores()
    weights = torch.where(torch.isin(LABELS, torch.tensor(MEMBERS)), torch.tensor(1.2, dtype=torch.float64), 1.0)[:, None]
    constructed = weights * other + (1 - weights) * other.detach()
    torch.testing.assert_close(gradient(weighted_gradient(values, LABELS, MEMBERS, 1.2), values), gradient(constructed, other))


def test_in_half_precision_the_weight_is_not_rounded_before_the_product() -> None:
    values = scores(torch.bfloat16)
    weighted_gradient(values, LABELS, MEMBERS, 1.2).backward(torch.full((1, 3, 2, 3), 3.0, dtype=torch.bfloat16))
    assert values.grad is not None
    assert values.grad.dtype == torch.bfloat16
    assert values.grad[0, 0, 0, 1] == torch.tensor(3.6, dtype=torch.bfloat16)  # 3 times bfloat16's 1.2 would be 3.609, which rounds to 3.61


def test_labels_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match=r"Expected `labels` to be B H W of the scores, \(1, 3, 2, 3\), but got \(1, 2, 2\)"):
        weighted_gradient(scores(), LABELS[..., :2], MEMBERS, 1.2)

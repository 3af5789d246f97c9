"""The task: its loss, its optimiser's treatment of f, its evaluation at the labels' size."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from lightning_modules.networks.adaptive_vgg import AdaptiveVGG
from lightning_modules.recipe import SGD, Constant, Group, Optimization, Schedule, Steps
from lightning_modules.segmentation import SemanticSegmentation


def task(learning_rate: float = 1e-3, schedule: Schedule | None = None, background_weight: float = 1.0, **f: Any) -> SemanticSegmentation:
    torch.manual_seed(0)
    network = AdaptiveVGG(5, 2, width=1 / 64, head_channels=4, dropout=0.0, background_weight=background_weight)
    group = Group("f", **{"rate": 6e4, "weight_decay": 0.0, **f})
    made = SemanticSegmentation(network, 5, Optimization(SGD(learning_rate), schedule or Constant(), groups=(group,)))
    made.log = made.log_dict = lambda *args, **kwargs: None  # type: ignore[method-assign]  # there is no Trainer
    made._trainer = alone()
    return made


def alone(scaler: Any = None) -> Any:
    """What a task asks of its Trainer in a step."""
    return SimpleNamespace(accumulate_grad_batches=1, max_steps=-1, global_step=0, precision_plugin=SimpleNamespace(scaler=scaler))


def batch() -> dict[str, Any]:
    generator = torch.Generator().manual_seed(1)
    mask = torch.randint(5, (2, 64, 64), generator=generator)
    mask[:, :3] = 255
    return {"image": torch.randn(2, 3, 64, 64, generator=generator), "mask": mask, "name": ["a", "b"]}


def test_the_loss_is_summed_over_labelled_pixels_and_divided_by_the_batch() -> None:
    made, data = task(), batch()
    loss = made.training_step(data)
    scores = functional.log_softmax(made(data["image"]), 1)
    kept = data["mask"] != 255
    picked = scores.gather(1, data["mask"].where(kept, torch.tensor(0))[:, None])[:, 0]
    torch.testing.assert_close(loss, -picked[kept].sum() / 2)


def test_f_has_its_own_rate_and_no_decay() -> None:
    optimizer = task(rate=6e4, learning_rate=1e-7).configure_optimizers()["optimizer"]
    weights, factor = optimizer.param_groups
    assert (weights["lr"], weights["weight_decay"], weights["momentum"]) == (1e-7, 5e-4, 0.9)
    assert (factor["lr"], factor["weight_decay"], len(factor["params"])) == (pytest.approx(6e-3), 0.0, 1)
    parameters = sum(len(group["params"]) for group in optimizer.param_groups)
    assert parameters == len(list(task().network.parameters()))


def test_f_stays_in_its_range_through_the_optimiser() -> None:
    made = task(rate=1e9)
    optimizer = made.configure_optimizers()["optimizer"]
    made.training_step(batch()).backward()
    optimizer.step()
    assert made.network.factor.value.item() in (0.25, 4.0)


def test_before_its_start_neither_f_nor_its_momentum_moves() -> None:
    made = task(start=10)
    optimizer = made.configure_optimizers()["optimizer"]
    made.training_step(batch()).backward()
    made.on_before_optimizer_step(optimizer)
    optimizer.step()
    factor = made.network.factor.value
    assert factor.item() == 1.0
    assert factor not in optimizer.state


def test_the_rate_steps_by_optimiser_steps_for_both_groups() -> None:
    configured = task(schedule=Steps((2,), gamma=0.1), rate=10.0).configure_optimizers()
    optimizer, schedule = configured["optimizer"], configured["lr_scheduler"]
    assert schedule["interval"] == "step"
    rates = []
    for _ in range(4):
        rates.append([group["lr"] for group in optimizer.param_groups])
        optimizer.step()
        schedule["scheduler"].step()
    assert rates == [pytest.approx([1e-3, 1e-2])] * 2 + [pytest.approx([1e-4, 1e-3])] * 2


def test_evaluation_resizes_scores_and_never_labels() -> None:
    class Coarse(nn.Module):
        """Scores at an eighth of the size, class 1 on the right half."""

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            right = torch.linspace(-1, 1, image.shape[-1] // 8).expand(len(image), 1, image.shape[-2] // 8, -1)
            return torch.cat([-right, right], 1)

    made = SemanticSegmentation(Coarse(), 2)
    mask = torch.zeros(1, 61, 64, dtype=torch.long)  # of its own size
    mask[:, :, 32:] = 1
    made.test_step({"image": torch.zeros(1, 3, 64, 64), "mask": mask, "name": ["a"]})
    assert made.metric.compute().tolist() == [[61 * 32, 0], [0, 61 * 32]]
    assert int(made.counted.compute()) == 1


def test_shares_of_a_scaled_loss_are_unscaled() -> None:
    """Half precision multiplies the loss before the backward pass; the curves of f's gradient must not show it."""
    shares = []
    for scale in (1.0, 8.0):
        made = task()
        made._trainer = alone(SimpleNamespace(get_scale=lambda scale=scale: scale))
        (made.training_step(batch()) * scale).backward()
        made.on_before_optimizer_step(made.configure_optimizers()["optimizer"])
        shares.append(made.network.factor.shares)
    torch.testing.assert_close(*shares)


def test_an_exceptional_gradient_of_f_is_clipped_and_the_curve_shows_it_whole() -> None:
    gradients = {}
    for bound in (None, 1e3, 1e-6):
        made = task(clip=bound)
        made.training_step(batch()).backward()
        made.on_before_optimizer_step(made.configure_optimizers()["optimizer"])
        factor = made.network.factor
        gradients[bound] = (factor.value.grad.item(), factor.shares.sum().item(), made.network.head.fc8.weight.grad.clone())
    whole, shares, weights = gradients[None]
    assert abs(whole) > 1e-6
    assert gradients[1e3] == (whole, shares, pytest.approx(weights))  # what is not exceptional is left alone
    assert abs(gradients[1e-6][0]) == pytest.approx(1e-6)
    assert gradients[1e-6][1] == shares
    assert torch.equal(gradients[1e-6][2], weights)


def test_a_bound_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="Expected `clip` of group 'f' to be positive, but got 0"):
        task(clip=0.0)


def test_the_background_mask_reaches_f_in_training_and_nothing_else() -> None:
    """Loss, every weight's gradient and the evaluation are those without it; f's own gradient is not."""
    results = {}
    for share in (1.0, 0.5):
        made = task(background_weight=share)
        network = made.network
        with torch.no_grad():
            network.factor.value.fill_(1.3)
        loss = made.training_step(batch())
        loss.backward()
        weights = {name: value.grad.clone() for name, value in network.named_parameters() if value.grad is not None}
        results[share] = (loss.item(), weights.pop("factor.value").item(), weights)
    assert results[0.5][0] == results[1.0][0]
    assert results[0.5][1] != pytest.approx(results[1.0][1], rel=1e-3)
    for name, gradient in results[1.0][2].items():
        torch.testing.assert_close(results[0.5][2][name], gradient)

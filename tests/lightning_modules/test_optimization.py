"""Groups of parameters, what stays, and the rates of schedules, through optimisers and real training steps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor, nn
from torch.utils.data import DataLoader

from lightning_modules.classification import ImageClassification
from lightning_modules.optimization import Treatment, optimizer_of, schedule_of, treatments
from lightning_modules.recipe import SGD, Adam, Constant, Cosine, Group, Optimization, Poly, Schedule, Steps


class Small(nn.Module):
    """A body with a normalisation, a head, and two groups of its own."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.ReLU())
        self.neck = nn.Sequential(nn.Conv2d(4, 4, 1, bias=False), nn.BatchNorm2d(4))
        self.head = nn.Linear(4, 3)

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        return {"slopes": [self.head.weight], "necks": list(self.neck.parameters())}

    def forward(self, image: Tensor) -> Tensor:
        scores: Tensor = self.head(self.neck(self.body(image)).mean((2, 3)))
        return scores


def treated(*groups: Group) -> dict[str, Treatment]:
    """Return how each parameter is trained, by its path."""
    network = Small()
    paths = {parameter: path for path, parameter in network.named_parameters()}
    found = {paths[parameter]: how for how, parameters in treatments(network, groups).items() for parameter in parameters}
    assert found.keys() == set(paths.values())
    return found


def differ(*groups: Group) -> set[str]:
    return {path for path, how in treated(*groups).items() if how != Treatment()}


def test_without_groups_all_are_trained_alike() -> None:
    assert differ() == set()
    assert [len(group["params"]) for group in optimizer_of(Small(), Optimization(SGD(0.1))).param_groups] == [9]


def test_groups_are_biases_norms_paths_of_modules_and_the_networks_own() -> None:
    norms = {f"{part}.1.{name}" for part in ("body", "neck") for name in ("weight", "bias")}
    assert differ(Group("biases", 2.0)) == {"body.0.bias", "body.1.bias", "neck.1.bias", "head.bias"}
    assert differ(Group("norms", 2.0)) == norms
    assert differ(Group("body.0", 2.0)) == {"body.0.weight", "body.0.bias"}
    assert differ(Group("head.bias", 2.0)) == {"head.bias"}
    assert differ(Group("slopes", 2.0)) == {"head.weight"}
    assert differ(Group("necks", 2.0)) == {"neck.0.weight", "neck.1.weight", "neck.1.bias"}


def test_of_several_groups_rates_multiply_and_the_last_says_the_rest() -> None:
    groups = (Group("head", 10.0, 1e-4, start=5, clip=2.0), Group("biases", 2.0, 0.0, clip=1.0), Group("slopes", 0.5))
    found = treated(*groups)
    assert found["body.0.weight"] == Treatment()
    assert found["body.0.bias"] == Treatment(2.0, 0.0, clip=1.0)
    assert found["head.bias"] == Treatment(20.0, 0.0, start=5, clip=1.0)
    assert found["head.weight"] == Treatment(5.0, 1e-4, start=5, clip=2.0)
    assert treated(*groups[1::-1])["head.bias"] == Treatment(20.0, 1e-4, start=5, clip=2.0)


@pytest.mark.parametrize(
    ("part", "kind"),
    [
        (SGD(0.1, weight_decay=1e-3), torch.optim.SGD),
        (Adam(0.1, weight_decay=1e-3), torch.optim.Adam),
        (Adam(0.1, weight_decay=1e-3, decoupled=True), torch.optim.AdamW),
    ],
)
def test_the_optimiser_has_a_group_for_every_way_and_every_parameter_once(part: SGD | Adam, kind: type[torch.optim.Optimizer]) -> None:
    network = Small()
    optimizer = optimizer_of(network, Optimization(part, groups=(Group("head", 10.0), Group("biases", 2.0, weight_decay=0.0))))
    assert type(optimizer) is kind
    found = {parameter: (group["lr"], group["weight_decay"]) for group in optimizer.param_groups for parameter in group["params"]}
    assert sum(len(group["params"]) for group in optimizer.param_groups) == len(list(network.parameters())) == len(found)
    for path, parameter in network.named_parameters():
        rate = 0.1 * (10 if path.startswith("head") else 1) * (2 if path.endswith("bias") else 1)
        assert found[parameter] == (pytest.approx(rate), 0.0 if path.endswith("bias") else 1e-3), path


def test_an_unknown_group_is_refused_and_an_optional_one_is_not() -> None:
    known = r"Expected a group of parameters of Small \(slopes, necks, biases, norms, body, neck, head\), but got 'tail'"
    with pytest.raises(ValueError, match=known):
        treatments(Small(), (Group("tail"),))
    with pytest.raises(ValueError, match=known):
        ImageClassification(Small(), 3, Optimization(SGD(0.1), frozen=("tail",)))
    assert differ(Group("tail", 2.0, optional=True)) == set()


def test_momentum_and_betas_reach_the_optimiser() -> None:
    (sgd,) = optimizer_of(Small(), Optimization(SGD(0.1, momentum=0.8, nesterov=True))).param_groups
    (adam,) = optimizer_of(Small(), Optimization(Adam(0.1, betas=(0.5, 0.6)))).param_groups
    assert (sgd["momentum"], sgd["nesterov"], adam["betas"]) == (0.8, True, (0.5, 0.6))


def rates(schedule: Schedule, steps: int, count: int) -> list[float]:
    """Return the rate of each step, as a share of that at the start; a second group has a tenth of it."""
    optimizer = optimizer_of(Small(), Optimization(SGD(0.5), groups=(Group("head", 0.1),)))
    made, found = schedule_of(optimizer, schedule, steps), []
    for _ in range(count):
        first, second = (group["lr"] for group in optimizer.param_groups)
        assert second == pytest.approx(first / 10)
        found.append(first / 0.5)
        optimizer.step()
        made.step()
    return found


def test_rates_follow_their_formulas() -> None:
    assert rates(Constant(), -1, 5) == [1.0] * 5
    assert rates(Steps((2, 3), 0.5), -1, 5) == pytest.approx([1, 1, 0.5, 0.25, 0.25])
    assert rates(Poly(), 8, 8) == pytest.approx([(1 - step / 8) ** 0.9 for step in range(8)])
    assert rates(Poly(2.0), 4, 6) == pytest.approx([1, 9 / 16, 1 / 4, 1 / 16, 0, 0])  # and nothing after the end
    assert rates(Cosine(), 8, 9) == pytest.approx([(1 + math.cos(math.pi * step / 8)) / 2 for step in range(9)], abs=1e-12)
    assert rates(Cosine(0.2), 2, 4) == pytest.approx([1, 0.6, 0.2, 0.2])
    assert rates(Cosine(0.0, warmup=4), 8, 9) == pytest.approx([0.25, 0.5, 0.75, 1, 1, (1 + 0.5**0.5) / 2, 0.5, (1 - 0.5**0.5) / 2, 0])


@pytest.mark.parametrize("schedule", [Poly(), Cosine()])
def test_a_schedule_that_ends_needs_an_end(schedule: Schedule) -> None:
    with pytest.raises(ValueError, match=f"the trainer to have `max_steps`, at which {type(schedule).__name__} ends, but got none"):
        schedule_of(optimizer_of(Small(), Optimization(SGD(0.1))), schedule, -1)


class Rates(pl.Callback):
    """Keeps the rates of a training, the gradients that are followed, and the network after each step."""

    def __init__(self) -> None:
        self.rates: list[float] = []
        self.gradients: list[dict[str, Tensor | None]] = []
        self.states: list[dict[str, Tensor]] = []

    def on_before_zero_grad(self, trainer: pl.Trainer, module: pl.LightningModule, optimizer: torch.optim.Optimizer) -> None:
        self.rates.append(optimizer.param_groups[0]["lr"])

    def on_train_batch_end(self, trainer: pl.Trainer, module: Any, *_: Any) -> None:
        self.states.append({name: value.clone() for name, value in module.network.state_dict().items()})
        named = module.network.named_parameters()
        self.gradients.append({name: None if value.grad is None else value.grad.clone() for name, value in named})


def trained(
    folder: Path,
    optimization: Optimization,
    steps: int = 4,
    validate: bool = False,
    callbacks: Sequence[pl.Callback] = (),
    checkpoint: Path | None = None,
) -> tuple[dict[str, Tensor], Rates]:
    """Train for some steps, or go on from a checkpoint; return the state before them and what was kept of each."""
    network, kept = Small(), Rates()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    generator = torch.Generator().manual_seed(1)
    batch = {"image": torch.randn(6, 3, 4, 4, generator=generator), "label": torch.randint(3, (6,), generator=generator)}
    trainer = pl.Trainer(
        accelerator="cpu", devices=1, max_steps=steps, logger=False, enable_progress_bar=False, enable_model_summary=False,
        enable_checkpointing=any(isinstance(callback, ModelCheckpoint) for callback in callbacks),
        default_root_dir=folder, callbacks=[kept, *callbacks], val_check_interval=1 if validate else None,
        limit_val_batches=1 if validate else 0,
    )  # fmt: skip
    batches = DataLoader([batch] * 2, batch_size=None)  # type: ignore[arg-type]  # two steps an epoch
    trainer.fit(ImageClassification(network, 3, optimization), batches, batches, ckpt_path=checkpoint, weights_only=True)
    assert trainer.global_step == steps
    return before, kept


def moved(before: dict[str, Tensor], after: dict[str, Tensor]) -> set[str]:
    return {name for name, value in after.items() if not torch.equal(value, before[name])}


@pytest.mark.parametrize("validate", [False, True], ids=["training alone", "validation between"])
@pytest.mark.parametrize(
    ("frozen", "stays"),
    [
        (("body",), ("body.",)),
        (("body.1", "head"), ("body.1.", "head.")),
        (("norms",), ("body.1.", "neck.1.")),
        (("necks",), ("neck.",)),
    ],
)
def test_what_is_frozen_stays_and_so_do_its_normalisations_statistics(
    tmp_path: Path, frozen: tuple[str, ...], stays: tuple[str, ...], validate: bool
) -> None:
    """Over epochs, between which Lightning puts the whole network into training, with momentum and decay."""
    before, kept = trained(tmp_path, Optimization(SGD(0.1), frozen=frozen), validate=validate)
    for state in kept.states:
        assert not {name for name in moved(before, state) if name.startswith(stays)}
    assert moved(before, kept.states[-1]) == {name for name in before if not name.startswith(stays)}


@pytest.mark.filterwarnings("ignore:Be aware that when using .ckpt_path.")
@pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint that ended before the epoch ended")
@pytest.mark.parametrize("step", [1, 2, 3])
def test_a_frozen_norm_keeps_its_statistics_in_a_resumed_training(tmp_path: Path, step: int) -> None:
    """Also in the middle of an epoch, whose start then does not come again."""
    optimization, folder = Optimization(SGD(0.1), frozen=("body",)), tmp_path / "checkpoints"
    kept = ModelCheckpoint(folder, "{step}", every_n_train_steps=1, save_top_k=-1)
    before, whole = trained(tmp_path, optimization, callbacks=[kept])
    _, resumed = trained(tmp_path, optimization, checkpoint=folder / f"step={step}.ckpt")
    assert len(resumed.states) == 4 - step
    assert not {name for name in moved(before, resumed.states[-1]) if name.startswith("body.")}
    assert not moved(whole.states[-1], resumed.states[-1])


class Synchronised(pl.Callback):
    """Puts other normalisations in the place of a network's, as Lightning does where several devices share a batch."""

    def setup(self, trainer: pl.Trainer, module: Any, stage: str) -> None:
        module.network = nn.SyncBatchNorm.convert_sync_batchnorm(module.network)


def test_a_frozen_norm_keeps_its_statistics_where_another_takes_its_place(tmp_path: Path) -> None:
    before, kept = trained(tmp_path, Optimization(SGD(0.1), frozen=("body",)), callbacks=[Synchronised()])
    found = moved(before, kept.states[-1])
    assert not {name for name in found if name.startswith("body.")}
    assert {"neck.1.running_mean", "neck.1.weight"} <= found


def test_frozen_biases_leave_the_statistics_of_normalisations_alone(tmp_path: Path) -> None:
    """A normalisation whose weight is trained goes on to follow the data."""
    before, kept = trained(tmp_path, Optimization(SGD(0.1), frozen=("biases",)))
    found = moved(before, kept.states[-1])
    assert {"body.1.running_mean", "body.1.weight"} <= found
    assert not {name for name in found if name.endswith(".bias")}


def test_rates_of_a_training_end_with_it(tmp_path: Path) -> None:
    _, kept = trained(tmp_path, Optimization(SGD(0.5), Poly()))
    assert kept.rates == pytest.approx([0.5 * (1 - step / 4) ** 0.9 for step in range(4)])


def test_before_its_start_a_group_does_not_move_and_then_does_without_a_past(tmp_path: Path) -> None:
    before, kept = trained(tmp_path, Optimization(SGD(0.1), groups=(Group("head", start=2),)))
    assert [name for name in sorted(moved(before, kept.states[1])) if name.startswith("head")] == []
    assert {"head.weight", "head.bias"} <= moved(kept.states[1], kept.states[2])
    gradient = kept.gradients[2]["head.bias"]
    assert gradient is not None
    step = kept.states[1]["head.bias"] - kept.states[2]["head.bias"]
    torch.testing.assert_close(step, 0.1 * (gradient + 5e-4 * kept.states[1]["head.bias"]))  # no momentum of steps before
    assert {"body.0.weight", "neck.0.weight"} <= moved(before, kept.states[0])


def test_a_groups_clip_bounds_each_number_of_its_gradient_alone(tmp_path: Path) -> None:
    _, free = trained(tmp_path, Optimization(SGD(0.1)), steps=1)
    _, kept = trained(tmp_path, Optimization(SGD(0.1), groups=(Group("head", clip=1e-3),)), steps=1)
    for name, gradient in free.gradients[0].items():
        assert gradient is not None
        expected = gradient.clamp(-1e-3, 1e-3) if name.startswith("head") else gradient
        torch.testing.assert_close(kept.gradients[0][name], expected)
    assert max(value.abs().max() for name, value in free.gradients[0].items() if value is not None and name.startswith("head")) > 2e-3


@pytest.mark.parametrize("share", [0.1, 10.0])
def test_clip_norm_bounds_the_norm_of_all_gradients_together(tmp_path: Path, share: float) -> None:
    def together(gradients: dict[str, Tensor | None]) -> Tensor:
        return torch.cat([value.flatten() for value in gradients.values() if value is not None])

    _, free = trained(tmp_path, Optimization(SGD(0.1)), steps=1)
    whole = together(free.gradients[0])
    _, kept = trained(tmp_path, Optimization(SGD(0.1), clip_norm=share * float(whole.norm())), steps=1)
    torch.testing.assert_close(together(kept.gradients[0]), whole * min(1.0, share), rtol=1e-4, atol=1e-7)

"""The settings of this paper's network, data and task. This module needs no torch."""

from __future__ import annotations

from dataclasses import dataclass

from lightning_modules.quantity import Quantity
from reproduce.specs import Data, Network, Spec, Training

RATE = Quantity("rate", "rate of the envelope", unit="1/px", start=0.5, lowest=0.05, highest=2.0, metric="rate")


@dataclass(frozen=True)
class EnvelopeNet(Network):
    """See `outside_paper.network.EnvelopeNet`."""

    channels: int = 8
    hidden: int = 16
    target = "outside_paper.network:EnvelopeNet"

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        """Quantities that the network learns besides its weights."""
        return (RATE,)


@dataclass(frozen=True)
class Waves(Data):
    """See `outside_paper.data.WavesDataModule`: waves are drawn from the seed, so a data root needs no files."""

    pictures: int
    evaluate: str = "clean"
    target = "outside_paper.data:WavesDataModule"
    label = "period"


@dataclass(frozen=True)
class PeriodRegression(Training):
    """See `outside_paper.task.PeriodRegression`."""

    scale: float = 10.0
    target = "outside_paper.task:PeriodRegression"
    does = "measures periods"
    label = "period"


@dataclass(frozen=True)
class Brightened(Spec):
    """See `outside_paper.network.brightened`."""

    gain: float
    target = "outside_paper.network:brightened"

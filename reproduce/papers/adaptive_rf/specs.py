"""The settings of the networks of Wei et al. 2017, and of what is measured of them."""

from __future__ import annotations

from dataclasses import dataclass, field

from lightning_modules.layers.quantities import INFLATION
from lightning_modules.quantity import Quantity
from lightning_modules.recipe import SAME_COST
from reproduce.specs import Measurement, Network

BLOCKS = 5  # of VGG-16


@dataclass(frozen=True)
class AdaptivePath(Network):
    """What the networks of one path and of several have in common. What only one has comes before it, by a base of its own, or after it."""

    kernel_size: int = 4
    inflated: bool = True
    norm: bool = True
    width: float = 1.0
    head_channels: int = 4096
    strides: tuple[int, ...] = (2, 2, 2, 1, 1)
    dilations: tuple[int, ...] = (1, 1, 1, 1, 2)
    pool_dilations: tuple[int, ...] = (1, 1, 1, 1, 2)
    batch_norm: bool = False
    dropout: float = 0.5
    scores = "pixels"

    @property
    def trains_batch_norm(self) -> bool:
        """Whether there is any batch norm in it."""
        return self.norm or self.batch_norm

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        """What it learns."""
        return INFLATION if self.inflated else ()

    @property
    def cost_note(self) -> str:
        """What f costs."""
        said = "Networks that learn f: fc6 sees f^2 the cells, so where f ends changes their time and memory; a probe has f = 1."
        return said if self.inflated else ""

    def check(self, where: str) -> None:
        """Refuse lists that do not have a number for each of VGG-16's blocks."""
        for name in ("strides", "dilations", "pool_dilations"):
            value = getattr(self, name)
            if len(value) != BLOCKS:
                hint = "; those of its paths are `path_dilations`" if isinstance(self, MultiPathVGG) and name == "dilations" else ""
                raise ValueError(f"Expected `{name}`{where} to be {BLOCKS}, one a block, but got {value}{hint}.")


@dataclass(frozen=True)
class _Path(Network):
    num_classes: int
    dilation: int = field(metadata=SAME_COST)


@dataclass(frozen=True)
class _Paths(Network):
    num_classes: int
    path_dilations: tuple[int, ...]


@dataclass(frozen=True)
class AdaptiveVGG(AdaptivePath, _Path):
    """The baseline and the network of one path that learns its receptive field. Steps of any dilation cost the same."""

    gradient: str = "equation 11"
    background_weight: float = 1.0
    target = "lightning_modules.networks.adaptive_vgg:AdaptiveVGG"


@dataclass(frozen=True)
class MultiPathVGG(AdaptivePath, _Paths):
    """Networks of several paths."""

    label_sets: tuple[tuple[int, ...], ...] = ()
    gradient_weight: float = 1.2
    target = "lightning_modules.networks.multi_path_vgg:MultiPathVGG"


@dataclass(frozen=True)
class StepCost(Measurement):
    """Measure time and memory of training steps at fixed inflation factors.

    Args:
        factors: ascending, because where the peak of memory cannot be reset it can only be seen to rise.
        rounds: timed steps at each factor, in turn, so that whatever else slows the machine slows all factors alike.
    """

    factors: tuple[float, ...]
    rounds: int
    target = "reproduce.papers.adaptive_rf.step_cost:step_cost"
    does = "measures the time and memory of training steps"
    exclusive = True

    def __post_init__(self) -> None:
        if not self.factors or self.factors[0] <= 0 or sorted(set(self.factors)) != list(self.factors):
            raise ValueError(f"Expected `factors` to be positive and ascending, but got {self.factors}.")
        if self.rounds < 2:
            raise ValueError(f"Expected `rounds` to be at least 2, for quartiles, but got {self.rounds}.")

    @property
    def steps(self) -> int:
        """All steps: one that sets up what stays (gradients, momentum), a round for memory, and the timed rounds."""
        return 1 + len(self.factors) * (1 + self.rounds)

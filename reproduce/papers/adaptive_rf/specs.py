"""The settings of the networks of Wei et al. 2017 and of the measurement of their step cost."""

from __future__ import annotations

from dataclasses import dataclass, field

from lightning_modules.layers.quantities import INFLATION
from lightning_modules.quantity import Quantity
from lightning_modules.recipe import SAME_COST
from reproduce.specs import POSITIVE, Measurement, Network

BLOCKS = 5  # blocks of VGG-16


@dataclass(frozen=True)
class AdaptivePath(Network):
    """Fields of both kinds of network. `_Path` and `_Paths` put their fields before these; the two networks put theirs after them."""

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
    narrowest: int = 1
    fc8_std: float = field(default=0.01, metadata=SAME_COST)
    scores = "pixels"

    @property
    def trains_batch_norm(self) -> bool:
        """Whether the network has any batch norm."""
        return self.norm or self.batch_norm

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        """Learned quantities of the network."""
        return INFLATION if self.inflated else ()

    @property
    def cost_note(self) -> str:
        """How f changes the cost of a step."""
        said = "Networks that learn f: fc6 has f^2 times the cells, so time and memory depend on the learned f; a probe runs at f = 1."
        return said if self.inflated else ""

    def check(self, where: str) -> None:
        """Check that each list has one number per block of VGG-16."""
        for name in ("strides", "dilations", "pool_dilations"):
            value = getattr(self, name)
            if len(value) != BLOCKS:
                hint = "; the dilations of its paths are `path_dilations`" if isinstance(self, MultiPathVGG) and name == "dilations" else ""
                raise ValueError(f"Expected `{name}`{where} to be {BLOCKS} numbers, one per block, but got {value}{hint}.")


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
    """The baseline, and the single-path network that learns its receptive field. A step costs the same at every dilation."""

    gradient: str = "equation 11"
    background_weight: float = 1.0
    target = "lightning_modules.networks.adaptive_vgg:AdaptiveVGG"


@dataclass(frozen=True)
class MultiPathVGG(AdaptivePath, _Paths):
    """Multi-path networks."""

    label_sets: tuple[tuple[int, ...], ...] = ()
    gradient_weight: float = 1.2
    target = "lightning_modules.networks.multi_path_vgg:MultiPathVGG"


@dataclass(frozen=True)
class StepCost(Measurement):
    """Measure time and memory of training steps at fixed inflation factors.

    Args:
        factors: Inflation factors in ascending order: if the memory peak cannot be reset, only a rise of the peak can be measured.
        rounds: Number of timed steps per factor. Each round times all factors in turn, so that other load slows all factors equally.
    """

    factors: tuple[float, ...]
    rounds: int
    target = "reproduce.papers.adaptive_rf.step_cost:step_cost"
    does = "measures the time and memory of training steps"
    ranges = (("*", POSITIVE),)
    exclusive = True

    def __post_init__(self) -> None:
        if not self.factors or self.factors[0] <= 0 or sorted(set(self.factors)) != list(self.factors):
            raise ValueError(f"Expected `factors` to be positive and ascending, but got {self.factors}.")
        if self.rounds < 2:
            raise ValueError(f"Expected `rounds` to be at least 2, for quartiles, but got {self.rounds}.")

    @property
    def steps(self) -> int:
        """Number of all steps: one step that allocates gradients and momentum, one round for memory, and the timed rounds."""
        return 1 + len(self.factors) * (1 + self.rounds)

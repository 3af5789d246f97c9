"""The settings of the networks of Pintea et al. 2021."""

from __future__ import annotations

from dataclasses import dataclass

from lightning_modules.layers.quantities import SIGMA
from lightning_modules.quantity import Quantity
from reproduce.specs import Network, Spec


@dataclass(frozen=True)
class Jet(Spec):
    """Arguments of the N-Jet layers of a network; see `NJetConv2d`."""

    order: int = 3
    sigma: float = 1.0
    k: float = 2.0
    learn_sigma: bool = True
    sigma_per_filter: bool = False
    subsampling: float | None = None
    subsampling_rule: str = "paper"
    half_size_rule: str = "paper"
    normalized: bool = False
    init: str = "normal"
    evaluation: str | None = None
    target = "lightning_modules.layers.njet:NJetConv2d"


@dataclass(frozen=True)
class JetNetwork(Network):
    """A network whose large convolutions are N-Jet layers if it has `jet`."""

    scores = "pictures"

    @property
    def trains_batch_norm(self) -> bool:
        """Whether the network has batch norm."""
        return True

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        """Learned quantities of the network."""
        return (SIGMA,) if getattr(self, "jet", None) else ()

    @property
    def cost_note(self) -> str:
        """How sigma changes the cost of a step."""
        said = "N-Jet networks: filter and map sizes follow sigma, so time and memory do too; a probe runs at the start value of sigma."
        return said if getattr(self, "jet", None) else ""


@dataclass(frozen=True)
class NiN(JetNetwork):
    """Network in Network."""

    num_classes: int
    in_channels: int = 3
    filter_sizes: tuple[int, ...] = (5, 5, 3)
    pooling: bool = True
    jet: Jet | None = None
    width: float = 1.0
    dropout: float = 0.5
    target = "lightning_modules.networks.nin:NiN"


@dataclass(frozen=True)
class AllCNN(JetNetwork):
    """ALL-CNN-C."""

    num_classes: int
    in_channels: int = 3
    strided: bool = True
    jet: Jet | None = None
    width: float = 1.0
    dropout: float = 0.5
    target = "lightning_modules.networks.all_cnn:AllCNN"


@dataclass(frozen=True)
class CIFARResNet(JetNetwork):
    """Residual networks for pictures of CIFAR's size."""

    num_classes: int
    depth: int = 32
    in_channels: int = 3
    jet: Jet | None = None
    width: float = 1.0
    target = "lightning_modules.networks.cifar_resnet:CIFARResNet"


@dataclass(frozen=True)
class EfficientNetB0(JetNetwork):
    """EfficientNet-B0 for pictures of CIFAR's size."""

    num_classes: int
    in_channels: int = 3
    jet: Jet | None = None
    width: float = 1.0
    depth: float = 1.0
    dropout: float = 0.2
    drop_connect: float = 0.2
    target = "lightning_modules.networks.efficientnet:EfficientNetB0"


@dataclass(frozen=True)
class ToyCNN(JetNetwork):
    """The toy networks that learn the scale of digits."""

    num_classes: int
    layers: int = 2
    channels: int = 16
    in_channels: int = 1
    filter_size: int = 3
    dilation: int = 1
    deformable: bool = False
    jet: Jet | None = None
    grid: int = 4
    target = "lightning_modules.networks.toy_cnn:ToyCNN"

    @property
    def trains_batch_norm(self) -> bool:
        """Whether the network has batch norm: it has none."""
        return False


Published = NiN | AllCNN | CIFARResNet | EfficientNetB0

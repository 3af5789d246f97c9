"""The settings of networks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from reproduce.specs.plain import NOT_IDENTITY, pairs


@dataclass(frozen=True)
class AdaptiveVGG:
    """See `lightning_modules.networks.adaptive_vgg.AdaptiveVGG`."""

    num_classes: int
    dilation: int
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
    gradient: str = "equation 11"
    background_weight: float = 1.0

    @property
    def trains_batch_norm(self) -> bool:
        """Whether there is any batch norm in it."""
        return self.norm or self.batch_norm


@dataclass(frozen=True)
class MultiPathVGG:
    """See `lightning_modules.networks.multi_path_vgg.MultiPathVGG`."""

    num_classes: int
    path_dilations: tuple[int, ...]
    kernel_size: int = 4
    inflated: bool = True
    norm: bool = True
    label_sets: tuple[tuple[int, ...], ...] = ()
    gradient_weight: float = 1.2
    width: float = 1.0
    head_channels: int = 4096
    strides: tuple[int, ...] = (2, 2, 2, 1, 1)
    dilations: tuple[int, ...] = (1, 1, 1, 1, 2)
    pool_dilations: tuple[int, ...] = (1, 1, 1, 1, 2)
    batch_norm: bool = False
    dropout: float = 0.5

    @property
    def trains_batch_norm(self) -> bool:
        """Whether there is any batch norm in it."""
        return self.norm or self.batch_norm


@dataclass(frozen=True)
class Jet:
    """What makes a network's convolutions N-Jet layers; see `lightning_modules.layers.njet.NJetConv2d`."""

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


@dataclass(frozen=True)
class NiN:
    """See `lightning_modules.networks.nin.NiN`."""

    num_classes: int
    in_channels: int = 3
    filter_sizes: tuple[int, ...] = (5, 5, 3)
    pooling: bool = True
    jet: Jet | None = None
    width: float = 1.0
    dropout: float = 0.5
    trains_batch_norm: ClassVar[bool] = True


@dataclass(frozen=True)
class AllCNN:
    """See `lightning_modules.networks.all_cnn.AllCNN`."""

    num_classes: int
    in_channels: int = 3
    strided: bool = True
    jet: Jet | None = None
    width: float = 1.0
    dropout: float = 0.5
    trains_batch_norm: ClassVar[bool] = True


@dataclass(frozen=True)
class CIFARResNet:
    """See `lightning_modules.networks.cifar_resnet.CIFARResNet`."""

    num_classes: int
    depth: int = 32
    in_channels: int = 3
    jet: Jet | None = None
    width: float = 1.0
    trains_batch_norm: ClassVar[bool] = True


@dataclass(frozen=True)
class EfficientNetB0:
    """See `lightning_modules.networks.efficientnet.EfficientNetB0`."""

    num_classes: int
    in_channels: int = 3
    jet: Jet | None = None
    width: float = 1.0
    depth: float = 1.0
    dropout: float = 0.2
    drop_connect: float = 0.2
    trains_batch_norm: ClassVar[bool] = True


@dataclass(frozen=True)
class ToyCNN:
    """See `lightning_modules.networks.toy_cnn.ToyCNN`."""

    num_classes: int
    layers: int = 2
    channels: int = 16
    in_channels: int = 1
    filter_size: int = 3
    dilation: int = 1
    deformable: bool = False
    jet: Jet | None = None
    grid: int = 4
    trains_batch_norm: ClassVar[bool] = False


@dataclass(frozen=True)
class OwnNetwork:
    """A user's network: a class or a function in a file of theirs, called with `num_classes` and `arguments` by name.

    Args:
        name: of the class or function.
        num_classes: background included.
        arguments: plain values by name; a dict will do.
        file: where it is; a relative path begins at the file of rows, and without one it is that file itself. The path is no part of a
            job's identity.
        sha256: of the file's content, filled in when rows are read.
    """

    name: str
    num_classes: int
    arguments: Any = ()
    file: str = field(default="", metadata=NOT_IDENTITY)
    sha256: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "arguments", pairs(self.arguments))

    @property
    def trains_batch_norm(self) -> bool:
        """Whether it is known to have batch norm: only once it is built, in its job."""
        return False


ImageNetwork = NiN | AllCNN | CIFARResNet | EfficientNetB0 | ToyCNN
Network = AdaptiveVGG | MultiPathVGG | ImageNetwork | OwnNetwork

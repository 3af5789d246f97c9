"""The settings of jobs: frozen dataclasses of plain values, each named after the class or function that takes them.

A worker builds `lightning_modules.networks` and `datamodules` classes from them by name; a test holds their fields to those
classes' arguments. Defaults are left out of a job's identity, so a new field with a default keeps every old run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

# Metadata of a field that does not change a result: a readable name, where things lie, what computes them.
NOT_IDENTITY = {"identity": False}


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


@dataclass(frozen=True)
class OwnData:
    """A user's data: a LightningDataModule in a file of theirs, called with `batch_size`, `steps`, `seed` and `arguments` by name.

    Args:
        name: of the class or function.
        arguments: plain values by name; a dict will do.
        root: a folder of files, if there is one, given as `root`; relative as `file` is, and like it no part of a job's identity.
        file: as in `OwnNetwork`.
        sha256: as in `OwnNetwork`.
        fingerprint: of the names and sizes of the files below `root`, filled in when rows are read.
    """

    name: str
    arguments: Any = ()
    root: str = field(default="", metadata=NOT_IDENTITY)
    file: str = field(default="", metadata=NOT_IDENTITY)
    sha256: str = ""
    fingerprint: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "arguments", pairs(self.arguments))


def pairs(arguments: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> tuple[tuple[str, Any], ...]:
    """Return arguments by name as sorted pairs of plain values, which a job can be identified and stored by.

    Raises:
        ValueError: where a value is not plain.
    """
    return tuple(sorted((name, _plain(name, value)) for name, value in dict(arguments).items()))


def _plain(name: str, value: Any) -> Any:
    if isinstance(value, list | tuple):
        return tuple(_plain(name, member) for member in value)
    if value is None or type(value) in (bool, int, float, str):
        return value
    raise ValueError(f"Expected `arguments` to be numbers, texts, None or lists of them, but got {name}={value!r}.")


@dataclass(frozen=True)
class MadeFaces:
    """Made-up faces in Helen's layout; see `datamodules.synthetic.write_helen`. `revision` moves when that function draws otherwise."""

    exemplars: int
    tuning: int
    testing: int
    size: int
    seed: int = 0
    revision: int = 1


@dataclass(frozen=True)
class Helen:
    """See `datamodules.helen.HelenDataModule`. Either `made`, or read under the data root, whose content `fingerprint` names."""

    size: int
    fingerprint: str = ""
    made: MadeFaces | None = None


@dataclass(frozen=True)
class MadeScenes:
    """Made-up scenes in VOC's and SBD's layouts; see `datamodules.synthetic_voc.write_voc`. `revision` moves when that draws otherwise."""

    train: int
    val: int
    size: int
    seed: int = 0
    sbd: int = 0
    shapes: int = 5
    hues: int = 4
    revision: int = 1


@dataclass(frozen=True)
class VOC:
    """See `datamodules.voc.VOCDataModule`. Either `made`, or read under the data root, whose content `fingerprint` names."""

    crop: int
    fingerprint: str = ""
    made: MadeScenes | None = None
    train: str = "train_aug"
    evaluate: str = "val"
    scale: tuple[float, float] = (0.5, 2.0)
    flip: bool = True


@dataclass(frozen=True)
class Weights:
    """A file of start weights: its name under `<data root>/weights`, and what it holds."""

    name: str
    sha256: str


@dataclass(frozen=True)
class Recipe:
    """How a network is trained: the arguments of `lightning_modules.segmentation.SemanticSegmentation`, and the loop's own.

    Args:
        steps: optimiser steps.
        batch_size: global, over all devices.
    """

    steps: int
    batch_size: int
    learning_rate: float
    momentum: float = 0.9
    weight_decay: float = 5e-4
    milestones: tuple[int, ...] = ()
    gamma: float = 0.1
    factor_multiplier: float = 6e4
    factor_start: int = 0
    factor_clip: float | None = None


@dataclass(frozen=True)
class InflationSweep:
    """At which inflation factors a training step is measured.

    Args:
        factors: ascending, because where the peak of memory cannot be reset it can only be seen to rise.
        rounds: timed steps at each factor, in turn, so that whatever else slows the machine slows all factors alike.
    """

    factors: tuple[float, ...]
    rounds: int

    def __post_init__(self) -> None:
        if not self.factors or self.factors[0] <= 0 or sorted(set(self.factors)) != list(self.factors):
            raise ValueError(f"Expected `factors` to be positive and ascending, but got {self.factors}.")
        if self.rounds < 2:
            raise ValueError(f"Expected `rounds` to be at least 2, for quartiles, but got {self.rounds}.")

    @property
    def steps(self) -> int:
        """All steps: one that sets up what stays (gradients, momentum), a round for memory, and the timed rounds."""
        return 1 + len(self.factors) * (1 + self.rounds)


@dataclass(frozen=True)
class Wandb:
    """How a job is mirrored to wandb.

    Args:
        mode: wandb's name.
        project: wandb's project.
        table: that asked for the job; wandb groups runs by it.
        profile: of the table.
    """

    mode: Literal["offline", "online"]
    project: str
    table: str = ""
    profile: str = ""


@dataclass(frozen=True)
class Runtime:
    """Where and on what a job runs; nothing here changes its result beyond rounding (and, on several devices, what dropout draws).

    Args:
        data_root: folder of the data sets.
        cache: folder for what is built from them.
        accelerator: Lightning's name, `cpu` or `cuda`.
        devices: of each machine; a rank each.
        num_nodes: machines.
        threads: CPU threads of a rank; 0 leaves torch's own choice.
        stop_after: stop, resumable, after so many further steps; 0 goes to the end.
        probe: take so many steps and evaluate so many batches, to keep what they cost instead of a result; 0 is a real run.
        checkpoint_every: steps between checkpoints.
        log_every: steps between lines of metrics.jsonl.
        wandb: how it is mirrored; None leaves wandb out.
    """

    data_root: str = ""
    cache: str = ""
    accelerator: str = "cpu"
    devices: int = 1
    num_nodes: int = 1
    threads: int = 0
    stop_after: int = 0
    probe: int = 0
    checkpoint_every: int = 500
    log_every: int = 10
    wandb: Wandb | None = None

    @property
    def world(self) -> int:
        """How many ranks share a job."""
        return self.devices * self.num_nodes


Network = AdaptiveVGG | MultiPathVGG | OwnNetwork
Data = Helen | VOC | OwnData

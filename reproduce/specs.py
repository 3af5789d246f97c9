"""The settings of jobs: frozen dataclasses of plain values, each named after the class or function that takes them.

A worker builds `lightning_modules.networks` and `datamodules` classes from them by name; a test holds their fields to those
classes' arguments. Defaults are left out of a job's identity, so a new field with a default keeps every old run.
"""

from __future__ import annotations

from dataclasses import dataclass

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


@dataclass(frozen=True)
class Runtime:
    """Where and on what a job runs; nothing here changes its result beyond rounding.

    Args:
        data_root: folder of the data sets.
        cache: folder for what is built from them.
        accelerator: Lightning's name, `cpu` or `cuda`.
        threads: CPU threads of the process; 0 leaves torch's own choice.
        stop_after: stop, resumable, after so many further steps; 0 goes to the end.
        probe: take so many steps and evaluate so many batches, to keep what they cost instead of a result; 0 is a real run.
        checkpoint_every: steps between checkpoints.
        log_every: steps between lines of metrics.jsonl.
    """

    data_root: str = ""
    cache: str = ""
    accelerator: str = "cpu"
    threads: int = 0
    stop_after: int = 0
    probe: int = 0
    checkpoint_every: int = 500
    log_every: int = 10

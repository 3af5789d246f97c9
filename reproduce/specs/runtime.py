"""Where and on what a job runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


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
        papers: folders of papers, beside the installed ones.
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
    papers: tuple[str, ...] = ()

    @property
    def world(self) -> int:
        """How many ranks share a job."""
        return self.devices * self.num_nodes

"""Settings of the machine that runs a job."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Wandb:
    """Settings of a job's mirror in wandb.

    Args:
        mode: wandb's name of the mode.
        project: wandb's project.
        table: Table that needs the job; wandb groups runs by it.
        profile: Profile of the table.
    """

    mode: Literal["offline", "online"]
    project: str
    table: str = ""
    profile: str = ""


@dataclass(frozen=True)
class Runtime:
    """Where and on which devices a job runs. This changes only the rounding of results and, on several devices, the draws of dropout.

    Args:
        data_root: Folder of the data sets.
        cache: Folder for prepared data.
        accelerator: Lightning's name of the accelerator, `cpu` or `cuda`.
        devices: Devices per machine, one rank per device.
        num_nodes: Number of machines.
        threads: CPU threads per rank; 0 keeps torch's choice.
        stop_after: Number of further steps before a resumable stop; 0 for none.
        probe: Number of steps and of evaluation batches in a probe, which measures cost instead of a result; 0 for a real run.
        checkpoint_every: Steps between checkpoints.
        log_every: Steps between lines of metrics.jsonl.
        wandb: Settings of the mirror; None for no mirror.
        papers: Folders of papers, besides the installed papers.
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
        """Number of ranks that share a job."""
        return self.devices * self.num_nodes

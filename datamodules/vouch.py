"""How much a layout can vouch for the data it found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Vouch:
    """How sure we are that the data on disk is the published data set.

    Args:
        status: "verified" (the publisher's checksums), "counts" (complete by count), "not official" (counts differ, or the set says so of
            itself), "synthetic" (written by `datamodules.synthetic`) or "own" (a user's, of which nothing is known).
        detail: what was found, for people: "838 faces: 688 / 50 / 100".
    """

    status: Literal["verified", "counts", "not official", "synthetic", "own"]
    detail: str

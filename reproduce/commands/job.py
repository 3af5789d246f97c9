"""`python -m reproduce job RUN_DIR`: do one prepared job; what a launcher starts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from reproduce.options import UsageError


def main(words: Sequence[str]) -> int:
    """Do the job of a run folder."""
    if len(words) != 1:
        raise UsageError(f"Expected one RUN_DIR after `job`, but got {len(words)}.")
    from reproduce.worker import work

    return work(Path(words[0]), cluster=True)

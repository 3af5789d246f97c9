"""`python -m reproduce job RUN_DIR`: do one prepared job; what a launcher starts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from reproduce import worker
from reproduce.commands.options import Parser


def main(words: Sequence[str]) -> int:
    """Do the job of a run folder."""
    parser = Parser(prog="python -m reproduce job", description="Do one prepared job; what a launcher starts.")
    parser.add_argument("folder", type=Path, metavar="RUN_DIR", help="a run's folder, with its job.json")
    options = parser.parse_args(words)
    return worker.process.work(options.folder, cluster=True)

"""`python -m reproduce job RUN_DIR`: run one prepared job; launchers start this command."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from reproduce import worker
from reproduce.commands.options import Parser


def main(words: Sequence[str]) -> int:
    """Run the job of a run's folder."""
    parser = Parser(prog="python -m reproduce job", description="Run one prepared job; launchers start this command.")
    parser.add_argument("folder", type=Path, metavar="RUN_DIR", help="folder of a run, with its job.json")
    options = parser.parse_args(words)
    return worker.process.work(options.folder, cluster=True)

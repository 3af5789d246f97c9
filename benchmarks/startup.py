"""Measure the time of listing and showing beyond a bare start of Python: medians of alternated runs.

python benchmarks/startup.py [ROUNDS]
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "python -m reproduce": ["-m", "reproduce"],
    "python -m reproduce show table1": ["-m", "reproduce", "show", "table1"],
}


def main(rounds: int) -> None:
    with tempfile.TemporaryDirectory() as runs:
        seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
        for _ in range(rounds):
            for name, words in COMMANDS.items():
                extra = ["--runs-dir", runs] if "reproduce" in words else []
                begun = time.perf_counter()
                subprocess.run([sys.executable, *words, *extra], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
                seconds[name].append(time.perf_counter() - begun)
    bare = statistics.median(seconds["python -c pass"])
    for name, values in seconds.items():
        median = statistics.median(values)
        print(f"{name:35} {median:.3f} s, {median - bare:+.3f} s over a bare start (target: under 0.4)")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 9)

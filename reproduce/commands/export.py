"""`python -m reproduce export RUN --format onnx|pt2`: write a finished run's network to a file that runs without this suite."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from reproduce import worker
from reproduce.commands.finished import add_run, finished_training
from reproduce.commands.options import Parser, UsageError, add_runs_dir
from reproduce.jobs.job import Job
from reproduce.jobs.store import WEIGHTS

USAGE = "python -m reproduce export RUN --format onnx|pt2 [--shape C H W] [--output FILE] [--runs-dir DIR]"
FORMATS = ("onnx", "pt2")


def parser() -> Parser:
    """Return the parser of this command."""
    said = "Write a finished run's network to a file, with what it learned beside its weights as constants, and compare the two."
    result = add_run(Parser(prog="python -m reproduce export", usage=USAGE, description=said))
    result.add_argument("--format", choices=FORMATS, required=True, help="ONNX, or torch.export's pt2")
    result.add_argument("--shape", nargs=3, type=int, metavar=("C", "H", "W"), help="of an image (default: that of a training batch)")
    result.add_argument("--output", type=Path, metavar="FILE", help="the file (default exports/RUN.FORMAT)")
    return add_runs_dir(result)


def main(words: Sequence[str]) -> int:
    """Write the file, and print its input, its output and how far it is from the network."""
    options = parser().parse_args(words)
    run, job = finished_training(options)
    shape = _shape(options.shape, job)
    path = options.output or Path("exports") / f"{run.name}.{options.format}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        exported = worker.exporting.export_run(job, run.unchanged(WEIGHTS), path, options.format, shape)
    except (RuntimeError, MemoryError) as error:
        said = str(error).strip().partition("\n")[0]
        raise UsageError(f"Expected --shape to be one that the network can compute, but it fails: {said}") from error
    except OSError as error:
        raise UsageError(f"Expected --output to be a file that can be written, but got {path} ({error.strerror}).") from error
    print(f"{path}  ({run.name})")
    print(f"  input   image, float32, N {' '.join(map(str, shape))}: {exported.normalised}")
    print(f"  output  scores, float32, N {' '.join(map(str, exported.output))}: {exported.classes}")
    if exported.learned:
        print(f"  frozen  {exported.learned}")
    print(f"  the file's scores differ from the network's by at most {exported.difference:.1e} of the largest score")
    return 0


def _shape(given: Sequence[int] | None, job: Job) -> tuple[int, ...]:
    known = job.data.shape if job.data is not None else None
    if given is None and known is None:
        raise UsageError(f"Expected --shape C H W for {job.slug}, because its data does not say which images it has, but got none.")
    shape = tuple(given or known or ())
    if min(shape) < 1:
        raise UsageError(f"Expected --shape to be three positive numbers, but got {' '.join(map(str, shape))}.")
    return shape

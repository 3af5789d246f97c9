"""`python -m reproduce predict RUN IMAGE...`: segment pictures with a finished run's weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from reproduce import figures, worker
from reproduce.commands.finished import add_run, finished_training
from reproduce.commands.options import Parser, UsageError, add_runs_dir
from reproduce.jobs.store import WEIGHTS
from reproduce.specs import Training

USAGE = "python -m reproduce predict RUN IMAGE... [--output DIR] [--runs-dir DIR]"


def parser() -> Parser:
    """Return the parser of this command."""
    result = add_run(Parser(prog="python -m reproduce predict", usage=USAGE, description="Segment pictures with a finished run."))
    result.add_argument("images", nargs="+", type=Path, metavar="IMAGE", help="pictures, such as JPEGs or PNGs")
    result.add_argument("--output", type=Path, default=Path("predictions"), help="folder for the output files (default predictions)")
    return add_runs_dir(result)


def main(words: Sequence[str]) -> int:
    """Write two files per picture: the picture beside its overlay and legend, and the mask."""
    options = parser().parse_args(words)
    run, job = finished_training(options)
    if not isinstance(job.task, Training) or job.task.scores != "pixels":
        raise UsageError(f"Expected RUN to be a run that segments, but {run.name} {job.task.does}.")
    stems = [image.stem for image in options.images]
    for stem in stems:
        if stems.count(stem) > 1:
            raise UsageError(f"Expected every IMAGE to have a unique name, but got '{stem}' twice: segment them one by one.")
    segmenter = worker.prediction.load_segmenter(job, run.unchanged(WEIGHTS))
    for image in options.images:
        picture = figures.overlay.read_picture(image)
        height, width = picture.shape[:2]
        inner = segmenter.shown(height, width)
        mask = segmenter(picture)
        unlike = job.data.seen if job.data is not None else ""
        shown = f"seen at {inner[1]} x {inner[0]} pixels{f', {unlike}' if unlike else ''}"
        board = figures.overlay.side_by_side(picture, mask, segmenter.classes, (run.name, shown))
        written = options.output / f"{image.stem}-{run.name}.png"
        try:
            options.output.mkdir(parents=True, exist_ok=True)
            written.write_bytes(figures.overlay.picture_png(board))
            colours = figures.overlay.colours_of(segmenter.classes)
            written.with_name(f"{written.stem}-mask.png").write_bytes(figures.overlay.mask_png(mask, colours))
        except OSError as error:
            raise UsageError(
                f"Expected --output to be a folder that can be written, but got {options.output} ({error.strerror})."
            ) from error
        print(f"{written}  ({width} x {height} pixels, {shown})")
    return 0

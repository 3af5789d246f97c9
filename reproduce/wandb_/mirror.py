"""Mirror of a job in wandb: a copy of the run folder's files, which stay the truth. A failure of wandb does not stop the job."""

from __future__ import annotations

import functools
import secrets
import shutil
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec

from reproduce.jobs.job import Job, placeless, to_plain
from reproduce.jobs.store import Run

if TYPE_CHECKING:
    from lightning_modules.example import Example

EXAMPLES = 4  # examples per evaluation
INIT_SECONDS, FINISH_SECONDS = 30.0, 120.0  # longest waits of a job for the connection


Arguments = ParamSpec("Arguments")


def attempted(method: Callable[Concatenate[Mirror, Arguments], None]) -> Callable[Concatenate[Mirror, Arguments], None]:
    """Catch and log the first failure of such a method; after that, all of them do nothing."""

    @functools.wraps(method)
    def attempt(self: Mirror, /, *arguments: Arguments.args, **options: Arguments.kwargs) -> None:
        if self.chosen is None:
            return
        try:
            method(self, *arguments, **options)
        except (Exception, SystemExit) as error:
            self.chosen = None
            said = " ".join(str(error).split()).rstrip(".") or "no reason given"
            print(f"wandb is switched off from here on ({type(error).__name__}: {said}); metrics.jsonl has every number.", flush=True)

    return attempt


class Mirror:
    """Copy a run to wandb: first the lines in its folder, then each line as it is logged, at the end the result and examples.

    An offline wandb run cannot be resumed, and no step can be removed from it. So each start of a job makes a new wandb run with the same
    name and repeats all lines. The earlier wandb run stays `failed` or `crashed` online, and its files here are removed.

    Args:
        job: Job of the run.
        run: Folder of the run.
        on: Whether this process mirrors the job.
    """

    def __init__(self, job: Job, run: Run, on: bool = True) -> None:
        self.job, self.run = job, run
        self.chosen = job.runtime.wandb if on else None
        self.live: Any = None
        self.step = 0
        self.kept: list[Example] = []

    @property
    def on(self) -> bool:
        """Whether wandb is in use and has not failed."""
        return self.chosen is not None

    @attempted
    def begin(self) -> None:
        """Start a wandb run and repeat the existing lines; never prompt the user, with or without a login."""
        chosen = self.chosen
        if chosen is None:
            return
        import wandb

        shutil.rmtree(self.run.folder / "wandb", ignore_errors=True)
        settings = wandb.Settings(
            silent=True, console="off", init_timeout=INIT_SECONDS, finish_timeout=FINISH_SECONDS, finish_timeout_raises=True
        )
        wandb.setup(settings)  # before `init`, so that a missing key raises an error and does not prompt, even in a terminal
        self.live = wandb.init(
            project=chosen.project, group=chosen.table or None, name=self.run.name, id=f"{self.run.name}-{secrets.token_hex(3)}",
            job_type=self.job.task.name,
            tags=[*filter(None, [chosen.profile]), f"seed {self.job.seed}"],
            mode=chosen.mode, dir=self.run.folder,
            config=placeless(to_plain(self.job)) | {"profile": chosen.profile}, settings=settings,
        )  # fmt: skip
        self.live.define_metric("global_step", hidden=True)
        self.live.define_metric("*", step_metric="global_step")
        for line in self.run.curve:
            self._repeat(line)

    @attempted
    def line(self, line: Mapping[str, Any]) -> None:
        """Repeat a line of metrics.jsonl."""
        if self.live is not None:
            self._repeat(line)

    def _repeat(self, line: Mapping[str, Any]) -> None:
        self.step = line["step"]
        self.live.log({"global_step" if name == "step" else name: value for name, value in line.items()}, step=self.step)

    @property
    def wanted(self) -> int:
        """Number of examples that can still be added."""
        return max(0, EXAMPLES - len(self.kept)) if self.on else 0

    @attempted
    def keep(self, examples: Sequence[Example]) -> None:
        """Keep the first examples of an evaluation."""
        self.kept += examples[: self.wanted]

    @attempted
    def end(self) -> None:
        """Copy the result, if there is one, and the examples; end the wandb run."""
        if self.live is None:
            self.begin()
        if self.live is None:
            return
        result: Any = self.run.result or {}
        self.live.summary.update({name: value for name, value in result.get("metrics", {}).items() if value is not None})
        self.live.summary.update({name: result[name] for name in ("data", "provenance") if result.get(name)})
        self._save_examples()
        shown = self._examples()
        if shown:
            self.live.log({"global_step": self.step, "examples": shown}, step=self.step)
        self.live.finish(exit_code=0 if self.run.done else 1)

    def _save_examples(self) -> None:
        """Store examples in the run's folder, so that a later mirror has them."""
        if not self.kept:
            return
        import numpy as np

        arrays: dict[str, Any] = {"classes": self.kept[0].classes, "captions": [example.caption for example in self.kept]}
        for index, example in enumerate(self.kept):
            arrays[f"{index}/image"] = example.image
            arrays |= {f"{index}/mask/{name}": mask for name, mask in example.masks.items()}
        np.savez_compressed(self.run.folder / "examples.npz", **arrays)

    def _examples(self) -> list[Any]:
        """Return the examples in the run's folder as wandb images, with captions and masks."""
        path = self.run.folder / "examples.npz"
        if not path.exists():
            return []
        import numpy as np
        import wandb

        with np.load(path) as arrays:
            pictures = [name for name in arrays.files if "/" in name]
            height, width = (max(arrays[name].shape[axis] for name in pictures) for axis in (0, 1))
            labels = dict(enumerate(map(str, arrays["classes"]))) | {255: "ignored"}

            def padded(name: str, value: int) -> Any:  # wandb shows pictures of one size
                array = arrays[name]
                margins = [(0, height - array.shape[0]), (0, width - array.shape[1]), (0, 0)]
                return np.pad(array, margins[: array.ndim], constant_values=value)

            shown = []
            for index, caption in enumerate(arrays["captions"]):
                begin = f"{index}/mask/"
                masks = {
                    name.removeprefix(begin): {"mask_data": padded(name, 255), "class_labels": labels}
                    for name in pictures
                    if name.startswith(begin)
                }
                shown.append(wandb.Image(padded(f"{index}/image", 0), caption=str(caption) or None, masks=masks or None))
            return shown

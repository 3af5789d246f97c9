"""A job's wandb run, which repeats what the files of its folder say; they stay the truth, and whatever wandb does, the job goes on."""

from __future__ import annotations

import functools
import secrets
import shutil
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec

from reproduce.housekeeping import placeless
from reproduce.job import Job, to_plain
from reproduce.store import Run

if TYPE_CHECKING:
    from torch import Tensor

EXAMPLES = 4  # pictures of an evaluation
INIT_SECONDS, FINISH_SECONDS = 30.0, 120.0  # that a job waits for a network at most


Arguments = ParamSpec("Arguments")


def attempted(method: Callable[Concatenate[Mirror, Arguments], None]) -> Callable[Concatenate[Mirror, Arguments], None]:
    """Let a method do nothing once any has failed; the first failure is a sentence in the log."""

    @functools.wraps(method)
    def attempt(self: Mirror, /, *arguments: Arguments.args, **options: Arguments.kwargs) -> None:
        if self.chosen is None:
            return
        try:
            method(self, *arguments, **options)
        except (Exception, SystemExit) as error:
            self.chosen = None
            said = " ".join(str(error).split()).rstrip(".") or "no reason given"
            print(f"wandb is left out from here on ({type(error).__name__}: {said}); metrics.jsonl has every number.", flush=True)

    return attempt


class Mirror:
    """Repeat a run in wandb: what is in its folder already, then each line as it is logged, at last result and examples.

    An offline wandb run cannot go on where it ended, nor any step be taken back. So each beginning of a job makes a new wandb run of the
    same name and repeats all lines; the one before it stays `failed` or `crashed` online, and its files here are removed.

    Args:
        job: that is done.
        run: its folder.
        on: whether this process is the one that speaks of the job.
    """

    def __init__(self, job: Job, run: Run, on: bool = True) -> None:
        self.job, self.run = job, run
        self.chosen = job.runtime.wandb if on else None
        self.live: Any = None
        self.step = 0
        self.kept: list[dict[str, Any]] = []

    @property
    def on(self) -> bool:
        """Whether wandb is spoken to, and nothing of it has failed."""
        return self.chosen is not None

    @attempted
    def begin(self) -> None:
        """Start a wandb run and repeat the lines that are there; asks nothing, whoever is logged in."""
        chosen = self.chosen
        if chosen is None:
            return
        import wandb

        shutil.rmtree(self.run.folder / "wandb", ignore_errors=True)
        settings = wandb.Settings(
            silent=True, console="off", init_timeout=INIT_SECONDS, finish_timeout=FINISH_SECONDS, finish_timeout_raises=True
        )
        wandb.setup(settings)  # before `init`, so that a missing key is an error and no question, even in a terminal
        self.live = wandb.init(
            project=chosen.project, group=chosen.table or None, name=self.run.name, id=f"{self.run.name}-{secrets.token_hex(3)}",
            job_type=self.job.task, tags=[*filter(None, [chosen.profile]), f"seed {self.job.seed}"], mode=chosen.mode, dir=self.run.folder,
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

    @attempted
    def keep(self, batch: Mapping[str, Any], scores: Tensor, data: Any) -> None:
        """Keep the first pictures of an evaluation, with their labels and what was predicted.

        Args:
            batch: `image` B C H W, and `mask` B H W, or `label` B where whole pictures have a class.
            scores: B classes H W, or B classes.
            data: its datamodule, which may have names of `classes`, and a `pictures` that undoes how it normalises; else its classes are
                numbered and its pictures are normalised as Helen's are.
        """
        wanted = EXAMPLES - len(self.kept)
        if wanted <= 0:
            return
        from datamodules.loading import pictures

        names = tuple(getattr(data, "classes", ())) or tuple(f"class {index}" for index in range(scores.shape[1]))
        labels = batch["mask" if "mask" in batch else "label"]
        images = getattr(data, "pictures", pictures)(batch["image"][:wanted])
        masks, predictions = labels[:wanted], scores[:wanted].argmax(1)
        for image, mask, prediction in zip(images, masks, predictions, strict=True):
            arrays = {"image": image, "mask": mask, "prediction": prediction}
            self.kept.append({name: array.byte().cpu().numpy() for name, array in arrays.items()} | {"classes": names})

    @attempted
    def end(self) -> None:
        """Repeat the result, if there is one, and the examples, and end the wandb run."""
        if self.live is None:
            self.begin()
        if self.live is None:
            return
        result = self.run.result or {}
        self.live.summary.update({name: value for name, value in result.get("metrics", {}).items() if value is not None})
        self.live.summary.update({name: result[name] for name in ("data", "provenance") if result.get(name)})
        self._save_examples()
        shown = self._examples()
        if shown:
            self.live.log({"global_step": self.step, "examples": shown}, step=self.step)
        self.live.finish(exit_code=0 if self.run.done else 1)

    def _save_examples(self) -> None:
        """Keep examples in the run's folder, so that a mirror made later has them."""
        if self.kept:
            import numpy as np

            arrays = {f"{index}-{name}": value for index, example in enumerate(self.kept) for name, value in example.items()}
            np.savez_compressed(self.run.folder / "examples.npz", **arrays)

    def _examples(self) -> list[Any]:
        """Return the examples of the run's folder: pictures with two masks each, or with their class and the predicted one as a caption."""
        path = self.run.folder / "examples.npz"
        if not path.exists():
            return []
        import numpy as np
        import wandb

        with np.load(path) as arrays:
            count = len(arrays.files) // 4
            classes = [str(name) for name in arrays["0-classes"]]
            if not arrays["0-mask"].ndim:
                said = ((classes[int(arrays[f"{index}-{name}"])] for name in ("mask", "prediction")) for index in range(count))
                captions = [f"{label}, predicted {prediction}" for label, prediction in said]
                return [wandb.Image(arrays[f"{index}-image"], caption=caption) for index, caption in enumerate(captions)]
            names = [name for name in arrays.files if not name.endswith("-classes")]
            height, width = (max(arrays[name].shape[axis] for name in names) for axis in (0, 1))

            def padded(name: str, value: int) -> Any:  # wandb shows pictures of one size
                array = arrays[name]
                margins = [(0, height - array.shape[0]), (0, width - array.shape[1]), (0, 0)]
                return np.pad(array, margins[: array.ndim], constant_values=value)

            labels = dict(enumerate(classes)) | {255: "ignored"}
            return [
                wandb.Image(
                    padded(f"{index}-image", 0),
                    masks={
                        "ground truth": {"mask_data": padded(f"{index}-mask", 255), "class_labels": labels},
                        "prediction": {"mask_data": padded(f"{index}-prediction", 255), "class_labels": labels},
                    },
                )
                for index in range(count)
            ]

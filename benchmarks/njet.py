"""Measure the speed of the N-Jet layer, forward and backward, against the dense kernel of the same size, as in the authors' layer.

python benchmarks/njet.py [--rounds COUNT] [--batch COUNT] [--threads COUNT] [--device NAME] [--plot STEM]

Both sides are the same layer with the same weights, and take turns; their outputs and gradients must agree. Ratios are medians over the
pairs of all rounds. With one CPU thread, CPU time is counted, so that other programs matter little. Peak memory is measured in a separate
process: on a CPU (Linux only), the memory that the process took from the system for two passes; on a GPU, the memory that torch allocated.
The plot shows time against sigma for every evaluation, for the evaluation that the layer picks, and for a plain 3 x 3 convolution;
`--plot ''` leaves out the plot and its table. The whole benchmark takes about ten minutes on one core.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).parents[1]))

from lightning_modules.layers.njet import NJetConv2d
from lightning_modules.layers.njet_convolution import EVALUATIONS, cheapest_evaluation
from lightning_modules.layers.separable import Axis

SIGMAS = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0)
COMPARED = ("dense", "picked")
PROCESSES = 3  # the memory that one process takes from the system varies by a tenth


@dataclass(frozen=True)
class Case:
    """Sizes of a layer, and its required speed relative to the dense kernel."""

    sigma: float
    order: int
    channels: int
    filters: int
    cells: int
    target: float = 0.95  # required at any sigma

    def layer(self, evaluation: str | None) -> NJetConv2d:
        torch.manual_seed(0)
        return NJetConv2d(self.channels, self.filters, self.order, self.sigma, bias=False, evaluation=evaluation)

    @property
    def chosen(self) -> str:
        size = self.layer(None).size
        axis = Axis(self.cells, size, 1, size // 2)
        return cheapest_evaluation(self.channels, self.filters, 1, self.order, axis, axis)

    @property
    def name(self) -> str:
        size = self.layer(None).size
        return f"{size} x {size}, sigma {self.sigma:g}, order {self.order}, {self.shape}"

    @property
    def shape(self) -> str:
        return f"{self.channels} to {self.filters} channels, {self.cells} x {self.cells}"


CASES = (
    Case(1.5, 3, 96, 192, 32, target=1.1),
    Case(3.5, 3, 192, 192, 16, target=4.0),
    Case(6.0, 2, 192, 192, 16, target=15.0),
)
SWEEPS = tuple(tuple(Case(sigma, 3, *shape) for sigma in SIGMAS) for shape in ((96, 192, 32), (192, 192, 16)))


class Pass:
    """One layer's forward and backward pass on a batch."""

    def __init__(self, layer: nn.Module, case: Case, options: argparse.Namespace) -> None:
        self.layer, self.device = layer.to(options.device), options.device
        generator = torch.Generator().manual_seed(1)
        shape = (options.batch, case.channels, case.cells, case.cells)
        self.features = torch.randn(shape, generator=generator).to(self.device).requires_grad_()
        self.direction = torch.randn(options.batch, case.filters, case.cells, case.cells, generator=generator).to(self.device)

    def __call__(self) -> list[torch.Tensor]:
        values = [self.features, *self.layer.parameters()]
        response = self.layer(self.features)
        return [response.detach(), *torch.autograd.grad(response, values, self.direction)]

    def seconds(self, clock: Callable[[], float]) -> float:
        begun = clock()
        self()
        return clock() - begun


def clock_of(options: argparse.Namespace) -> Callable[[], float]:
    if options.device == "cuda":

        def synchronised() -> float:
            torch.cuda.synchronize()
            return time.perf_counter()

        return synchronised
    return time.process_time if options.threads == 1 else time.perf_counter


def alternated(passes: dict[str, Pass], options: argparse.Namespace) -> dict[str, list[float]]:
    """Return the seconds of each side in every round; sides that are not compared run in every third. A first round warms up."""
    clock = clock_of(options)
    taken: dict[str, list[float]] = {name: [] for name in passes}
    for number in range(options.rounds + 1):
        for name, side in passes.items():
            if name in COMPARED or number % 3 == 1:
                seconds = side.seconds(clock)
                if number:
                    taken[name].append(seconds)
    return taken


def difference(first: Pass, second: Pass) -> float:
    """Return the largest difference of responses or gradients, divided by the largest of their values."""
    pairs = zip(first(), second(), strict=True)
    return max(((one - other).abs().max() / other.abs().max()).item() for one, other in pairs)


def peak(case: Case, evaluation: str, options: argparse.Namespace) -> float:
    """Return the MiB that a separate process needs for two passes, beyond its memory before them; the median of several processes."""
    words = [sys.executable, __file__, "--peak", json.dumps([case.__dict__, evaluation])]
    words += [f"--batch={options.batch}", f"--threads={options.threads}", f"--device={options.device}"]
    return statistics.median(float(subprocess.run(words, check=True, capture_output=True, text=True).stdout) for _ in range(PROCESSES))


def measure_peak(case: Case, evaluation: str, options: argparse.Namespace) -> float:
    side = Pass(case.layer(evaluation), case, options)
    before = memory("VmRSS", options)
    if options.device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    else:
        Path("/proc/self/clear_refs").write_text("5")  # resets the peak, which was reached while modules were loaded
    for _ in range(2):
        side()
    return (memory("VmHWM", options) - before) / 2**20


def memory(name: str, options: argparse.Namespace) -> int:
    """Return the bytes in use (VmRSS), or their peak since the last reset (VmHWM)."""
    if options.device == "cuda":
        return torch.cuda.max_memory_allocated() if name == "VmHWM" else torch.cuda.memory_allocated()
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.split(f"{name}:")[1].split()[0])


@dataclass(frozen=True)
class Ratio:
    """Speed relative to the dense kernel: median, lowest and highest over the pairs."""

    middle: float
    lowest: float
    highest: float

    @classmethod
    def of(cls, taken: dict[str, list[float]]) -> Ratio:
        each = [dense / picked for dense, picked in zip(*(taken[name] for name in COMPARED), strict=True)]
        return cls(statistics.median(each), min(each), max(each))

    def __str__(self) -> str:
        return f"{self.middle:.2f} ({self.lowest:.2f} to {self.highest:.2f})"


def row(*cells: object) -> None:
    """Print a row of a Markdown table at once."""
    print("|", " | ".join(map(str, cells)), "|", flush=True)


def head(*cells: str) -> None:
    print()
    row(*cells)
    row(*["---"] * len(cells))


def middles(taken: dict[str, list[float]]) -> dict[str, float]:
    """Return the median milliseconds over rounds."""
    return {name: 1000 * statistics.median(seconds) for name, seconds in taken.items()}


def check(apart: float, options: argparse.Namespace) -> str:
    # Gradients of sigma are sums over all cells and have the largest rounding errors; a GPU may convolve in TF32.
    if apart > 1e-4 and options.device == "cpu":
        raise SystemExit(f"The evaluations do not agree: they differ by {apart:.1e} of the largest value.")
    return f"{apart:.0e}"


def compare(options: argparse.Namespace) -> None:
    """Print the table of the layers that have separate targets."""
    head("layer", "picks", "ms", "dense, ms", "times as fast", "target", "peak, MiB", "dense, MiB", "no more", "apart")
    for case in CASES:
        sides = {"dense": Pass(case.layer("dense"), case, options), "picked": Pass(case.layer(None), case, options)}
        apart = check(difference(sides["picked"], sides["dense"]), options)
        taken = alternated(sides, options)
        ms, ratio = middles(taken), Ratio.of(taken)
        target = f"at least {case.target:g}: {'met' if ratio.middle >= case.target else 'missed'}"
        own, dense = (round(peak(case, name, options)) for name in (case.chosen, "dense"))
        peaks = (own, dense, "met" if own <= dense else "missed")
        row(case.name, case.chosen, f"{ms['picked']:.1f}", f"{ms['dense']:.1f}", ratio, target, *peaks, apart)


def sweep(cases: tuple[Case, ...], options: argparse.Namespace) -> dict[str, list[float]]:
    """Print a table of milliseconds at every sigma; return its columns as the lines of the plot."""
    lines: dict[str, list[float]] = {name: [] for name in (*EVALUATIONS, "picked", "plain 3 x 3")}
    head(f"sigma; order {cases[0].order}, {cases[0].shape}", "filters", *lines, "picks", "times as fast as dense", "apart")
    lowest = float("inf")
    for case in cases:
        sides = {name: Pass(case.layer(name), case, options) for name in EVALUATIONS}
        sides["picked"] = Pass(case.layer(None), case, options)
        apart = check(max(difference(side, sides["dense"]) for side in sides.values()), options)
        sides["plain 3 x 3"] = Pass(nn.Conv2d(case.channels, case.filters, 3, padding=1, bias=False), case, options)
        taken = alternated(sides, options)
        ms, ratio, size = middles(taken), Ratio.of(taken), case.layer(None).size
        for name, line in lines.items():
            line.append(ms[name])
        lowest = min(lowest, ratio.middle)
        row(f"{case.sigma:g}", f"{size} x {size}", *(f"{ms[name]:.1f}" for name in lines), case.chosen, ratio, apart)
    target = cases[0].target
    print(f"\nAt any sigma at least {lowest:.2f} times as fast; target: at least {target:g}: {'met' if lowest >= target else 'missed'}.")
    return lines


def draw(stem: Path, lines: list[dict[str, list[float]]], options: argparse.Namespace) -> None:
    from matplotlib.figure import Figure

    from reproduce.figures.style import PAGE, save, styled

    with styled():
        figure = Figure(figsize=(PAGE, PAGE / 2.4), layout="constrained")
        for axes, cases, drawn in zip(figure.subplots(1, len(SWEEPS)), SWEEPS, lines, strict=True):
            sigmas, case = [each.sigma for each in cases], cases[0]
            for name, values in drawn.items():
                style = {"picked": "k--", "plain 3 x 3": "0.6"}.get(name, "o-")
                axes.plot(sigmas, values, style, markersize=2.5, label=name)
            axes.set(yscale="log", xlabel="sigma in pixels", ylabel="forward and backward, ms")
            axes.yaxis.set_major_formatter("{x:g}")
            axes.set_title(f"order {case.order}, {case.shape}, batch {options.batch}")
            axes.legend(frameon=False)
        print(*save(figure, stem))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--plot", default="njet", help="path of the plot's files, without suffix")
    parser.add_argument("--peak", help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.peak:
        sizes, evaluation = json.loads(options.peak)
        print(measure_peak(Case(**sizes), evaluation, options))
        return
    print(f"batch {options.batch}, medians of {options.rounds} alternated rounds, {options.device}, {options.threads} thread(s)", end="")
    print(f", torch {torch.__version__}")
    compare(options)
    if options.plot:
        draw(Path(options.plot), [sweep(cases, options) for cases in SWEEPS], options)


if __name__ == "__main__":
    main()

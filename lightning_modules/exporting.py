"""Export networks to files that need none of this code. Each file is run and compared with its network before it is kept."""

from __future__ import annotations

import copy
import importlib.util
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from lightning_modules import protocol

FORMATS = ("pt2", "onnx")
TOLERANCE = 1e-4  # share of the largest score; sums in another order differ by about 1e-6
ONNX = ("onnx", "onnxscript", "onnxruntime")
LARGEST = 2**31  # most bytes of an ONNX file, because its format is protobuf


def export(network: nn.Module, example: Tensor, path: Path | str, format: str = FORMATS[0]) -> float:
    """Write a network to a file that runs without this package, and compare the file with the network.

    The file contains a copy of the network: on the CPU, in single precision, in evaluation mode and frozen (`protocol.freeze`), so that
    values learned beside the weights are constants. The batch size is free if the network's code allows it; height and width are those
    of the example. The file is run by `torch.export.load` or by ONNX Runtime, on the example and on another batch.

    Args:
        network: Network that maps B C H W to a tensor; for a task, `task.network`.
        example: Pictures B C H W.
        path: Path of the file; an existing file is replaced.
        format: Format of the file: "pt2", as `torch.export.save` writes it, or "onnx".

    Returns:
        Largest difference between the scores of the file and of the network, as a share of the largest score.

    Raises:
        ValueError: The network cannot be traced, the file's scores differ from the network's by more than `TOLERANCE`, or packages that
            ONNX needs are missing.
    """
    _check(network, format)
    if Path(path).exists() and not Path(path).is_file():
        raise ValueError(f"Expected `path` to be a file, or a new one, but got {path}.")
    whole = copy.deepcopy(network).cpu().float().eval()
    example, path = example.detach().cpu().float(), Path(path)
    frozen = copy.deepcopy(whole)
    protocol.freeze(frozen)
    partial = path.with_name(f"partial-{path.stem}.{format}")
    try:
        difference = _written(whole, frozen, example, partial)
        if not difference <= TOLERANCE:  # also if it is NaN
            raise ValueError(
                f"Expected the scores of {path.name} to differ from the network's by at most {TOLERANCE:g} of the largest score, but they "
                f"differ by {difference:.2g} of it; {type(network).__name__} may run Python code that a file cannot contain."
            )
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return difference


@torch.no_grad()
def _written(whole: nn.Module, frozen: nn.Module, example: Tensor, path: Path) -> float:
    """Write a frozen network to a file, and return the largest difference between the file and the network before freezing."""
    program, batches = _traced(frozen, example)
    run = (_onnx if path.suffix == ".onnx" else _pt2)(program, path)
    return max(_difference(run(batch), whole(batch)) for batch in batches)


def _check(network: nn.Module, format: str) -> None:
    if format not in FORMATS:
        raise ValueError(f"Expected `format` to be {' or '.join(map(repr, FORMATS))}, but got {format!r}.")
    if format != "onnx":
        return
    missing = [name for name in ONNX if importlib.util.find_spec(name) is None]
    if missing:
        raise ValueError(
            f"Expected {', '.join(ONNX)} for format='onnx', but {', '.join(missing)} is missing; "
            "`pip install 'reproduce-dense-prediction[onnx]'` adds it."
        )
    size = sum(4 * parameter.numel() for parameter in network.parameters())
    if size >= LARGEST:
        raise ValueError(f"Expected weights below {LARGEST} bytes for format='onnx', but got {size}; take format='pt2'.")


def _traced(network: nn.Module, example: Tensor) -> tuple[ExportedProgram, list[Tensor]]:
    """Return a network as a program, for any batch size if possible, and batches to test it with."""
    other = example.flip(-1) / 2
    # torch.export would treat a dimension of 1 as a constant.
    program = _program(network, example if len(example) > 1 else torch.cat([example, other]), ({0: Dim.AUTO},))
    (image,) = (node for node in program.graph.nodes if node.name in program.graph_signature.user_inputs)
    if not str(image.meta["val"].shape[0]).isdigit():  # a symbol; torch replaces it by a number if the network needs it
        return program, [example, torch.cat([example, other, other])]
    return _program(network, example, None), [example, other]


def _program(network: nn.Module, image: Tensor, dynamic: tuple[dict[int, Dim], ...] | None) -> ExportedProgram:
    try:
        return torch.export.export(network, (image,), dynamic_shapes=dynamic)
    except Exception as error:  # torch raises many kinds of errors without a common base
        first = str(error).strip().partition("\n")[0]
        raise ValueError(f"Expected a network that torch.export can trace, but {type(network).__name__} fails: {first}") from error


def _pt2(program: ExportedProgram, path: Path) -> Callable[[Tensor], Tensor]:
    """Write a program with `torch.export.save`, and return a function that runs the file."""
    program.example_inputs = None  # the pictures of the trace; the file would contain them
    torch.export.save(program, path)
    run: Callable[[Tensor], Tensor] = torch.export.load(path).module()
    return run


def _onnx(program: ExportedProgram, path: Path) -> Callable[[Tensor], Tensor]:
    """Write a program as ONNX, and return a function that runs the file with ONNX Runtime."""
    import onnxruntime  # type: ignore[import-untyped]  # it has no type annotations

    with _quiet():
        torch.onnx.export(
            program, (), path, dynamo=True, external_data=False, verbose=False, input_names=["image"], output_names=["scores"]
        )
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return lambda image: torch.from_numpy(session.run(None, {"image": image.numpy()})[0])


@contextmanager
def _quiet() -> Iterator[None]:
    """Hide torch's warnings that torchvision is missing, one per operator of torchvision; nothing here needs torchvision."""
    logger = logging.getLogger("torch.onnx._internal.exporter._registration")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _difference(found: Tensor, expected: Tensor) -> float:
    """Return the largest difference as a share of the largest value."""
    if not isinstance(expected, Tensor):
        raise ValueError(f"Expected a network that returns a tensor, but got {type(expected).__name__}.")
    largest = expected.abs().max()
    return float((found - expected).abs().max() / largest.clamp(min=torch.finfo(largest.dtype).tiny))

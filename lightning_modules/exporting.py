"""Networks as files that need none of this code, each of them run and compared with its network before it is kept."""

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
TOLERANCE = 1e-4  # of the largest score; sums in another order differ by some 1e-6
ONNX = ("onnx", "onnxscript", "onnxruntime")
LARGEST = 2**31  # bytes of an ONNX file, whose format is protobuf


def export(network: nn.Module, example: Tensor, path: Path | str, format: str = FORMATS[0]) -> float:
    """Write a network to a file that runs without this package, and compare the file with the network.

    Written is a copy: on the CPU, in single precision, in evaluation mode and frozen (`protocol.freeze`), so that what was learned beside
    the weights is a constant. The batch may have any size, where the network's code allows it; height and width are the example's.
    The file is run by `torch.export.load` or by ONNX Runtime, on the example and on another batch.

    Args:
        network: B C H W to a tensor; of a task, `task.network`.
        example: pictures B C H W.
        path: of the file; one that is there is replaced.
        format: "pt2", of `torch.export.save`, or "onnx".

    Returns:
        The largest difference between scores of the file and of the network, as a share of the largest score.

    Raises:
        ValueError: the network cannot be traced, the file's scores differ from the network's by more than `TOLERANCE`, or packages that
            ONNX needs are missing.
    """
    _check(network, format)
    whole = copy.deepcopy(network).cpu().float().eval()
    example, path = example.detach().cpu().float(), Path(path)
    frozen = copy.deepcopy(whole)
    protocol.freeze(frozen)
    partial = path.with_name(f"partial-{path.stem}.{format}")
    try:
        difference = _written(whole, frozen, example, partial)
        if not difference <= TOLERANCE:  # also where it is not a number
            raise ValueError(
                f"Expected the scores of {path.name} to be the network's but for {TOLERANCE:g} of the largest, but they differ by "
                f"{difference:.2g} of it; {type(network).__name__} may do in Python what no file can hold."
            )
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return difference


@torch.no_grad()
def _written(whole: nn.Module, frozen: nn.Module, example: Tensor, path: Path) -> float:
    """Write a frozen network, and return by how much the file differs from the whole one."""
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
    """Return a network as a program, for batches of any size where that works, and batches that it can be tried with."""
    other = example.flip(-1) / 2
    # A dimension of 1 would be taken for a constant.
    program = _program(network, example if len(example) > 1 else torch.cat([example, other]), ({0: Dim.AUTO},))
    (image,) = (node for node in program.graph.nodes if node.name in program.graph_signature.user_inputs)
    if not str(image.meta["val"].shape[0]).isdigit():  # a symbol: where the code asks for one number, the symbol has become it
        return program, [example, torch.cat([example, other, other])]
    return _program(network, example, None), [example, other]


def _program(network: nn.Module, image: Tensor, dynamic: tuple[dict[int, Dim], ...] | None) -> ExportedProgram:
    try:
        return torch.export.export(network, (image,), dynamic_shapes=dynamic)
    except Exception as error:  # torch has no common base of its many
        first = str(error).strip().partition("\n")[0]
        raise ValueError(f"Expected a network that torch.export can trace, but {type(network).__name__} is none: {first}") from error


def _pt2(program: ExportedProgram, path: Path) -> Callable[[Tensor], Tensor]:
    """Write a program by `torch.export.save`, and return what the file computes."""
    program.example_inputs = None  # pictures that it was traced with; the file would hold them
    torch.export.save(program, path)
    run: Callable[[Tensor], Tensor] = torch.export.load(path).module()
    return run


def _onnx(program: ExportedProgram, path: Path) -> Callable[[Tensor], Tensor]:
    """Write a program in ONNX, and return what ONNX Runtime computes of the file."""
    import onnxruntime  # type: ignore[import-untyped]  # it has no types of its own

    with _quiet():
        torch.onnx.export(
            program, (), path, dynamo=True, external_data=False, verbose=False, input_names=["image"], output_names=["scores"]
        )
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return lambda image: torch.from_numpy(session.run(None, {"image": image.numpy()})[0])


@contextmanager
def _quiet() -> Iterator[None]:
    """Leave out that torchvision, which nothing here needs, is not installed: torch says so for each of its operators."""
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

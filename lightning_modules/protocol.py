"""The methods that a network may have, and the defaults if it does not have them.

A network is any `nn.Module`. All these methods are optional:

    trajectory() -> dict[str, float]             values to log during training, beside the loss
    learned() -> dict[str, float | list[float]]  learned values to store in a run's result; default: `trajectory()`
    quantities -> tuple[Quantity, ...]           learned quantities: name, unit, start, bounds
    parameter_groups() -> dict[str, list]        parameters by group name, for the groups of a recipe
    sizes(shape) -> dict[str, Any]               sizes that follow from the structure, for pictures C H W: receptive fields, feature maps
    start_weights(state, layout) -> dict         a file's weights under this network's parameter names; `layout` names the file's format
    uses_labels -> bool                          whether `forward` also takes the labels in training
    channels_last -> bool                        whether a processor computes it faster with channels last in memory

Any module of the network may have these:

    before_gradients()                           called before a step's gradients are computed; once, also if a step has several batches
    before_step(loss_scale)                      called when the gradients are complete: reduced over ranks, and unscaled
    after_step()                                 called after each optimiser step, to clamp values and to update sizes that depend on them
    freeze()                                     called once, before evaluation or export: values learned beside weights become constants
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from lightning_modules.quantity import Quantity

Norm = nn.modules.batchnorm._NormBase
SLACK = 1e-6  # tolerance at a bound, for rounding


def trajectory(network: nn.Module) -> dict[str, float]:
    """Return the values that a network logs during training, by name."""
    log: Any = getattr(network, "trajectory", dict)
    values: dict[str, float] = log()
    return values


def learned(network: nn.Module) -> dict[str, Any]:
    """Return the values that a trained network has learned beside its weights, by name."""
    keep: Any = getattr(network, "learned", getattr(network, "trajectory", dict))
    values: dict[str, Any] = keep()
    return values


def quantities(network: nn.Module) -> tuple[Quantity, ...]:
    """Return the quantities that a network learns beside its weights."""
    found: tuple[Quantity, ...] = getattr(network, "quantities", ())
    return found


def check_bounds(network: nn.Module, values: Mapping[str, float]) -> None:
    """Check that learned quantities are within their declared bounds.

    Raises:
        ValueError: A quantity is out of bounds. NaN raises no error here; it shows in the loss.
    """
    for quantity in quantities(network):
        for name, value in values.items():
            outside = value < quantity.lowest - SLACK or value > quantity.highest + SLACK
            if outside and re.fullmatch(quantity.pattern, name):
                raise ValueError(
                    f"Expected `{name}` to stay from {quantity.lowest:g} to {quantity.highest:g}, as {type(network).__name__} declares, "
                    f"but got {value:g}; clamp it in `after_step`."
                )


def sizes(network: nn.Module, shape: tuple[int, ...] | None = None) -> dict[str, Any]:
    """Return the sizes that follow from a network's structure; `shape` is C H W of the pictures, if sizes depend on it."""
    compute: Any = getattr(network, "sizes", None)
    found: dict[str, Any] = {} if compute is None else compute(shape)
    return found


def uses_labels(network: nn.Module) -> bool:
    """Return whether a network's `forward` also takes the labels in training."""
    return bool(getattr(network, "uses_labels", False))


def memory_format(network: nn.Module, device: torch.device) -> torch.memory_format:
    """Return the memory format in which weights and pictures of a network shall be: channels last, or as they are.

    Values differ by rounding; dropout also drops other values, because it goes through a map in memory's order. Channels last is for
    networks that declare it, because code that calls `view` on a map fails with it, and for processors, because it was not measured on
    GPUs.
    """
    faster = device.type == "cpu" and getattr(network, "channels_last", False)
    return torch.channels_last if faster else torch.preserve_format


def start_weights(network: nn.Module, state: Mapping[str, Tensor], layout: str) -> Mapping[str, Tensor]:
    """Return a file's weights under a network's own parameter names.

    Args:
        network: Network that gets the weights.
        state: Weights of the file, by name.
        layout: Format of the file, which determines its names; empty if they are the network's own names.

    Raises:
        ValueError: The network does not know the layout.
    """
    if not layout:
        return state
    convert = getattr(network, "start_weights", None)
    if convert is None:
        raise ValueError(f"Expected a network that takes weights in the layout of {layout}, but got {type(network).__name__}.")
    converted: Mapping[str, Tensor] = convert(state, layout)
    return converted


def before_gradients(network: nn.Module) -> None:
    """Call `before_gradients` of every module that has it: the gradients of a new step follow."""
    for module in network.modules():
        told: Any = getattr(module, "before_gradients", None)
        if told is not None:
            told()


def before_step(network: nn.Module, loss_scale: float) -> None:
    """Call `before_step` of every module that has it: the gradients are complete; the loss was scaled by `loss_scale`."""
    for module in network.modules():
        told: Any = getattr(module, "before_step", None)
        if told is not None:
            told(loss_scale)


def after_step(network: nn.Module) -> None:
    """Call `after_step` of every module that has it, first of the network, then of its parts: the optimiser took a step."""
    for module in network.modules():
        told: Any = getattr(module, "after_step", None)
        if told is not None:
            told()


def freeze(network: nn.Module) -> None:
    """Call `freeze` of every module that has it: values learned beside weights become constants, so map and filter sizes stay fixed.

    The scores in evaluation mode stay the same. A frozen network cannot be trained further: freeze a copy.
    """
    for module in network.modules():
        told: Any = getattr(module, "freeze", None)
        if told is not None:
            told()


def named_parameters(network: nn.Module, name: str, optional: bool = False) -> list[nn.Parameter]:
    """Return the parameters of a named group.

    Args:
        network: Network that has the parameters.
        name: Name of one of the network's `parameter_groups()`, `biases`, `norms`, or the path of a module or parameter.
        optional: Whether the group may be empty.

    Raises:
        ValueError: The group is empty, and `optional` is false.
    """
    groups: Any = getattr(network, "parameter_groups", dict)
    own: Mapping[str, list[nn.Parameter]] = groups()
    if name in own:
        found = list(own[name])
    elif name == "norms":
        found = [parameter for module in network.modules() if isinstance(module, Norm) for parameter in module.parameters(recurse=False)]
    elif name == "biases":
        found = [parameter for path, parameter in network.named_parameters() if path.rpartition(".")[2] == "bias"]
    else:
        found = [parameter for path, parameter in network.named_parameters() if path == name or path.startswith(f"{name}.")]
    if not (found or optional):
        parts = [path for path, _ in network.named_children()]
        known = ", ".join([*(group for group, members in own.items() if members), "biases", "norms", *parts])
        raise ValueError(f"Expected a group of parameters of {type(network).__name__} ({known}), but got '{name}'.")
    return found


def named_norms(network: nn.Module, name: str) -> list[nn.Module]:
    """Return the normalisation layers of a named group: all for `norms`, those at or below a path, or those fully in a group."""
    members = set(named_parameters(network, name, optional=True))
    return [
        module
        for path, module in network.named_modules()
        if isinstance(module, Norm) and (name == "norms" or path == name or path.startswith(f"{name}.") or _all_among(module, members))
    ]


def _all_among(module: nn.Module, members: set[nn.Parameter]) -> bool:
    own = set(module.parameters(recurse=False))
    return bool(own) and own <= members

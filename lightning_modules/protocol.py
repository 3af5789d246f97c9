"""What the suite asks of any network, and what it takes for an answer where a network does not say.

A network is any `nn.Module`. It may have these methods; none is needed:

    trajectory() -> dict[str, float]             what is logged while it is trained, beside the loss
    learned() -> dict[str, float | list[float]]  what is kept of that in a run's result; `trajectory()` where there is none
    quantities -> tuple[Quantity, ...]           what of it is learned: name, unit, start, bounds
    parameter_groups() -> dict[str, list]        names for parameters, for the groups of a recipe
    sizes(shape) -> dict[str, Any]               receptive fields, sizes of maps: what follows from its structure, for pictures C H W
    start_weights(state, layout) -> dict         a file's weights by this network's own names; `layout` says whose names the file has
    uses_labels -> bool                          whether `forward` also takes the labels, in training

and any module in it:

    before_gradients()                           called before the gradients of a step are computed, the first of them where there are parts
    before_step(loss_scale)                      called with gradients that are whole: over ranks, and unscaled
    after_step()                                 called after each step of the optimiser: bounds, sizes that follow what was learned
    freeze()                                     called once, to evaluate or export: what is learned beside weights becomes a constant
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from lightning_modules.quantity import Quantity

Norm = nn.modules.batchnorm._NormBase
SLACK = 1e-6  # beyond a bound, for rounding


def trajectory(network: nn.Module) -> dict[str, float]:
    """Return what a network logs while it is trained, by name."""
    log: Any = getattr(network, "trajectory", dict)
    values: dict[str, float] = log()
    return values


def learned(network: nn.Module) -> dict[str, Any]:
    """Return what a trained network has learned beside its weights, by name."""
    keep: Any = getattr(network, "learned", getattr(network, "trajectory", dict))
    values: dict[str, Any] = keep()
    return values


def quantities(network: nn.Module) -> tuple[Quantity, ...]:
    """Return the kinds of what a network learns beside its weights."""
    found: tuple[Quantity, ...] = getattr(network, "quantities", ())
    return found


def check_bounds(network: nn.Module, values: Mapping[str, float]) -> None:
    """Refuse a learned quantity that has left the bounds that it declares.

    Raises:
        ValueError: so; not a number is left to whoever looks at the loss.
    """
    for quantity in quantities(network):
        for name, value in values.items():
            outside = value < quantity.lowest - SLACK or value > quantity.highest + SLACK
            if outside and re.fullmatch(quantity.pattern, name):
                raise ValueError(
                    f"Expected `{name}` to stay from {quantity.lowest:g} to {quantity.highest:g}, as {type(network).__name__} declares, "
                    f"but got {value:g}; bring it back in `after_step`."
                )


def sizes(network: nn.Module, shape: tuple[int, ...] | None = None) -> dict[str, Any]:
    """Return what follows from a network's structure, for pictures C H W where it depends on them."""
    compute: Any = getattr(network, "sizes", None)
    found: dict[str, Any] = {} if compute is None else compute(shape)
    return found


def uses_labels(network: nn.Module) -> bool:
    """Whether a network's `forward` also takes labels, in training."""
    return bool(getattr(network, "uses_labels", False))


def start_weights(network: nn.Module, state: Mapping[str, Tensor], layout: str) -> Mapping[str, Tensor]:
    """Return a file's weights by a network's own names.

    Args:
        network: that is to have them.
        state: the file's.
        layout: whose names the file has; empty where they are the network's own.

    Raises:
        ValueError: the network does not know the layout.
    """
    if not layout:
        return state
    convert = getattr(network, "start_weights", None)
    if convert is None:
        raise ValueError(f"Expected a network that takes weights in the layout of {layout}, but got {type(network).__name__}.")
    converted: Mapping[str, Tensor] = convert(state, layout)
    return converted


def before_gradients(network: nn.Module) -> None:
    """Tell every module that wants to know that the gradients of another step come."""
    for module in network.modules():
        told: Any = getattr(module, "before_gradients", None)
        if told is not None:
            told()


def before_step(network: nn.Module, loss_scale: float) -> None:
    """Tell every module that wants to know that its gradients are whole, and by how much the loss was scaled."""
    for module in network.modules():
        told: Any = getattr(module, "before_step", None)
        if told is not None:
            told(loss_scale)


def after_step(network: nn.Module) -> None:
    """Tell every module that wants to know that the optimiser took a step: the network first, its parts after it."""
    for module in network.modules():
        told: Any = getattr(module, "after_step", None)
        if told is not None:
            told()


def freeze(network: nn.Module) -> None:
    """Let every module that knows how make constants of what it learns beside weights: sizes of maps and filters then stay.

    The scores in evaluation mode are the same. A frozen network cannot be trained further: freeze a copy.
    """
    for module in network.modules():
        told: Any = getattr(module, "freeze", None)
        if told is not None:
            told()


def named_parameters(network: nn.Module, name: str, optional: bool = False) -> list[nn.Parameter]:
    """Return the parameters that a name means: the network's own group, `biases`, `norms`, or those of a module or a parameter by path.

    Args:
        network: that has them.
        name: of a group.
        optional: whether it may mean none.

    Raises:
        ValueError: it means none.
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
    """Return the normalisations whose statistics a name means: all for `norms`, those at or below a path, or wholly in a group."""
    members = set(named_parameters(network, name, optional=True))
    return [
        module
        for path, module in network.named_modules()
        if isinstance(module, Norm) and (name == "norms" or path == name or path.startswith(f"{name}.") or _all_among(module, members))
    ]


def _all_among(module: nn.Module, members: set[nn.Parameter]) -> bool:
    own = set(module.parameters(recurse=False))
    return bool(own) and own <= members

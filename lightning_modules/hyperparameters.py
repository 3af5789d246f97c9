"""Convert the arguments of a task to plain values and back, so that checkpoints and `hparams.yaml` contain no classes."""

from __future__ import annotations

import dataclasses
import inspect
import numbers
from collections.abc import Mapping
from typing import Any

from torch import nn

from lightning_modules import networks
from lightning_modules.inference import Inference
from lightning_modules.networks.network import Network
from lightning_modules.recipe import SGD, Adam, Constant, Cosine, Group, Optimization, Poly, Steps

KINDS = {kind.__name__: kind for kind in (SGD, Adam, Constant, Steps, Poly, Cosine, Group, Optimization, Inference)}


def plain(value: Any) -> Any:
    """Convert a value to numbers, strings, lists and dicts; a dataclass becomes a dict with its class name as `type`.

    Raises:
        TypeError: The value cannot be converted.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {"type": type(value).__name__} | {item.name: plain(getattr(value, item.name)) for item in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if value is None or isinstance(value, bool):
        return value
    # NumPy's numbers and strings also match these types, but YAML would store their classes.
    if isinstance(value, str):
        return str(value)
    if isinstance(value, numbers.Real):
        return int(value) if isinstance(value, numbers.Integral) else float(value)
    raise TypeError(f"Expected a number, a string, or lists and dicts of them, but got {value!r}.")


def made(value: Any) -> Any:
    """Convert plain values from `plain` back: dicts with `type` to parts of a recipe, lists to tuples.

    Raises:
        ValueError: The `type` of a dict is not a part of a recipe.
    """
    if isinstance(value, list | tuple):
        return tuple(made(item) for item in value)
    if not isinstance(value, Mapping):
        return value
    arguments = {name: made(item) for name, item in value.items() if name != "type"}
    if "type" not in value:
        return arguments
    if value["type"] not in KINDS:
        raise ValueError(
            f"Expected a part of a recipe ({', '.join(KINDS)}), but got {value['type']!r}; pass it as an argument when you load."
        )
    return KINDS[value["type"]](**arguments)


def ours(name: Any) -> type[Network] | None:
    """Return the network class that `lightning_modules.networks` exports under a name, or None."""
    found = getattr(networks, name) if name in dir(networks) else None
    return found if inspect.isclass(found) and issubclass(found, Network) else None


def described(network: nn.Module) -> dict[str, Any]:
    """Return one of our networks as `type` and its arguments; for any other network, only the `type`, as "module:class"."""
    kind = type(network)
    if isinstance(network, Network) and ours(kind.__name__) is kind:
        try:
            arguments: dict[str, Any] = plain(network.arguments)
            return {"type": kind.__name__} | arguments
        except TypeError:  # an argument is not a plain value: the user must pass the network when loading, like any foreign network
            pass
    return {"type": f"{kind.__module__}:{kind.__qualname__}"}


def built(network: nn.Module | Mapping[str, Any]) -> nn.Module:
    """Return the network itself, or build it from what `described` returned.

    Raises:
        ValueError: The network is not in `lightning_modules.networks`.
    """
    if isinstance(network, nn.Module):
        return network
    kind = ours(network.get("type"))
    if kind is None:
        raise ValueError(
            f"Expected `network` as an argument, but got none; {network.get('type')} is not in lightning_modules.networks and cannot be "
            "built from a checkpoint: call load_from_checkpoint(path, network=...)."
        )
    return kind(**{name: made(value) for name, value in network.items() if name != "type"})

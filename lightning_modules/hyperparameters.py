"""What a task is made of as plain values, and made of these again: checkpoints and `hparams.yaml` hold no classes."""

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
    """Return numbers, texts, lists and dicts for a value; a dataclass becomes a dict that names it.

    Raises:
        TypeError: the value cannot be said so.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {"type": type(value).__name__} | {item.name: plain(getattr(value, item.name)) for item in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if value is None or isinstance(value, bool):
        return value
    # NumPy's numbers and texts are of these kinds too, but YAML would name their classes.
    if isinstance(value, str):
        return str(value)
    if isinstance(value, numbers.Real):
        return int(value) if isinstance(value, numbers.Integral) else float(value)
    raise TypeError(f"Expected a number, a text, or lists and dicts of them, but got {value!r}.")


def made(value: Any) -> Any:
    """Return what `plain` wrote: parts of a recipe, tuples for lists.

    Raises:
        ValueError: a dict names no part of a recipe.
    """
    if isinstance(value, list | tuple):
        return tuple(made(item) for item in value)
    if not isinstance(value, Mapping):
        return value
    arguments = {name: made(item) for name, item in value.items() if name != "type"}
    if "type" not in value:
        return arguments
    if value["type"] not in KINDS:
        raise ValueError(f"Expected a part of a recipe ({', '.join(KINDS)}), but got {value['type']!r}; give it by name when you load.")
    return KINDS[value["type"]](**arguments)


def ours(name: Any) -> type[Network] | None:
    """Return the network that `lightning_modules.networks` exports under a name."""
    found = getattr(networks, name) if name in dir(networks) else None
    return found if inspect.isclass(found) and issubclass(found, Network) else None


def described(network: nn.Module) -> dict[str, Any]:
    """Return a network of ours as `type` and its arguments; of any other, the `type` alone, as "module:class"."""
    kind = type(network)
    if isinstance(network, Network) and ours(kind.__name__) is kind:
        try:
            arguments: dict[str, Any] = plain(network.arguments)
            return {"type": kind.__name__} | arguments
        except TypeError:  # an argument that is no plain value: it has to be given, as other networks have
            pass
    return {"type": f"{kind.__module__}:{kind.__qualname__}"}


def built(network: nn.Module | Mapping[str, Any]) -> nn.Module:
    """Return a network, or the one that `described` describes.

    Raises:
        ValueError: it is none of `lightning_modules.networks`.
    """
    if isinstance(network, nn.Module):
        return network
    kind = ours(network.get("type"))
    if kind is None:
        raise ValueError(
            f"Expected `network`, as {network.get('type')} is not in lightning_modules.networks and cannot be built from a checkpoint: "
            "load_from_checkpoint(path, network=...)."
        )
    return kind(**{name: made(value) for name, value in network.items() if name != "type"})

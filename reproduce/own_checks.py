"""What an own row's job would fail on, found before it is run."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from datamodules.layouts import helen, images, voc
from reproduce.job import Job
from reproduce.specs import VOC, AdaptiveVGG, Data, Helen, ImageNetwork, Images, MultiPathVGG, OwnData, OwnNetwork, Recipe

# What a row may have in the tables of a task.
KINDS: dict[str, dict[str, tuple[type, ...]]] = {
    "segmentation": {"network": (AdaptiveVGG, MultiPathVGG, OwnNetwork), "recipe": (Recipe,), "data": (Helen, VOC, OwnData)},
    "classification": {"network": (*get_args(ImageNetwork), OwnNetwork), "recipe": (Recipe,), "data": (Images, OwnData)},
}
BLOCKS = 5  # of VGG-16


def check(key: str, job: Job, published: Job) -> None:
    """Refuse what a row's job would fail on; whatever is built there alone, the user's own, is left to it.

    Args:
        key: of the row.
        job: of the row.
        published: what it is like.

    Raises:
        ValueError: the first thing that is wrong, in one sentence.
    """
    for name, allowed in KINDS[published.task].items():
        spec = getattr(job, name)
        if not isinstance(spec, allowed):
            kinds = " or ".join(kind.__name__ for kind in allowed)
            raise ValueError(
                f"Expected `{name}` of row '{key}' to be {kinds}, as in every table of {published.task}, but got {type(spec).__name__}."
            )
        _check_types(key, spec)
    assert job.recipe is not None
    for name in ("steps", "batch_size"):
        if getattr(job.recipe, name) < 1:
            raise ValueError(f"Expected `{name}` of Recipe in row '{key}' to be positive, but got {getattr(job.recipe, name)}.")
    network = job.network
    if isinstance(network, AdaptiveVGG | MultiPathVGG):
        for name in ("strides", "dilations", "pool_dilations"):
            value = getattr(network, name)
            if len(value) != BLOCKS:
                hint = "; those of its paths are `path_dilations`" if isinstance(network, MultiPathVGG) and name == "dilations" else ""
                raise ValueError(
                    f"Expected `{name}` of {type(network).__name__} in row '{key}' to be {BLOCKS}, one a block, but got {value}{hint}."
                )
    _check_data(key, job, published)


def _check_types(key: str, spec: Any) -> None:
    """Hold the fields of a spec, and of those in it, to their declared types."""
    hints = get_type_hints(type(spec))
    for item in fields(spec):
        value, kind = getattr(spec, item.name), hints[item.name]
        if not fits(value, kind):
            raise ValueError(f"Expected `{item.name}` of {type(spec).__name__} in row '{key}' to be {_called(kind)}, but got {value!r}.")
        if is_dataclass(value):
            _check_types(key, value)


def _check_data(key: str, job: Job, published: Job) -> None:
    """Refuse data of other classes or channels than the network's, and data that would not count by its files."""
    data, network = job.data, job.network
    assert data is not None
    if isinstance(data, Images):
        _check_images(key, data)
    for name, (value, title) in _known_of(data).items():
        found = getattr(network, name, value)  # a user's own network has no `in_channels`
        if found != value:
            raise ValueError(f"Expected `{name}` of the network in row '{key}' to be {value}, those of {title}, but got {found}.")
    # Of small pictures the fingerprint is found for the user.
    known = [isinstance(spec, OwnData | Images) or bool(spec and (spec.made or spec.fingerprint)) for spec in (data, published.data)]
    if known == [False, True]:
        raise ValueError(
            f"Expected `data` of row '{key}' to have `made` or `fingerprint`, but has neither; `replace(published.data, ...)` has."
        )


def _check_images(key: str, data: Images) -> None:
    if data.dataset not in images.SETS:
        raise ValueError(f"Expected `dataset` of Images in row '{key}' to be one of {', '.join(images.SETS)}, but got {data.dataset!r}.")
    if data.made is not None and data.made.name != data.dataset:
        raise ValueError(
            f"Expected `made` of Images in row '{key}' to have the name of its `dataset`, {data.dataset!r}, but got {data.made.name!r}."
        )


def _known_of(data: Data) -> dict[str, tuple[int, str]]:
    """Return what a network must have for data, and of which set that is; a user's own data says so only in its job."""
    match data:
        case Helen():
            return {"num_classes": (len(helen.CLASSES), "Helen")}
        case VOC():
            return {"num_classes": (len(voc.CLASSES), "VOC")}
        case Images():
            published = images.SETS[data.dataset]
            return {"num_classes": (len(published.classes), published.title), "in_channels": (published.shape[0], published.title)}
    return {}


def fits(value: Any, kind: Any) -> bool:
    """Whether a value is of the type that a field is declared with; an integer will do for a float, and a list for a tuple."""
    if kind is Any:
        return True
    if get_origin(kind) is tuple:
        return isinstance(value, list | tuple) and all(fits(member, get_args(kind)[0]) for member in value)
    if get_origin(kind) is UnionType:
        return any(fits(value, member) for member in get_args(kind))
    return isinstance(value, int | float if kind is float else kind)


def _called(kind: Any) -> str:
    """Return a declared type as a sentence names it."""
    if get_origin(kind) is UnionType:
        return " or ".join(map(_called, get_args(kind)))
    if kind is NoneType:
        return "None"
    return kind.__name__ if isinstance(kind, type) and not get_args(kind) else str(kind)

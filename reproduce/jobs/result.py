"""Result of a run: one type, checked before it is written and after it is read."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from re import fullmatch
from typing import Any, NoReturn, TypedDict, cast

from reproduce.jobs.job import Job

BOUND = 1e-6  # slack of a learned quantity, which is clamped in single precision
SLACK = 1e-9  # relative slack beyond a range, for rounding


class BadResult(ValueError):
    """A result that must not be shown; the message names the run, the key and the remedy."""


class _Needed(TypedDict):
    metrics: dict[str, Any]
    provenance: dict[str, Any]


class Result(_Needed, total=False):
    """Measurements of a finished run; tasks may add keys with plain values.

    metrics: Numbers by name: a finite number, a list of numbers, a text, or None if there was nothing to measure.
    provenance: Code, versions, device, time.
    job: Name of the run.
    data: Data set, and how much it can be vouched for; None if the job needs no data.
    images: Number of images in the evaluation.
    counted: Number of labelled pixels or pictures in the evaluation.
    confusion: Confusion matrix, true by predicted class.
    start: Record of the start weights.
    timing: Seconds by part.
    """

    job: str
    data: dict[str, Any] | None
    images: int
    counted: int
    confusion: list[list[int]]
    start: dict[str, Any] | None
    timing: dict[str, float]


EMPTY: Result = {"metrics": {}, "provenance": {"device": ""}}


def parsed(content: bytes, where: str) -> Result:
    """Read a result from the bytes of its file, and check it.

    Raises:
        BadResult: The bytes are no JSON, or no result.
    """

    def refuse(constant: str) -> NoReturn:
        raise BadResult(f"Expected finite numbers in {where}, but got {constant}; `runs rerun` makes a new one.")

    try:
        plain = json.loads(content, parse_constant=refuse)
    except BadResult:
        raise
    except (ValueError, RecursionError) as error:
        raise BadResult(f"Expected {where} to be JSON, but it is not ({error}); `runs rerun` makes a new one.") from None
    return check_result(plain, where)


def check_result(plain: object, where: str) -> Result:
    """Return plain values as a result, after checking their types and that every number is finite.

    Raises:
        BadResult: A value has the wrong type, or a number is not finite; the message names the key.
    """
    if not isinstance(plain, dict):
        _refuse(where, "an object", plain)
    for key, kind in (("metrics", dict), ("provenance", dict), ("data", dict | None), ("start", dict | None), ("timing", dict)):
        if key in plain or key in ("metrics", "provenance"):
            _hold(plain, key, kind, where)
    for key in ("images", "counted"):
        if key in plain and (type(plain[key]) is not int or plain[key] < 0):
            _refuse(f"`{key}` of {where}", "a whole number", plain[key])
    _hold(plain["provenance"], "device", str, f"`provenance` of {where}")
    for owner, keys in ((plain["provenance"], ("seconds",)), (plain["provenance"].get("peak_memory"), ...), (plain.get("timing"), ...)):
        _check_amounts(owner, keys, where)
    for key in ("status", "set", "detail") if plain.get("data") else ():
        _hold(plain["data"], key, str, f"`data` of {where}")
    _check_confusion(plain.get("confusion"), where)
    for name, value in plain["metrics"].items():
        _check_metric(f"the metric `{name}` of {where}", value)
    for name, value in _numbers({key: value for key, value in plain.items() if key != "metrics"}):
        if not math.isfinite(value):
            _refuse(f"`{name}` of {where}", "a finite number", value)
    return cast("Result", plain)


def check_ranges(job: Job, metrics: Mapping[str, Any], where: str) -> None:
    """Check that the metrics of a job are in the ranges that its task and its learned quantities declare.

    Raises:
        BadResult: A number is outside its range.
    """
    for name, value in metrics.items():
        ranges = [found for pattern, found in job.task.ranges if fnmatchcase(name, pattern)]
        ranges += [
            (quantity.lowest, quantity.highest)
            for quantity in job.network.quantities
            if name == quantity.metric or (not quantity.metric and fullmatch(quantity.pattern, name))
        ]
        for number in _flat(value):
            for low, high in ranges:
                if not low - SLACK * max(1.0, abs(low)) <= number <= high + SLACK * max(1.0, abs(high)):
                    raise BadResult(f"Expected the metric `{name}` of {where} to be from {low:g} to {high:g}, but got {number:g}.")


def _hold(owner: Mapping[str, Any], key: str, kind: Any, where: str) -> None:
    if key not in owner or not isinstance(owner[key], kind):
        name = getattr(kind, "__name__", "dict or None")
        _refuse(f"`{key}` of {where}", {"dict": "an object", "str": "a text"}.get(name, "an object or null"), owner.get(key))


def _check_amounts(owner: Any, keys: Any, where: str) -> None:
    """Check seconds and bytes: numbers, not negative."""
    if owner is None:
        return
    if not isinstance(owner, dict):
        _refuse(f"an entry of {where}", "an object", owner)
    for key in owner if keys is ... else keys:
        value = owner.get(key, 0)
        if isinstance(value, bool) or not isinstance(value, int | float) or not _finite(value) or value < 0:
            _refuse(f"`{key}` of {where}", "a number from 0 on", value)


def _finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond every float
        return False


def _check_metric(what: str, value: Any) -> None:
    if isinstance(value, list):
        for member in value:
            _check_metric(what, member)
    elif isinstance(value, str):
        if _is_number(value):
            _refuse(what, "a number", value)
    elif value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or not _finite(value)):
        _refuse(what, "a finite number", value)


def _check_confusion(matrix: Any, where: str) -> None:
    if matrix is None:
        return
    rows = matrix if isinstance(matrix, list) else []
    square = rows and all(isinstance(row, list) and len(row) == len(rows) for row in rows)
    if not square or not all(type(number) is int and number >= 0 for row in rows for number in row):
        _refuse(f"`confusion` of {where}", "a square matrix of counts", "something else")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _flat(value: Any) -> Iterator[float]:
    if isinstance(value, list):
        for member in value:
            yield from _flat(member)
    elif isinstance(value, int | float):
        yield float(value)


def _numbers(value: Any, name: str = "") -> Iterator[tuple[str, float]]:
    """Yield all floats in plain values, with the name of the nearest key."""
    if isinstance(value, dict):
        for key, member in value.items():
            yield from _numbers(member, str(key))
    elif isinstance(value, list):
        for member in value:
            yield from _numbers(member, name)
    elif isinstance(value, float):
        yield name, value


def _refuse(what: str, wanted: str, found: object) -> NoReturn:
    said = " ".join(repr(found).split())
    raise BadResult(f"Expected {what} to be {wanted}, but got {said[:60]}; `runs rerun` makes a new one.")


def check_curve(job: Job, lines: Sequence[Mapping[str, Any]], where: str) -> None:
    """Check the lines of a curve: rising steps, numbers, and learned quantities inside their bounds.

    A number may be infinite or NaN: half precision overflows in steps that are then skipped.

    Raises:
        BadResult: A line is none of a curve.
    """
    bounds = [(quantity.pattern, quantity.lowest, quantity.highest) for quantity in job.network.quantities if quantity.start is not None]
    before = -1
    for line in lines:
        step = line.get("step") if isinstance(line, dict) else None
        if type(step) is not int or step <= before:
            _refuse(f"the steps of {where}", "rising whole numbers", step)
        before = step
        for name, value in line.items():
            if isinstance(value, bool) or not isinstance(value, int | float):
                _refuse(f"`{name}` at step {step} of {where}", "a number", value)
            for pattern, low, high in bounds:
                if fullmatch(f"trajectory/{pattern}", name) and (value < low - BOUND or value > high + BOUND):
                    _refuse(f"`{name}` at step {step} of {where}", f"from {low:g} to {high:g}", value)

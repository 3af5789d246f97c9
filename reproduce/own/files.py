"""Files of a user's own rows: loaded by path, identified by content, called in the job's process."""

from __future__ import annotations

import hashlib
import os
import sys
import traceback
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

from reproduce.specs import OwnData, OwnNetwork


def load(path: Path, sha256: str = "") -> ModuleType:
    """Import a user's file by its path.

    Args:
        path: Path of the file.
        sha256: Expected hash of the file, if it is known already.

    Raises:
        ValueError: The file cannot be read, has changed, or fails; the message names the line.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ValueError(f"Expected a Python file with your own rows, but got {path} ({error.strerror}).") from error
    digest = hashlib.sha256(content).hexdigest()
    if sha256 and digest != sha256:
        raise ValueError(f"Expected {path} to be unchanged since the run was made, but it has changed: run the table again.")
    module = ModuleType(f"own_{digest[:12]}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # dataclasses and pickle look modules up there
    try:
        exec(compile(content, path, "exec"), module.__dict__)
    except (Exception, SystemExit) as error:
        raise ValueError(said(path, error)) from error
    return module


def build(spec: OwnNetwork | OwnData, **given: Any) -> Any:
    """Call the class or function that a spec names; used in the job's process.

    Args:
        spec: Spec with the file, the name and the arguments.
        given: Arguments that the job adds.

    Raises:
        ValueError: The file has changed, lacks the name, or fails; the message names the line.
    """
    path = Path(spec.file)
    make = getattr(load(path, spec.sha256), spec.name, None)
    if make is None:
        raise ValueError(f"Expected {path} to define `{spec.name}`, but it does not.")
    try:
        return make(**given, **dict(spec.arguments))
    except Exception as error:
        raise ValueError(said(path, error)) from error


def placed(spec: Any, rows: Path) -> Any:
    """Return a user's own spec with the path and the hash of its file; return any other spec unchanged.

    Args:
        spec: Spec, or None.
        rows: File of rows; relative paths start in its folder.

    Raises:
        ValueError: A file or a folder does not exist.
    """
    if not isinstance(spec, OwnNetwork | OwnData):
        return spec
    file = (rows.parent / spec.file).resolve() if spec.file else rows
    try:
        spec = replace(spec, file=str(file), sha256=hashlib.sha256(file.read_bytes()).hexdigest())
    except OSError as error:
        raise ValueError(f"Expected `file` of `{spec.name}` in {rows} to be a Python file, but got {file} ({error.strerror}).") from error
    if isinstance(spec, OwnData) and spec.root:
        root = (rows.parent / spec.root).resolve()
        if not root.is_dir():
            raise ValueError(f"Expected `root` of `{spec.name}` in {rows} to be a folder, but got {root}.")
        spec = replace(spec, root=str(root), fingerprint=_fingerprint(root))
    return spec


def said(path: Path, error: BaseException) -> str:
    """Return the message of an error in a user's file, with the line of that file."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == str(path)]
    line = error.lineno if isinstance(error, SyntaxError) and error.filename == str(path) else lines[-1] if lines else None
    what = error.msg if isinstance(error, SyntaxError) else " ".join(str(error).split())
    return f"{path}{f', line {line}' if line else ''}: {type(error).__name__}: {what.rstrip('.')}."


def _fingerprint(root: Path) -> str:
    """Return a fingerprint of the names and sizes of a folder's files, as Helen's layout does."""
    digest = hashlib.sha256()
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(name for name in names if not name.startswith(".")):
            path = Path(folder, name)
            digest.update(f"{path.relative_to(root).as_posix()}\t{path.stat().st_size}\n".encode())
    return digest.hexdigest()[:16]

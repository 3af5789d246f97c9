"""`python -m reproduce prepare vgg16`: download files into the data root, and check them."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from reproduce.commands.options import Parser, UsageError, data_folder
from reproduce.jobs.store import sha256_of
from reproduce.jobs.weights import IMAGENET_VGG16

BLOCK = 2**20
TIMEOUT = 60.0  # seconds without a received byte


@dataclass(frozen=True)
class Download:
    """A file to download: its addresses, its path below the data root, and the first digits of its sha256."""

    urls: tuple[str, ...]
    path: str
    sha256: str


DOWNLOADS = {
    "vgg16": Download(
        (f"https://download.pytorch.org/models/{IMAGENET_VGG16.name}",), f"weights/{IMAGENET_VGG16.name}", IMAGENET_VGG16.sha256
    ),
}


def parser() -> Parser:
    """Return the parser."""
    result = Parser(prog="python -m reproduce prepare", description="Download files into the data root, and check them.")
    result.add_argument("name", metavar="NAME", choices=DOWNLOADS, help=f"one of {', '.join(DOWNLOADS)}")
    result.add_argument("--data-root", type=data_folder, help="folder of the data sets (default $REPRODUCE_DATA)")
    result.add_argument("--from", dest="source", type=Path, metavar="FILE", help="copy this file instead of downloading it")
    return result


def main(words: Sequence[str]) -> int:
    """Download a file, or copy a local file, and check it."""
    options = parser().parse_args(words)
    root = options.data_root or (Path(os.environ["REPRODUCE_DATA"]) if os.environ.get("REPRODUCE_DATA") else None)
    if root is None or not root.is_dir():
        raise UsageError(f"Expected --data-root or REPRODUCE_DATA to be a folder, but got {root or 'neither'}; create it first.")
    download = DOWNLOADS[options.name]
    target = root / download.path
    if target.exists() and sha256_of(target).startswith(download.sha256):
        print(f"{target} exists already.")
        return 0
    fetch(download, target, options.source)
    print(f"{target} is ready; its sha256 is the published one ({download.sha256}...).")
    return 0


def fetch(download: Download, target: Path, source: Path | None = None) -> None:
    """Download or copy a file; write it only if it is complete and its sha256 is right.

    Args:
        download: File to download.
        target: Path to write.
        source: Copy on this machine; None tries the addresses in turn.

    Raises:
        UsageError: No address could be reached, or the file has another sha256.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    failures = []
    for url in [source.resolve().as_uri()] if source else download.urls:
        with tempfile.NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}.") as partial:
            try:
                with urllib.request.urlopen(url, timeout=TIMEOUT) as stream:
                    _copy(stream, partial, target.name)
            except (urllib.error.URLError, OSError) as error:
                failures.append(f"{url} ({getattr(error, 'reason', None) or error})")
                continue
            partial.flush()
            digest = sha256_of(Path(partial.name))
            if not digest.startswith(download.sha256):
                failures.append(f"{url} (its sha256 begins with {digest[: len(download.sha256)]}, not {download.sha256})")
                continue
            shutil.copyfile(partial.name, f"{partial.name}.whole")
            Path(f"{partial.name}.whole").replace(target)
            return
    raise UsageError(
        f"Expected to get {target.name}, but every address failed: {'; '.join(failures)}; get it yourself and name it by --from."
    )


def _copy(stream: IO[bytes], file: IO[bytes], name: str) -> None:
    """Copy block by block; on a terminal, print the progress."""
    done = 0
    while block := stream.read(BLOCK):
        file.write(block)
        done += len(block)
        if sys.stderr.isatty():
            print(f"\r{name}: {done / BLOCK:.0f} MiB", end="", file=sys.stderr, flush=True)
    if sys.stderr.isatty():
        print(file=sys.stderr)

"""Standard output of commands: results alone."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import TextIO


@contextlib.contextmanager
def results_only() -> Iterator[TextIO]:
    """Yield standard output, and send there nothing else: prints of a user's rows or papers go to standard error."""
    out = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):
        yield out

"""Standard output of commands: results alone."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from typing import TextIO


@contextlib.contextmanager
def results_only() -> Iterator[TextIO]:
    """Yield standard output, and send there nothing else: what a user's rows or papers print goes to standard error.

    This includes processes that they start, if standard output is a file of the system.
    """
    out = sys.stdout
    try:
        number = out.fileno()
    except (OSError, ValueError, AttributeError, io.UnsupportedOperation):
        with contextlib.redirect_stdout(sys.stderr):
            yield out
        return
    out.flush()
    with os.fdopen(os.dup(number), "w", encoding=out.encoding, errors=out.errors) as results:
        os.dup2(2, number)
        try:
            with contextlib.redirect_stdout(sys.stderr):
                yield results
        finally:
            os.dup2(results.fileno(), number)

"""The command line: first a verb, or tables to run."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence

from reproduce import plugins
from reproduce.commands.options import UsageError

# The module of a verb is imported only when the verb is called, so that listing and showing stay fast.
VERBS = ("show", "plan", "predict", "export", "prepare", "runs", "dashboard", "job")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0, 1 if a cell failed or is missing, 2 for wrong input, 130 after Ctrl-C."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    verb = words.pop(0) if words and words[0] in VERBS else "run"
    try:
        code: int = importlib.import_module(f"reproduce.commands.{verb}").main(words)
        sys.stdout.flush()
    except (UsageError, ValueError, FileNotFoundError, PermissionError) as error:
        print(" ".join(str(error).split()), file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader closed the pipe, as in `show table1 | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        print("Stopped; what was computed is kept, and the same command resumes.", file=sys.stderr)
        return 130
    except Exception as error:
        said = plugins.blamed(error)
        if said is None:
            raise
        print(said, file=sys.stderr)
        return 2
    return code

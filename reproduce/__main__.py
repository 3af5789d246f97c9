"""`python -m reproduce`."""

import gc
import sys

# What a start makes stays: to look through it for garbage, dozens of times, is a twentieth of a start. A job frees memory as ever.
if sys.argv[1:2] != ["job"]:
    gc.set_threshold(50_000)

from reproduce.cli import main

raise SystemExit(main())

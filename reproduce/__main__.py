"""`python -m reproduce`."""

import gc
import sys

# Objects that are made at the start stay alive. Searching them for garbage takes a twentieth of the start. A job keeps Python's setting.
if sys.argv[1:2] != ["job"]:
    gc.set_threshold(50_000)

from reproduce.cli import main

raise SystemExit(main())

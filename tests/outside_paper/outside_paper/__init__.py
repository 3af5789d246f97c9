"""A made-up paper on the periods of waves, with a task, a network with a learned quantity, data, a stage, evaluations and a figure."""

from outside_paper.table1 import TABLE
from reproduce.wandb_.dashboard import Curves, Section

TABLES = (TABLE,)
PANELS = (Section("Waves", (Curves("mean absolute error", r"(val|test)/mae"),)),)

"""Wei et al. 2017, "Learning Adaptive Receptive Fields for Deep Image Parsing Network": a module a table."""

from reproduce.papers.adaptive_rf import cost, table1

TABLES = (table1.TABLE, cost.TABLE)

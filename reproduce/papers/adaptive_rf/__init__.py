"""Wei et al. 2017, "Learning Adaptive Receptive Fields for Deep Image Parsing Network": a module a table."""

from reproduce.papers.adaptive_rf import cost, gradient, table1, table2

TABLES = (table1.TABLE, table2.TABLE, gradient.TABLE, cost.TABLE)
